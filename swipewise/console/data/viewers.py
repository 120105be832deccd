"""One viewer: what they did, what is believed of them and how that came about; and who else there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data.nearest import Likes
from swipewise.console.data.player import Facts, facts_of
from swipewise.events import read_events, viewer_interactions
from swipewise.events.history import History
from swipewise.feed.standing import Standing, Teller
from swipewise.schema import Col, Interaction

MOMENTS: Final = 8
"""Times at which it is asked what was believed; fewer where each takes long, as the history is."""
_LEAST_MOMENTS: Final = 4
_LONG: Final = 2_400
THEMES: Final = 6
SHIFTS: Final = 3
"""The latest so many have a place among the moments."""
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeOverTime:
    """A theme that was liked at some time: its words or else its videos, and the taste for it at each moment."""

    modality: str
    words: Sequence[str]
    videos: Sequence[str]
    tastes: Sequence[float | None]

    @property
    def pull(self) -> list[float]:
        """At each moment how many times the usual odds of watching it has, beyond once; 0 where it is not liked."""
        return [round(math.expm1(taste), 3) if taste and taste > 0 else 0.0 for taste in self.tastes]

    @property
    def name(self) -> str:
        """In a few words."""
        return f"{self.modality}: {' '.join(self.words[:3]) or f'like {self.videos[0]}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftTold:
    """A shift of interest, as of ``InterestShift``, with words and videos of what was left and of what was joined."""

    at: datetime
    noticed_at: datetime
    interactions: int
    modality: str
    chance: float
    left: Mapping[str, Any]
    joined: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerFile:
    """All that is known of a viewer.

    ``weights`` are the α of each modality at each of the ``moments``; ``history`` comes newest first; ``facts`` are
    those of its videos; ``nearest`` is as of ``Likes.nearest``; ``shifts`` come newest first, too.
    """

    viewer_id: str
    profile: Mapping[str, Any]
    standing: Standing
    moments: Sequence[datetime]
    themes: Sequence[ThemeOverTime]
    weights: Sequence[Mapping[str, float]]
    shifts: Sequence[ShiftTold]
    history: Sequence[Interaction]
    facts: Mapping[str, Facts]
    nearest: pl.DataFrame


def viewer_file(console: Console, viewer_id: str) -> ViewerFile:
    """Look a viewer up; of one who is not known there is simply nothing.

    Raises:
        StoreError: A store cannot be read.
    """
    engine, history = console.engine, history_of(console, viewer_id)
    profile = engine.profile(viewer_id)
    standing = engine.standing(viewer_id, shifts=True)
    shifts = _shifts(console.teller, standing, history)
    moments = _moments(
        [interaction.at for interaction in reversed(history)], [each.at for each in shifts[:SHIFTS]]
    )
    then = [engine.standing(viewer_id, now=at) for at in moments]
    return ViewerFile(
        viewer_id=viewer_id,
        profile=profile.features if profile else {},
        standing=standing,
        moments=moments,
        themes=_themes(console.teller, then),
        weights=[each.beliefs.modality_weights if each.beliefs else {} for each in then],
        shifts=shifts,
        history=history,
        facts=facts_of(console.catalog, list({interaction.video_id for interaction in history})),
        nearest=nearest_viewers(console, viewer_id, history),
    )


def history_of(console: Console, viewer_id: str) -> list[Interaction]:
    """What a viewer did, the newest first; of a very long history the latest.

    Raises:
        StoreError: A store cannot be read.
    """
    lengths = console.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    return viewer_interactions(console.workspace.events_dir, viewer_id, lengths, _LONGEST)[::-1]


def nearest_viewers(console: Console, viewer_id: str, history: Sequence[Interaction]) -> pl.DataFrame:
    """Who liked the same videos; as of ``Likes.nearest``.

    Raises:
        StoreError: The log cannot be read.
    """
    positive = console.workspace.config.events.positive
    likes = console.kept.get("likes", lambda: Likes.read(console.workspace.events_dir, positive))
    return likes.nearest(viewer_id, [each.video_id for each in history if each.actions & set(positive)])


def _moments(times: Sequence[datetime], besides: Sequence[datetime]) -> list[datetime]:
    """Times spread over the interactions, each just after one, and some besides; the last is the newest."""
    count = min(len(times), max(_LEAST_MOMENTS, min(MOMENTS, _LONG // max(1, len(times)))))
    spread = [times[math.ceil(len(times) * (number + 1) / count) - 1] for number in range(count)]
    return sorted({*spread, *besides})


def _themes(teller: Teller, then: Sequence[Standing]) -> list[ThemeOverTime]:
    """The themes that were liked most at any of some times, the best first."""
    told: dict[tuple[str, tuple[int, ...]], dict[str, Any]] = {}
    tastes: dict[tuple[str, tuple[int, ...]], list[float | None]] = {}
    for place, standing in enumerate(then):
        for theme in standing.beliefs.themes if standing.beliefs else ():
            key = (theme.modality, theme.videos)
            if key not in told:
                told[key] = teller.theme(theme, standing)
            tastes.setdefault(key, [None] * len(then))[place] = round(theme.taste, 3)
    best = sorted(tastes, key=lambda key: -max(taste or 0.0 for taste in tastes[key]))[:THEMES]
    return [
        ThemeOverTime(modality=key[0], words=told[key]["words"], videos=told[key]["videos"], tastes=tastes[key])
        for key in best
        if told[key]["videos"]
    ]


def _shifts(teller: Teller, standing: Standing, history: Sequence[Interaction]) -> list[ShiftTold]:
    # A shift's time is that of an interaction but for the microseconds.
    return [
        ShiftTold(
            at=min((each.at for each in history if each.at >= shift.at), default=shift.at),
            noticed_at=shift.noticed_at,
            interactions=shift.interactions,
            modality=shift.modality,
            chance=shift.chance,
            left=teller.theme(shift.left, standing),
            joined=teller.theme(shift.joined, standing),
        )
        for shift in standing.shifts
    ]


def viewers_seen(events_dir: Path) -> pl.DataFrame:
    """Everybody in the log, who came last first: viewer_id, events, and at, of the latest.

    Raises:
        StoreError: The log cannot be read.
    """
    return History(events_dir).collected(
        lambda: (
            read_events(events_dir)
            .group_by(Col.VIEWER_ID)
            .agg(pl.len().alias(Col.EVENTS), pl.col(Col.AT).max())
            .sort(Col.AT, Col.VIEWER_ID, descending=[True, False])
            .collect(engine="streaming")
        )
    )
