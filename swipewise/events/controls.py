"""What viewers ask of their feed: less of something, other weights of modalities, learning paused or begun anew."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from swipewise.errors import DataError
from swipewise.events.database import Database
from swipewise.events.moments import microseconds, microseconds_now
from swipewise.events.one_viewer import EventRow
from swipewise.events.rules import id_fault
from swipewise.schema import Col, Modality

HIGHEST_FACTOR: Final = 2.0
MOST_ENTRIES: Final = 1000
"""Of topics, creators and hidden videos each."""
MOST_PAUSES: Final = 1000
"""Since learning was begun anew."""
_NEVER: Final = 2**63 - 1

_CONTROLS = "controls"
CONTROLS: Final = sa.table(
    "viewer_controls",
    sa.column(Col.VIEWER_ID, sa.Text),
    sa.column(_CONTROLS, sa.Text),  # a JSON object
    sa.column(Col.UPDATED_AT, sa.BigInteger),
)
_CONTROLS_OF: Final = sa.select(CONTROLS.c[_CONTROLS]).where(
    CONTROLS.c[Col.VIEWER_ID] == sa.bindparam(Col.VIEWER_ID)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A stretch of time in which nothing was to be learned; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What one viewer asked for.

    topics, creators: How much of a tag or of a creator is wanted, from 0, none, to below 1. hidden: videos that are not
    to be shown. modalities: a factor a modality on its part of the score, 0 to 2. pauses: in order of time; what
    happened in one does not count for the feed. reset_at: what happened before it does not count either.
    """

    topics: Mapping[str, float] = field(default_factory=dict)
    creators: Mapping[str, float] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    modalities: Mapping[str, float] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    reset_at: datetime | None = None

    @property
    def paused_at(self) -> datetime | None:
        """Since when learning has been paused, None while it goes on."""
        return self.pauses[-1].since if self.pauses and self.pauses[-1].until is None else None

    def check(self) -> None:
        """Make sure of what was asked.

        Raises:
            DataError: A name is empty or not known, a number out of range, or there is too much of something.
        """
        for what, shares in (("topics", self.topics), ("creators", self.creators)):
            for name, share in shares.items():
                if not 0 <= share < 1:
                    raise DataError(f"{what}: {name!r} = {share:g} must be from 0 (none of it) to below 1 (less)")
        for name, factor in self.modalities.items():
            if name not in set(Modality):
                raise DataError(f"modalities: {name!r} is not one: valid are {', '.join(Modality)}")
            if not 0 <= factor <= HIGHEST_FACTOR:
                raise DataError(f"modalities: {name} = {factor:g} must be from 0 to {HIGHEST_FACTOR:g}")
        named = {"topics": self.topics, "creators": self.creators, "hidden_videos": self.hidden}
        for what, names in named.items():
            if len(names) > MOST_ENTRIES:
                raise DataError(f"{what}: {len(names)} entries are too many: at most {MOST_ENTRIES}")
            for name in names:
                if fault := id_fault(name):
                    raise DataError(f"{what}: {name!r} {fault}")

    def as_of(self, now: datetime, *, paused: bool, reset: bool = False) -> Controls:
        """The same with learning paused or going on, and begun anew where asked, as of ``now``.

        Pauses that ended before learning began anew are dropped: nothing before that counts anyway.

        Args:
            now: When that is asked.
            paused: Whether learning pauses from then on.
            reset: Whether it begins anew then.

        Raises:
            DataError: There are too many pauses to begin another.
        """
        reset_at = max(self.reset_at or now, now) if reset else self.reset_at
        pauses = self.pauses
        if not paused and self.paused_at is not None:
            pauses = (*pauses[:-1], replace(pauses[-1], until=now))
        if reset_at is not None:
            pauses = tuple(pause for pause in pauses if pause.until is None or pause.until > reset_at)
        if paused and self.paused_at is None:
            if len(pauses) >= MOST_PAUSES:
                raise DataError(
                    f"learning: it was paused {len(pauses)} times already, which is the most: leave it on, or begin "
                    "anew with reset_learning, after which earlier pauses need not be kept"
                )
            pauses = (*pauses, Pause(since=now))
        return replace(self, pauses=pauses, reset_at=reset_at)

    def that_count(self, events: Sequence[EventRow]) -> list[EventRow]:
        """The events that count for the viewer's feed.

        Args:
            events: The viewer's own.
        """
        since = None if self.reset_at is None else microseconds(self.reset_at)
        # Pauses begin and end in turn: a time with an odd number of bounds up to it lies within one.
        bounds = self._bounds()
        return [
            row
            for row in events
            if (since is None or row.at >= since) and (not bounds or bisect_right(bounds, row.at) % 2 == 0)
        ]

    def _bounds(self) -> list[int]:
        """When pauses begin and end, in turn, sorted."""
        bounds: list[int] = []
        for pause in sorted(self.pauses, key=lambda each: each.since):
            since = microseconds(pause.since)
            until = _NEVER if pause.until is None else max(since, microseconds(pause.until))
            # Clocks of several servers may have made pauses overlap.
            if bounds and since <= bounds[-1]:
                bounds[-1] = max(bounds[-1], until)
            else:
                bounds += [since, until]
        return bounds


