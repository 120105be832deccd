"""One video: what it is, who watched it and how far, and what is like it; and how videos are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from swipewise.behavior.watching import audience, watch_curve
from swipewise.console.context import Console
from swipewise.errors import DataError, UnknownIdError
from swipewise.events import video_interactions
from swipewise.events.history import History
from swipewise.events.job_records import Job
from swipewise.events.rollups import WATCH_STEPS, Rollups
from swipewise.feed.engine import FeedEngine
from swipewise.feed.similar import Similar
from swipewise.schema import CONTENT_MODALITIES, Action, Col, Video

LIKE_IT: Final = 8
ASKED: Final = 4
"""Viewers, those who watched most of it, by whom it is told what a video is judged by."""
FUSED: Final = "all together"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFile:
    """All that is known of a video.

    ``ingested_at`` and ``first_shown_at`` are None where that has not happened, ``job`` where it was not posted.
    ``watched`` is as of ``watch_curve``, ``viewers`` as of ``audience``. ``weights`` are the mean α over those who
    watched most of it, empty without a model. ``similar`` is by modality, and ``FUSED``; ``complaints`` say why one is
    not there.
    """

    video: Video
    vectors: tuple[tuple[str, str], ...]
    ingested_at: datetime | None
    job: Job | None
    first_shown_at: datetime | None
    watched: pl.DataFrame
    viewers: pl.DataFrame
    weights: Mapping[str, float]
    similar: Mapping[str, Sequence[Similar]]
    complaints: Mapping[str, str]
    duplicate_of: str | None
    duplicates: Sequence[str]


def video_file(console: Console, video_id: str) -> VideoFile:
    """Look a video up.

    Raises:
        UnknownIdError: There is none with this id; the message names the nearest.
        StoreError: A store cannot be read.
    """
    engine, catalog = console.engine, console.catalog
    video = catalog.get(video_id)
    ingested = catalog.videos([video_id])[Col.INGESTED_AT]
    interactions = _interactions(engine, video)
    viewers = audience(interactions.lazy())
    similar, complaints = _similar(engine, video_id)
    shown = interactions.filter(pl.col(Action.EXPOSURE))[Col.AT].min()
    return VideoFile(
        video=video,
        vectors=tuple((str(modality), identity) for modality, identity in catalog.encoders_of(video_id)),
        ingested_at=ingested.item() if len(ingested) else None,
        job=console.jobs.of_video(video_id),
        first_shown_at=shown if isinstance(shown, datetime) else None,
        watched=watch_curve(Rollups.of(interactions).watch, steps=WATCH_STEPS),
        viewers=viewers,
        weights=_weights(engine, video_id, viewers[Col.VIEWER_ID].head(ASKED).to_list()),
        similar=similar,
        complaints=complaints,
        duplicate_of=catalog.links.duplicate_of(video_id),
        duplicates=catalog.links.duplicates_of(video_id),
    )


def _interactions(engine: FeedEngine, video: Video) -> pl.DataFrame:
    events_dir = engine.workspace.events_dir
    durations = pl.LazyFrame(
        {Col.VIDEO_ID: [video.video_id], Col.DURATION: [video.duration_seconds]},
        schema={Col.VIDEO_ID: pl.String, Col.DURATION: pl.Float64},
    )

    return History(events_dir).collected(
        lambda: video_interactions(events_dir, video.video_id, durations).collect()
    )


def _weights(engine: FeedEngine, video_id: str, viewer_ids: Sequence[str]) -> dict[str, float]:
    """The mean weight of each modality over some viewers."""
    known = list(engine.weights(video_id, viewer_ids).values())
    return {name: sum(each[name] for each in known) / len(known) for name in known[0]} if known else {}


def _similar(engine: FeedEngine, video_id: str) -> tuple[dict[str, list[Similar]], dict[str, str]]:
    similar, complaints = {}, {}
    for name, modality in ((FUSED, None), *((str(each), str(each)) for each in CONTENT_MODALITIES)):
        try:
            similar[name] = engine.similar(video_id, limit=LIKE_IT, modality=modality)
        except (DataError, UnknownIdError) as error:
            complaints[name] = str(error)
    return similar, complaints


def find_videos(videos: pl.DataFrame, words: str, limit: int) -> pl.DataFrame:
    """The newest videos whose id, caption, creator or tags hold some words, in any case; all where there are none."""
    found = videos
    if wanted := words.strip().casefold():
        text = pl.concat_str(
            Col.VIDEO_ID,
            pl.col(Col.CAPTION, Col.CREATOR).fill_null(""),
            pl.col(Col.TAGS).list.join(" ").fill_null(""),
            separator=" ",
        )
        found = videos.filter(text.str.to_lowercase().str.contains(wanted, literal=True))
    return found.sort(Col.UPLOADED_AT, Col.VIDEO_ID, descending=[True, False], nulls_last=True).head(limit)
