"""Counting what is popular in the event log."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from swipewise.config import EventsConfig
from swipewise.events import fold
from swipewise.feed.popularity import Popularity
from swipewise.schema import Action, Col


def count_popularity(
    events: pl.LazyFrame, durations: pl.LazyFrame, *, now: datetime, days: float, positive: EventsConfig
) -> Popularity:
    """Count the viewers who liked each video in the last ``days`` days.

    The days end at ``now``, or at the newest event where nothing has happened since: the popularity of a log
    that ends in the past is that of its last days. Events dated later than ``now`` do not count.

    Args:
        events: The event log in long form.
        durations: video_id and duration_seconds.
        now: Timezone-aware.
        days: Length of the window.
        positive: What counts as liking.
    """
    past = events.filter(pl.col(Col.AT) <= now)
    window = pl.col(Col.AT) >= now - timedelta(days=days)
    newest = past.filter(window).select(pl.col(Col.AT).max()).collect().item()
    if newest is None:
        newest = past.select(pl.col(Col.AT).max()).collect().item()
        if newest is None:
            return Popularity()
        window = pl.col(Col.AT) >= newest - timedelta(days=days)
    liked = fold(past.filter(window), durations).filter(_is_positive(positive))
    pairs = liked.select(Col.VIEWER_ID, Col.VIDEO_ID).unique()
    counts = pairs.group_by(Col.VIDEO_ID).len("viewers").collect()
    return Popularity.of(dict(counts.iter_rows()))


def _is_positive(config: EventsConfig) -> pl.Expr:
    """The training's definition of a positive interaction."""
    watched = pl.col(Col.WATCH_RATIO).fill_null(0) >= config.positive_watch_ratio
    turned_away = pl.col(Action.SKIP) | pl.col(Action.HIDE)
    acted = pl.any_horizontal(pl.lit(False), *config.positive)
    return (watched & ~turned_away) | (acted & ~pl.col(Action.HIDE))
