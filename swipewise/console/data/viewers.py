"""One viewer: what they did, what is believed of them and how that came about; and who else there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.catalog import Catalog
from swipewise.console.data.player import Facts, facts_of
from swipewise.events import read_events, viewer_interactions
from swipewise.events.history import History
from swipewise.feed.engine import FeedEngine
from swipewise.feed.standing import Standing, Teller
from swipewise.schema import Col, Interaction

MOMENTS: Final = 12
"""Times at which it is asked what was believed."""
THEMES: Final = 6
NEAREST: Final = 8
_LONGEST: Final = 1000
_SHARED = "shared"
LIKENESS = "likeness"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeOverTime:
    """A theme that was liked at some time: its words or else its videos, and the taste for it at each moment."""

    modality: str
    words: Sequence[str]
    videos: Sequence[str]
    tastes: Sequence[float | None]

    @property
    def name(self) -> str:
        """In a few words."""
        return f"{self.modality}: {' '.join(self.words[:3]) or f'like {self.videos[0]}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTold:
    """A change of taste: when, in which modality, how likely, and videos of what was left and of what was joined."""

    at: datetime
    modality: str
    chance: float
    left: Mapping[str, Any]
    joined: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerFile:
    """All that is known of a viewer.

    ``history`` comes newest first; ``facts`` are those of its videos; ``nearest`` holds viewer_id, shared and likeness.
    """

    viewer_id: str
    profile: Mapping[str, Any]
    standing: Standing
    moments: Sequence[datetime]
    themes: Sequence[ThemeOverTime]
    change: ChangeTold | None
    history: Sequence[Interaction]
    facts: Mapping[str, Facts]
    nearest: pl.DataFrame


def viewer_file(engine: FeedEngine, catalog: Catalog, teller: Teller, viewer_id: str) -> ViewerFile:
    """Look a viewer up; of one who is not known there is simply nothing.

    Raises:
        StoreError: A store cannot be read.
    """
    workspace = engine.workspace
    videos = catalog.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    history = viewer_interactions(workspace.events_dir, viewer_id, videos, _LONGEST)[::-1]
    profile = engine.profile(viewer_id)
    standing = engine.standing(viewer_id)
    moments = _moments([interaction.at for interaction in reversed(history)])
    themes = _themes(engine, teller, viewer_id, moments)
    liked = [interaction.video_id for interaction in history if set(interaction.actions) & _positive(engine)]
    return ViewerFile(
        viewer_id=viewer_id,
        profile=profile.features if profile else {},
        standing=standing,
        moments=moments,
        themes=themes,
        change=_change(teller, standing),
        history=history,
        facts=facts_of(catalog, list({interaction.video_id for interaction in history})),
        nearest=nearest_viewers(workspace.events_dir, viewer_id, liked, sorted(_positive(engine))),
    )


def _positive(engine: FeedEngine) -> set[str]:
    return set(engine.workspace.config.events.positive)


def _moments(times: Sequence[datetime]) -> list[datetime]:
    """Times spread over the interactions, each just after one; the last is the newest."""
    count = min(MOMENTS, len(times))
    return [times[math.ceil(len(times) * (number + 1) / count) - 1] for number in range(count)]


def _themes(
    engine: FeedEngine, teller: Teller, viewer_id: str, moments: Sequence[datetime]
) -> list[ThemeOverTime]:
    """The themes that were liked most at any of some times, the best first."""
    told: dict[tuple[str, tuple[int, ...]], dict[str, Any]] = {}
    tastes: dict[tuple[str, tuple[int, ...]], list[float | None]] = {}
    for place, at in enumerate(moments):
        standing = engine.standing(viewer_id, now=at)
        for theme in standing.beliefs.themes if standing.beliefs else ():
            key = (theme.modality, theme.videos)
            told.setdefault(key, teller.theme(theme, standing))
            tastes.setdefault(key, [None] * len(moments))[place] = round(theme.taste, 3)
    best = sorted(tastes, key=lambda key: -max(taste or 0.0 for taste in tastes[key]))[:THEMES]
    return [
        ThemeOverTime(modality=key[0], words=told[key]["words"], videos=told[key]["videos"], tastes=tastes[key])
        for key in best
        if told[key]["videos"]
    ]


def _change(teller: Teller, standing: Standing) -> ChangeTold | None:
    change = standing.beliefs.change if standing.beliefs else None
    if change is None:
        return None
    return ChangeTold(
        at=change.at,
        modality=change.modality,
        chance=change.chance,
        left=teller.theme(change.left, standing),
        joined=teller.theme(change.joined, standing),
    )


def nearest_viewers(
    events_dir: Path, viewer_id: str, liked: Sequence[str], positive: Sequence[str]
) -> pl.DataFrame:
    """Who liked the same videos: viewer_id, shared (how many) and likeness (cosine of what both liked).

    Raises:
        StoreError: The log cannot be read.
    """
    own = set(liked)

    def read() -> pl.DataFrame:
        likes = read_events(events_dir).filter(pl.col(Col.ACTION).cast(pl.String).is_in(list(positive)))
        theirs = likes.select(Col.VIEWER_ID, Col.VIDEO_ID).unique().group_by(Col.VIEWER_ID)
        counted = theirs.agg(
            pl.col(Col.VIDEO_ID).is_in(list(own)).sum().alias(_SHARED), pl.len().alias(Col.INTERACTIONS)
        )
        both = (pl.col(Col.INTERACTIONS) * max(1, len(own))).sqrt()
        return (
            counted.filter((pl.col(_SHARED) > 0) & (pl.col(Col.VIEWER_ID) != viewer_id))
            .select(Col.VIEWER_ID, _SHARED, (pl.col(_SHARED) / both).alias(LIKENESS))
            .top_k(NEAREST, by=LIKENESS)
            .sort(LIKENESS, Col.VIEWER_ID, descending=[True, False])
            .collect(engine="streaming")
        )

    return History(events_dir).collected(read)


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
