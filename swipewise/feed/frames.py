"""Feeds as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import polars as pl

from swipewise.feed.stages import Feed
from swipewise.schema import Col

FEED_SCHEMA: Final[dict[str, Any]] = {
    Col.VIEWER_ID: pl.String,
    Col.POSITION: pl.Int32,
    Col.VIDEO_ID: pl.String,
    Col.SCORE: pl.Float64,
    Col.SOURCE: pl.String,
    Col.PROPENSITY: pl.Float64,
    Col.LEVEL: pl.String,
}
"""The columns of recommendations, one a row."""


def as_frame(feeds: Iterable[Feed]) -> pl.DataFrame:
    """The recommendations of feeds, one a row, in the feeds' order; see FEED_SCHEMA."""
    rows = [
        (
            feed.viewer_id,
            each.position,
            each.video_id,
            float(each.score),
            each.source,
            float(each.propensity),
            str(feed.level),
        )
        for feed in feeds
        for each in feed.recommendations
    ]
    return pl.DataFrame(rows, schema=FEED_SCHEMA, orient="row")