class ViewerControls:
    """The controls of all viewers in a live store, which whoever gives it closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, viewer_id: str) -> Controls | None:
        """A viewer's controls as they are now, None where nothing was asked.

        Args:
            viewer_id: Whose.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.read() as connection:
            return read_controls(connection, viewer_id)

    def put(
        self, viewer_id: str, wanted: Controls, *, paused: bool, reset: bool, now: datetime | None = None
    ) -> Controls:
        """Store controls in place of the earlier ones; they are on disk when this returns.

        Args:
            viewer_id: Whose.
            wanted: Topics, creators, hidden videos and modalities; pauses and resets are as they were.
            paused: Whether learning is to be paused; a pause that lasts goes on.
            reset: Whether what happened before now is not to count any more.
            now: Taken for the current time; tests set it.

        Returns:
            The controls as they are stored.

        Raises:
            DataError: The id or a control is not as it should be, or there are too many pauses.
            StoreError: The store cannot be written.
        """
        if fault := id_fault(viewer_id):
            raise DataError(f"viewer_id {fault}")
        wanted.check()
        moment = now or datetime.now(UTC)
        with self._database.write() as connection:
            before = read_controls(connection, viewer_id) or Controls()
            known = replace(wanted, pauses=before.pauses, reset_at=before.reset_at)
            controls = known.as_of(moment, paused=paused, reset=reset)
            connection.execute(sa.delete(CONTROLS).where(CONTROLS.c[Col.VIEWER_ID] == viewer_id))
            row = {
                Col.VIEWER_ID: viewer_id,
                _CONTROLS: json.dumps(as_json(controls), ensure_ascii=False),
                Col.UPDATED_AT: microseconds_now(),
            }
            connection.execute(sa.insert(CONTROLS).values(row))
        return controls

    def delete(self, viewer_id: str) -> bool:
        """Take back all that a viewer asked, pauses and resets too; whether there was anything.

        Args:
            viewer_id: Whose.

        Returns:
            Whether anything was asked before.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._database.write() as connection:
            statement = sa.delete(CONTROLS).where(CONTROLS.c[Col.VIEWER_ID] == viewer_id)
            return connection.execute(statement).rowcount > 0


def as_json(controls: Controls) -> dict[str, Any]:
    """Controls in plain values."""
    return {
        "topics": dict(controls.topics),
        "creators": dict(controls.creators),
        "hidden_videos": list(controls.hidden),
        "modalities": dict(controls.modalities),
        "pauses": [[_text(pause.since), _text(pause.until)] for pause in controls.pauses],
        "reset_at": _text(controls.reset_at),
    }


def read_controls(connection: sa.Connection, viewer_id: str) -> Controls | None:
    """A viewer's controls as a transaction sees them, None where nothing was asked."""
    text = connection.scalar(_CONTROLS_OF, {Col.VIEWER_ID: viewer_id})
    if text is None:
        return None
    row = json.loads(text)
    return Controls(
        topics=row["topics"],
        creators=row["creators"],
        hidden=tuple(row["hidden_videos"]),
        modalities=row["modalities"],
        pauses=tuple(
            Pause(since=datetime.fromisoformat(since), until=until and datetime.fromisoformat(until))
            for since, until in row["pauses"]
        ),
        reset_at=row["reset_at"] and datetime.fromisoformat(row["reset_at"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
