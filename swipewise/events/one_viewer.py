"""The events of one viewer as plain rows, and their folding: the twin of ``fold`` for what is too little for a table.

A few hundred rows are folded here in a fraction of the time that a query engine takes to plan the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl

from swipewise.events.moments import moment_of
from swipewise.schema import FLAG_ACTIONS, Action, Col, Interaction


class EventRow(NamedTuple):
    """One event of a viewer, with the names that the stores have; ``at`` is in microseconds since 1970 UTC."""

    event_id: str
    video_id: str
    action: str
    at: int
    watch_seconds: float | None
    position: int | None


_FLAGS = {str(flag): flag for flag in FLAG_ACTIONS}


def rows_of(events: pl.DataFrame) -> list[EventRow]:
    """A viewer's event table as rows."""
    columns = [events[name].to_physical() if name == Col.AT else events[name] for name in EventRow._fields]
    return list(map(EventRow._make, zip(*(column.to_list() for column in columns), strict=True)))


def fold_rows(
    viewer_id: str, rows: Iterable[EventRow], duration_of: Callable[[str], float | None]
) -> list[Interaction]:
    """Fold one viewer's events, each given once, into interactions by time and video; see ``fold``.

    Args:
        viewer_id: Whose.
        rows: In any order.
        duration_of: Seconds of a video, None where that is unknown.
    """
    folded = [
        interaction
        for video_id, of_video in _by_video(rows).items()
        for interaction in _of_video(viewer_id, of_video, duration_of(video_id))
    ]
    return sorted(folded, key=_in_time)


class FoldedRows:
    """A viewer's events that stay as they are, which are folded once. Threads may share it.

    What comes later is folded with those of the same videos alone: most of a long history is not looked at again.

    Args:
        viewer_id: Whose.
        rows: Each once, in any order.
    """

    def __init__(self, viewer_id: str, rows: Sequence[EventRow]) -> None:
        self._viewer_id = viewer_id
        self._rows = rows
        self._folded: tuple[Sequence[float | None], Sequence[Interaction]] | None = None

    def with_later(
        self, later: Sequence[EventRow], duration_of: Callable[[str], float | None]
    ) -> list[Interaction]:
        """What :func:`fold_rows` makes of these events and of further ones, which are not among them."""
        again = {row.video_id for row in later}
        rows = [*(row for row in self._rows if row.video_id in again), *later] if again else []
        folded = [each for each in self._alone(duration_of) if each.video_id not in again]
        return sorted([*folded, *fold_rows(self._viewer_id, rows, duration_of)], key=_in_time)

    def _alone(self, duration_of: Callable[[str], float | None]) -> Sequence[Interaction]:
        """These events by themselves; folded anew where another duration has become known."""
        durations = [duration_of(row.video_id) for row in self._rows]
        if self._folded is None or self._folded[0] != durations:
            self._folded = durations, fold_rows(self._viewer_id, self._rows, duration_of)
        return self._folded[1]


def _by_video(rows: Iterable[EventRow]) -> dict[str, list[EventRow]]:
    found: dict[str, list[EventRow]] = {}
    for row in rows:
        found.setdefault(row.video_id, []).append(row)
    return found


def _in_time(interaction: Interaction) -> tuple[datetime, str]:
    return interaction.at, interaction.video_id


def _of_video(viewer_id: str, rows: Iterable[EventRow], duration: float | None) -> list[Interaction]:
    """A viewer's events with one video, in the order of its exposures."""
    folded: list[Interaction] = []
    opened: list[EventRow] = []
    for row in sorted(rows, key=lambda row: (row.at, row.action != Action.EXPOSURE, row.event_id)):
        if row.action == Action.EXPOSURE and opened:
            folded.append(_interaction(viewer_id, opened, duration))
            opened = []
        opened.append(row)
    return [*folded, _interaction(viewer_id, opened, duration)]


def _interaction(viewer_id: str, rows: list[EventRow], duration: float | None) -> Interaction:
    """One exposure and what followed it."""
    watched = _watched(rows)
    return Interaction(
        viewer_id=viewer_id,
        video_id=rows[0].video_id,
        at=moment_of(rows[0].at),
        watch_seconds=watched,
        watch_ratio=watched / duration if watched is not None and duration else None,
        position=next((row.position for row in rows if row.position is not None), None),
        actions=frozenset(_FLAGS[row.action] for row in rows if row.action in _FLAGS),
    )


def _watched(rows: list[EventRow]) -> float | None:
    """The sum over the views; where no view tells, the longest time another action tells."""
    views = [row.watch_seconds for row in rows if row.action == Action.VIEW and row.watch_seconds is not None]
    if views:
        return sum(views)
    return max((row.watch_seconds for row in rows if row.watch_seconds is not None), default=None)
