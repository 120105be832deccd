"""What happens when: events counted by minute, hour, day or week."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from swipewise.schema import Action, Col

EVERY: Final = {"minute": "1m", "hour": "1h", "day": "1d", "week": "1w"}
"""The lengths that time is cut into, in UTC; weeks begin on Mondays."""


def activity(
    events: pl.LazyFrame, *, every: str, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """Count events.

    Args:
        events: viewer_id, action and at, as ``read_events`` gives them.
        every: One of EVERY.
        since: Only from this moment on.
        until: Only before this moment.

    Returns:
        at (the beginning), events, and a column for each of ``Action``; a row also where nothing happened between
        the first event and the last.
    """
    at, length = pl.col(Col.AT), EVERY[every]
    wanted = [*([] if since is None else [at >= since]), *([] if until is None else [at < until])]
    counted = (
        events.filter(*wanted)
        .group_by(at.dt.truncate(length), Col.ACTION)
        .agg(pl.len().alias(Col.EVENTS))
        .collect(engine="streaming")
    )
    counts = [pl.col(Col.EVENTS).filter(pl.col(Col.ACTION) == action).sum().alias(action) for action in Action]
    table = counted.group_by(Col.AT).agg(pl.col(Col.EVENTS).sum(), *counts).sort(Col.AT)
    if table.is_empty():
        return table
    whole = pl.datetime_range(table[Col.AT][0], table[Col.AT][-1], length, time_zone="UTC", eager=True)
    return whole.alias(Col.AT).to_frame().join(table, on=Col.AT, how="left").fill_null(0).sort(Col.AT)
