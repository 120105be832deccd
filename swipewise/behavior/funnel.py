"""The funnel: of how many exposures came a view, of how many a like."""

from __future__ import annotations

from typing import Final

import polars as pl

from swipewise.behavior.activity import EVERY
from swipewise.schema import Action, Col

STEPS: Final = (
    Action.EXPOSURE,
    Action.VIEW,
    Action.FINISH,
    Action.LIKE,
    Action.COMMENT,
    Action.SHARE,
    Action.FOLLOW,
)
"""From being shown to wanting more of it."""


def funnel(days: pl.LazyFrame) -> pl.DataFrame:
    """How many interactions reached each step.

    Args:
        days: interactions with each action, a row a day or a video, as ``Rollups`` holds them.

    Returns:
        A row a step, in the order of STEPS: step, interactions that have the action, once however often it came, and
        share, of the exposures; null where there are none.
    """
    totals = days.select(pl.col(step).sum().cast(pl.Int64) for step in STEPS).collect(engine="streaming")
    counts = pl.Series(Col.INTERACTIONS, totals.row(0) if len(totals) else [0] * len(STEPS), dtype=pl.Int64)
    here = pl.col(Col.INTERACTIONS)
    return pl.DataFrame([pl.Series(Col.STEP, list(map(str, STEPS))), counts]).with_columns(
        pl.when(here.first() > 0).then(here / here.first()).alias(Col.SHARE)
    )


def funnel_over_time(days: pl.LazyFrame, *, every: str) -> pl.DataFrame:
    """The funnel of each day or week: day (its first), interactions, and a column for each of STEPS.

    Args:
        days: As ``Rollups`` holds them; interactions count where they began.
        every: "day" or "week".
    """
    counts = [Col.INTERACTIONS, *STEPS]
    return (
        days.group_by(pl.col(Col.DAY).dt.truncate(EVERY[every]))
        .agg(pl.col(name).sum().cast(pl.Int64) for name in counts)
        .sort(Col.DAY)
        .collect(engine="streaming")
    )
