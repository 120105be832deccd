"""Counting what is popular, what is rising and what was shown in the event log."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from swipewise.config import EventsConfig
from swipewise.events import fold
from swipewise.feed.popularity import Popularity
from swipewise.schema import Action, Col

_SHOWN, _LIKED, _RECENT, _RISE = "shown", "liked", "recent", "rise"
_FEWEST = 2  # viewers of the last hours, below which nothing rises


def count_popularity(
    events: pl.LazyFrame,
    durations: pl.LazyFrame,
    *,
    now: datetime,
    days: float,
    positive: EventsConfig,
    trending_hours: float = 24.0,
) -> Popularity:
    """Count the viewers who liked each video in the last ``days`` days, and those who were shown it.

    A video rises where more viewers liked it first in the last hours than those before let expect: by (recent -
    expected) / sqrt(expected + 1), the deviations of a Poisson count, which neither the size nor the age of a video
    decides.

    The days end at ``now``, or at the newest event where nothing has happened since: the popularity of a log
    that ends in the past is that of its last days. Events dated later than ``now`` do not count.

    Args:
        events: The event log in long form.
        durations: video_id and duration_seconds.
        now: Timezone-aware.
        days: Length of the window.
        positive: What counts as liking.
        trending_hours: The last hours of the window, of which the rest lets expect so many likes.
    """
    past = events.filter(pl.col(Col.AT) <= now)
    end = past.filter(pl.col(Col.AT) >= now - timedelta(days=days)).select(pl.col(Col.AT).max()).collect().item()
    end = now if end is not None else past.select(pl.col(Col.AT).max()).collect().item()
    if end is None:
        return Popularity()
    rows = fold(past.filter(pl.col(Col.AT) >= end - timedelta(days=days)), durations)
    pairs = rows.group_by(Col.VIDEO_ID, Col.VIEWER_ID).agg(
        pl.col(Col.AT).filter(_is_positive(positive)).min().alias(_LIKED)
    )
    recent = pl.col(_LIKED) > end - timedelta(hours=trending_hours)
    videos = pairs.group_by(Col.VIDEO_ID).agg(
        pl.len().alias(_SHOWN), pl.col(_LIKED).count(), recent.sum().alias(_RECENT)
    )
    counted = videos.with_columns(_rise(days, trending_hours).alias(_RISE)).collect()
    return Popularity.of(
        dict(counted.filter(pl.col(_LIKED) > 0).select(Col.VIDEO_ID, _LIKED).iter_rows()),
        exposures=dict(counted.select(Col.VIDEO_ID, _SHOWN).iter_rows()),
        rises=dict(counted.filter(pl.col(_RISE) > 0).select(Col.VIDEO_ID, _RISE).iter_rows()),
    )


def _rise(days: float, hours: float) -> pl.Expr:
    """By how much the recent likes of a video exceed those to be expected; 0 where too few are recent."""
    before = days * 24 - hours
    if before <= 0:  # there is nothing to hold them against
        return pl.lit(0.0)
    expected = (pl.col(_LIKED) - pl.col(_RECENT)) * hours / before
    return (
        pl.when(pl.col(_RECENT) >= _FEWEST).then((pl.col(_RECENT) - expected) / (expected + 1).sqrt()).otherwise(0)
    )


def _is_positive(config: EventsConfig) -> pl.Expr:
    """The training's definition of a positive interaction."""
    watched = pl.col(Col.WATCH_RATIO).fill_null(0) >= config.positive_watch_ratio
    turned_away = pl.col(Action.SKIP) | pl.col(Action.HIDE)
    acted = pl.any_horizontal(pl.lit(False), *config.positive)
    return (watched & ~turned_away) | (acted & ~pl.col(Action.HIDE))
