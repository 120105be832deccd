"""What answered feeds could lean on, and where their videos came from, counted from the answers that are kept."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from swipewise.events.answers import ANSWERS
from swipewise.events.database import SEQ, existing_database
from swipewise.events.frames import MOMENT
from swipewise.events.moments import microseconds, moment_of
from swipewise.schema import Col

LEVEL_SCHEMA: Final[dict[str, Any]] = {Col.AT: MOMENT, Col.LEVEL: pl.String, Col.FEEDS: pl.Int64}
SOURCE_SCHEMA: Final[dict[str, Any]] = {Col.SOURCE: pl.String, Col.VIDEOS: pl.Int64}


def count_levels(events_dir: Path, since: datetime, every: timedelta) -> pl.DataFrame:
    """How many feeds were answered at each level, period by period; periods without any are left out.

    Args:
        events_dir: The workspace's events folder; where it is missing there are none.
        since: From when, timezone-aware.
        every: The length of a period.

    Returns:
        at (the beginning of the period), level and feeds, in order of time.

    Raises:
        StoreError: The store cannot be read.
    """
    at, level, step = ANSWERS.c[Col.AT], ANSWERS.c[Col.LEVEL], every // timedelta(microseconds=1)
    period = at - at % step
    statement = sa.select(period, level, sa.func.count()).where(at >= microseconds(since)).group_by(period, level)
    with existing_database(events_dir) as database:
        if database is None:
            return pl.DataFrame(schema=LEVEL_SCHEMA)
        with database.read() as connection:
            rows = [(moment_of(begins), name, count) for begins, name, count in connection.execute(statement)]
    return pl.DataFrame(rows, schema=LEVEL_SCHEMA, orient="row").sort(Col.AT, Col.LEVEL)


def first_answer(events_dir: Path, since: datetime) -> datetime | None:
    """When the first feed since a moment was answered, None where there was none.

    Raises:
        StoreError: The store cannot be read.
    """
    at = ANSWERS.c[Col.AT]
    with existing_database(events_dir) as database:
        if database is None:
            return None
        with database.read() as connection:
            found = connection.scalar(sa.select(sa.func.min(at)).where(at >= microseconds(since)))
    return None if found is None else moment_of(found)


def count_sources(events_dir: Path, latest: int) -> pl.DataFrame:
    """How many videos of the latest feeds came from each source, the most first: source and videos.

    Args:
        events_dir: The workspace's events folder.
        latest: So many feeds are looked at.

    Raises:
        StoreError: The store cannot be read.
    """
    statement = sa.select(ANSWERS.c[Col.PLACES]).order_by(ANSWERS.c[SEQ].desc()).limit(latest)
    counts: Counter[str] = Counter()
    with existing_database(events_dir) as database:
        if database is not None:
            with database.read() as connection:
                for (places,) in connection.execute(statement):
                    counts.update(source for _, _, source, *_ in json.loads(places))
    return pl.DataFrame(counts.most_common(), schema=SOURCE_SCHEMA, orient="row")
