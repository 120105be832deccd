"""The tables and plots that can be taken away, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data import model_tables
from swipewise.console.data.behavior import platform_behavior
from swipewise.console.data.health import COUNT, activity, catalogue_health
from swipewise.console.data.ingestion import ingestion_state
from swipewise.console.data.interests import Interests, read_map
from swipewise.console.data.long_tables import (
    EPOCH,
    NDCG,
    OBSERVED,
    PREDICTED,
    RUN,
    TASTE,
    THEME,
    WEIGHT,
    calibration,
    coverage,
    evaluation_figures,
    feed_changes,
    feed_latencies,
    learning_curves,
    near_duplicates,
    newest_jobs,
    similar_videos,
    video_weights,
    viewer_profile,
    viewer_themes,
    viewer_weights,
)
from swipewise.console.data.map_parts import Part
from swipewise.console.data.serving import fallbacks
from swipewise.console.data.videos import video_file
from swipewise.console.data.viewers import viewer_file, viewers_seen
from swipewise.errors import DataError, UnknownIdError
from swipewise.feed.stages import Level
from swipewise.schema import Col

Read = Callable[[Console, str], pl.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How a table is drawn: the column below, those beside, as lines, bars or points; ``by`` names a series each."""

    x: str
    y: tuple[str, ...]
    bars: bool = False
    points: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A table that can be taken away.

    ``of`` says whether it is about one viewer, one video or one part of the map; ``read`` is given the id.
    """

    title: str
    read: Read
    plot: Plot | None = None
    of: str = ""


def _daily(console: Console, _id: str) -> pl.DataFrame:
    daily = activity(console.workspace.events_dir).daily
    return daily.pivot(Col.ACTION, index=Col.DAY, values=COUNT).fill_null(0).sort(Col.DAY)


def _levels(console: Console) -> pl.DataFrame:
    found = fallbacks(console.workspace.events_dir).levels
    of_level = (pl.col(Col.FEEDS).filter(pl.col(Col.LEVEL) == level).sum().alias(level) for level in Level)
    return found.group_by(Col.AT).agg(*of_level).sort(Col.AT)


def _history(console: Console, viewer_id: str) -> pl.DataFrame:
    found = viewer_file(console, viewer_id)
    rows = [
        {
            Col.VIDEO_ID: each.video_id,
            Col.AT: each.at,
            Col.WATCH_SECONDS: each.watch_seconds,
            Col.WATCH_RATIO: each.watch_ratio,
            "actions": " ".join(sorted(each.actions)),
        }
        for each in found.history
    ]
    return pl.DataFrame(rows)


def _interests(console: Console) -> Interests:
    run = console.engine.run
    if run is None:
        raise DataError(f"there is no map without a model: {console.engine.note}")
    return read_map(console, run)


def _segments(console: Console, _id: str) -> pl.DataFrame:
    found = _interests(console)
    if found.segments is None:
        raise DataError(f"there are no segments: {found.note}")
    return found.segments


def _trend(console: Console, _id: str) -> pl.DataFrame:
    found = _interests(console)
    if found.trend is None:
        raise DataError(f"there are no segments: {found.note}")
    return found.trend


TABLES: Final[Mapping[str, Taken]] = {
    "videos": Taken(title="Videos", read=lambda console, _: console.catalog.videos()),
    "coverage": Taken(title="Videos by what they are known by", read=lambda console, _: coverage(console)),
    "near-duplicates": Taken(title="Near-duplicates", read=lambda console, _: near_duplicates(console)),
    "rejected": Taken(title="Rejected files", read=lambda console, _: console.catalog.rejected()),
    "viewers": Taken(title="Viewers", read=lambda console, _: viewers_seen(console.workspace.events_dir)),
    "events-by-day": Taken(
        title="Events a day", read=_daily, plot=Plot(x=Col.DAY, y=("exposure", "view", "like"))
    ),
    "events-by-minute": Taken(
        title="Events a minute, last hour",
        read=lambda console, _: activity(console.workspace.events_dir).minutes,
        plot=Plot(x=Col.AT, y=(COUNT,), bars=True),
    ),
    "feeds-by-level": Taken(
        title="Feeds by what they leaned on, last day",
        read=lambda console, _: _levels(console),
        plot=Plot(x=Col.AT, y=tuple(Level)),
    ),
    "feed-latencies": Taken(
        title="Seconds that feeds took, since the server was started",
        read=lambda console, _: feed_latencies(console),
        plot=Plot(x=Col.SHARE, y=(Col.SECONDS,), bars=True),
    ),
    "feed-sources": Taken(
        title="Videos of the latest feeds by source",
        read=lambda console, _: fallbacks(console.workspace.events_dir).sources,
        plot=Plot(x=Col.SOURCE, y=(Col.VIDEOS,), bars=True),
    ),
    "uploads-by-day": Taken(
        title="Uploads a day",
        read=lambda console, _: catalogue_health(console.catalog).uploads,
        plot=Plot(x=Col.DAY, y=(COUNT,), bars=True),
    ),
    "funnel": Taken(
        title="Funnel",
        read=lambda console, _: platform_behavior(console.workspace, console.catalog).funnel,
        plot=Plot(x=Col.STEP, y=(Col.SHARE,), bars=True),
    ),
    "retention": Taken(
        title="Retention by week of the first event",
        read=lambda console, _: platform_behavior(console.workspace, console.catalog).retention,
        plot=Plot(x=Col.PERIOD, y=(Col.SHARE,), by=Col.COHORT),
    ),
    "returning": Taken(
        title="Retention, all cohorts",
        read=lambda console, _: platform_behavior(console.workspace, console.catalog).returning,
        plot=Plot(x=Col.PERIOD, y=(Col.SHARE,)),
    ),
    "watch-curve": Taken(
        title="How far clips are watched",
        read=lambda console, _: platform_behavior(console.workspace, console.catalog).watched,
        plot=Plot(x=Col.WATCHED, y=(Col.REMAINING,)),
    ),
    "interest-map": Taken(
        title="Interest map",
        read=lambda console, _: _interests(console).places,
        plot=Plot(x=Col.X, y=(Col.Y,), points=True, by=Col.MODALITY),
    ),
    "segments": Taken(title="Segments", read=_segments),
    "segment-trend": Taken(
        title="Active viewers of each segment, by week",
        read=_trend,
        plot=Plot(x=Col.DAY, y=(Col.ACTIVE,), by=Col.SEGMENT),
    ),
    "runs": Taken(title="Runs", read=lambda console, _: model_tables.runs(console)),
    "learning-curves": Taken(
        title="Learning curves",
        read=lambda console, _: learning_curves(console),
        plot=Plot(x=EPOCH, y=(NDCG,), by=RUN),
    ),
    "evaluation": Taken(
        title="Figures of the last evaluation", read=lambda console, _: evaluation_figures(console)
    ),
    "calibration": Taken(
        title="Calibration",
        read=lambda console, _: calibration(console),
        plot=Plot(x=PREDICTED, y=(OBSERVED,), by=Col.ACTION),
    ),
    "attention": Taken(
        title="Weight of each modality over viewers",
        read=lambda console, _: model_tables.attention(console),
        plot=Plot(x=WEIGHT, y=(Col.SHARE,), by=Col.MODALITY),
    ),
    "audit": Taken(title="Findings of the last audit", read=lambda console, _: model_tables.audit(console)),
    "ablations": Taken(title="Ablations", read=lambda console, _: model_tables.ablations(console)),
    "transfer": Taken(title="Models of other workspaces", read=lambda console, _: model_tables.transfers(console)),
    "jobs": Taken(title="Jobs", read=lambda console, _: newest_jobs(console)),
    "videos-by-hour": Taken(
        title="Videos taken into the catalogue, by hour",
        read=lambda console, _: ingestion_state(console.catalog, console.jobs).taken,
        plot=Plot(x=Col.AT, y=(COUNT,), bars=True),
    ),
    "stages": Taken(
        title="Median seconds of each stage of a job",
        read=lambda console, _: ingestion_state(console.catalog, console.jobs).seconds,
    ),
    "viewer-interest": Taken(
        title="Interest of a viewer over time",
        read=viewer_themes,
        plot=Plot(x=Col.AT, y=(TASTE,), by=THEME),
        of="viewer",
    ),
    "viewer-weights": Taken(
        title="Modality weights of a viewer over time",
        read=viewer_weights,
        plot=Plot(x=Col.AT, y=(WEIGHT,), by=Col.MODALITY),
        of="viewer",
    ),
    "map-part": Taken(
        title="Part of the interest map",
        read=lambda console, text: Part.parse(text).of(_interests(console).places),
        of="part",
    ),
    "viewer-profile": Taken(title="Profile of a viewer", read=viewer_profile, of="viewer"),
    "viewer-changes": Taken(title="What would change the feed of a viewer", read=feed_changes, of="viewer"),
    "viewer-history": Taken(title="History of a viewer", read=_history, of="viewer"),
    "nearest-viewers": Taken(
        title="Nearest viewers",
        read=lambda console, id_: viewer_file(console, id_).nearest,
        of="viewer",
    ),
    "video-weights": Taken(
        title="What a video is judged by",
        read=video_weights,
        plot=Plot(x=Col.MODALITY, y=(WEIGHT,), bars=True),
        of="video",
    ),
    "similar-videos": Taken(title="Videos like a video", read=similar_videos, of="video"),
    "video-audience": Taken(
        title="Who met a video",
        read=lambda console, id_: video_file(console, id_).viewers,
        of="video",
    ),
    "video-watch-curve": Taken(
        title="How far a video is watched",
        read=lambda console, id_: video_file(console, id_).watched,
        plot=Plot(x=Col.WATCHED, y=(Col.REMAINING,)),
        of="video",
    ),
}
"""By the name under which they are asked for."""


def table_named(name: str) -> Taken:
    """A table by its name.

    Raises:
        UnknownIdError: There is none of this name.
    """
    if name not in TABLES:
        raise UnknownIdError(f"no table {name!r}: there are {', '.join(TABLES)}")
    return TABLES[name]
