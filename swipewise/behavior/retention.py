"""Retention: of those who came first in a day or week, how many came again."""

from __future__ import annotations

from typing import Final

import polars as pl

from swipewise.behavior.activity import EVERY
from swipewise.schema import Col

KINDS: Final = ("classic", "rolling")
"""Active in that very period; or in that period or any later one."""


def retention(days: pl.LazyFrame, *, every: str = "day", kind: str = "classic") -> pl.DataFrame:
    """Follow cohorts of viewers by the day or week of their first event.

    Who was there before the log begins counts as new on its first day. The last period may not be over yet.

    Args:
        days: viewer_id and day, each pair once, as ``read_active_days`` gives them.
        every: "day" or "week": what a cohort and a period are.
        kind: One of KINDS.

    Returns:
        cohort (its first day), size, period (0 is the cohort's own), active and share: a row for each period up to
        that of the last event.
    """
    begun = days.with_columns(pl.col(Col.DAY).dt.truncate(EVERY[every]))
    came_in = (begun if every == "day" else begun.unique()).collect(engine="streaming")
    length = 7 if every == "week" else 1
    came = came_in.with_columns(pl.col(Col.DAY).min().over(Col.VIEWER_ID).alias(Col.COHORT)).with_columns(
        ((pl.col(Col.DAY) - pl.col(Col.COHORT)).dt.total_days() // length).alias(Col.PERIOD)
    )
    if kind == "rolling":
        came = came.group_by(Col.VIEWER_ID, Col.COHORT).agg(pl.col(Col.PERIOD).max())
    active = came.group_by(Col.COHORT, Col.PERIOD).agg(pl.len().cast(pl.Int64).alias(Col.ACTIVE))
    table = _grid(active, came_in[Col.DAY].max(), length).join(active, on=[Col.COHORT, Col.PERIOD], how="left")
    count = pl.col(Col.ACTIVE).fill_null(0).sort_by(Col.PERIOD)
    if kind == "rolling":
        # Each counted once, where they came last: those of later periods were there "by then" too.
        count = count.cum_sum(reverse=True)
    return (
        table.sort(Col.COHORT, Col.PERIOD)
        .with_columns(count.over(Col.COHORT))
        .with_columns(pl.col(Col.ACTIVE).first().over(Col.COHORT).alias(Col.SIZE))
        .select(
            Col.COHORT, Col.SIZE, Col.PERIOD, Col.ACTIVE, (pl.col(Col.ACTIVE) / pl.col(Col.SIZE)).alias(Col.SHARE)
        )
    )


def overall(table: pl.DataFrame) -> pl.DataFrame:
    """All cohorts together: period, size (viewers who could have come by then), active and share.

    Args:
        table: As ``retention`` gives it.
    """
    return (
        table.group_by(Col.PERIOD)
        .agg(pl.col(Col.SIZE, Col.ACTIVE).sum())
        .sort(Col.PERIOD)
        .with_columns((pl.col(Col.ACTIVE) / pl.col(Col.SIZE)).alias(Col.SHARE))
    )


def _grid(active: pl.DataFrame, last: object, length: int) -> pl.DataFrame:
    """Each cohort with all its periods up to the last."""
    count = (pl.lit(last, dtype=pl.Date) - pl.col(Col.COHORT)).dt.total_days() // length + 1
    return (
        active.select(pl.col(Col.COHORT).unique())
        .with_columns(pl.int_ranges(0, count).alias(Col.PERIOD))
        .explode(Col.PERIOD)
    )
