"""The shape of event tables as they are passed between the parts of the log."""

from __future__ import annotations

from typing import Final

import polars as pl

from swipewise.schema import FLAG_ACTIONS, Col

MOMENT: Final = pl.Datetime("us", "UTC")
"""The type of every time."""

EVENT_SCHEMA: Final[dict[str, type[pl.DataType] | pl.DataType]] = {
    Col.EVENT_ID: pl.String,
    Col.VIEWER_ID: pl.String,
    Col.VIDEO_ID: pl.String,
    Col.ACTION: pl.String,
    Col.AT: MOMENT,
    Col.WATCH_SECONDS: pl.Float64,
    Col.POSITION: pl.Int32,
}
"""Events in long form, one a row, in column order."""

INTERACTION_SCHEMA: Final[dict[str, type[pl.DataType] | pl.DataType]] = {
    Col.VIEWER_ID: pl.String,
    Col.VIDEO_ID: pl.String,
    Col.AT: MOMENT,
    Col.WATCH_SECONDS: pl.Float64,
    Col.WATCH_RATIO: pl.Float64,
    Col.POSITION: pl.Int32,
    **dict.fromkeys(FLAG_ACTIONS, pl.Boolean),
}
"""Interactions, one a row, in column order."""

FOLDED_SCHEMA: Final = {name: kind for name, kind in INTERACTION_SCHEMA.items() if name != Col.WATCH_RATIO}
"""What of interactions the events alone tell: all but what follows from the length of the videos."""


def no_events() -> pl.DataFrame:
    """An event table without rows."""
    return pl.DataFrame(schema=EVENT_SCHEMA)
