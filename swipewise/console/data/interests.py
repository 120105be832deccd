"""Everybody's interests at once: the map of videos and viewers, and segments of viewers who like the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from swipewise.behavior.interest_map import LANDMARKS
from swipewise.behavior.segments import LEAST_INTERACTIONS, MOST_SEGMENTS, describe_segments, segment_trend
from swipewise.catalog import Catalog
from swipewise.console.context import Console
from swipewise.console.data.categories import categories
from swipewise.errors import ArtifactError, DataError
from swipewise.events import read_active_days
from swipewise.events.history import History
from swipewise.schema import Col
from swipewise.training.crowd import Crowd, caption_words
from swipewise.workspace import Workspace

SHOWN: Final = 1_500
"""Videos, and viewers, that a page shows of a map; of more a sample is drawn."""
_SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """Everybody's interests.

    Attributes:
        places: As of ``Crowd.interest_map``, with segment (0: none) and the category of videos.
        segments: As of ``describe_segments``.
        trend: As of ``segment_trend``, by week; None where there are no segments.
        note: Why there are no segments.
    """

    places: pl.DataFrame
    segments: pl.DataFrame | None = None
    trend: pl.DataFrame | None = None
    note: str = ""

    def shown(self) -> pl.DataFrame:
        """As many videos and viewers as a page can show, the same each time."""
        kinds = self.places.partition_by(Col.KIND)
        return pl.concat(kind.sample(min(SHOWN, len(kind)), seed=_SEED) for kind in kinds)


def read_map(console: Console, run: str) -> Interests:
    """The map of a run, drawn once and kept for a while; arguments and errors as of ``read_interests``."""
    return console.kept.get(("interests", run), lambda: read_interests(console.workspace, run))


def read_interests(workspace: Workspace, run: str) -> Interests:
    """Draw the map of a run, and tell its viewers apart; it takes seconds to minutes, so keep what it gives.

    Raises:
        ArtifactError: The model is missing or damaged, or the catalogue lacks a modality that it reads.
        DataError: There are too few videos, or nobody has done anything.
        StoreError: A store cannot be read.
    """
    crowd = Crowd.read(workspace, workspace.runs_dir / run)
    places = crowd.interest_map(landmarks=LANDMARKS, seed=_SEED)
    videos = Catalog(workspace.catalog_dir).videos()
    named = categories(videos, places.filter(pl.col(Col.KIND) == "video"))
    places = places.join(
        named.with_columns(pl.lit("video").alias(Col.KIND)),
        on=[Col.KIND, Col.ID],
        how="left",
        maintain_order="left",
    )
    try:
        members, taste_UT = crowd.segments(least=LEAST_INTERACTIONS, most=MOST_SEGMENTS, count=None, seed=_SEED)
    except (ArtifactError, DataError) as error:
        return Interests(places=places.with_columns(pl.lit(0).alias(Col.SEGMENT)), note=str(error))
    topics = crowd.topics(caption_words(workspace, crowd.dataset.video_ids))
    of_viewer = members.select(pl.col(Col.VIEWER_ID).alias(Col.ID), Col.SEGMENT, pl.lit("viewer").alias(Col.KIND))
    return Interests(
        places=places.join(of_viewer, on=[Col.ID, Col.KIND], how="left", maintain_order="left").with_columns(
            pl.col(Col.SEGMENT).fill_null(0)
        ),
        segments=describe_segments(members[Col.SEGMENT].to_numpy(), taste_UT, topics),
        trend=History(workspace.events_dir).collected(
            lambda: segment_trend(members, read_active_days(workspace.events_dir), every="week")
        ),
    )
