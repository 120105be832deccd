"""The feeds that were answered, with the probability of each place, so that other policies can be judged by them.

Rows lie in the live store for some days. They are written in the background, some at a time, so that no feed waits for
the disk; those of the last second are lost where the process is killed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from swipewise.events.database import SEQ, Database, existing_database
from swipewise.events.frames import MOMENT
from swipewise.events.moments import microseconds, moment_of
from swipewise.events.tombstones import Tombstones
from swipewise.schema import Col

_DELETED_AT_ONCE: Final = 10_000

ANSWERS: Final = sa.table(
    "feed_answers",
    sa.column(SEQ, sa.BigInteger),
    sa.column(Col.REQUEST_ID, sa.Text),
    sa.column(Col.VIEWER_ID, sa.Text),
    sa.column(Col.AT, sa.BigInteger),  # microseconds since 1970 UTC
    sa.column(Col.LEVEL, sa.Text),
    sa.column(Col.POLICY, sa.Text),
    sa.column(Col.PLACES, sa.Text),  # a JSON list of [video, position, source, score, propensity]
    sa.column(Col.POOL, sa.Text),  # a JSON list of [video, score]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of an answer; ``propensity`` as in ``schema.Recommendation``."""

    video_id: str
    position: int
    source: str
    score: float
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A feed as it was answered.

    Attributes:
        request_id: Its name.
        viewer_id: Whose.
        at: When, by the server's clock.
        level: What it could lean on.
        policy: How places were drawn, None where none could be.
        places: What it held.
        pool: The videos that the first drawn place was drawn from, with their scores; later ones were drawn from the
            same without those drawn before.
    """

    request_id: str
    viewer_id: str
    at: datetime
    level: str
    policy: str | None
    places: tuple[Place, ...]
    pool: tuple[tuple[str, float], ...] = ()


ANSWER_SCHEMA: Final[dict[str, Any]] = {
    Col.REQUEST_ID: pl.String,
    Col.VIEWER_ID: pl.String,
    Col.AT: MOMENT,
    Col.LEVEL: pl.String,
    Col.POLICY: pl.String,
    Col.PLACES: pl.List(
        pl.Struct(
            {
                Col.VIDEO_ID: pl.String,
                Col.POSITION: pl.Int64,
                Col.SOURCE: pl.String,
                Col.SCORE: pl.Float64,
                Col.PROPENSITY: pl.Float64,
            }
        )
    ),
    Col.POOL: pl.List(pl.Struct({Col.VIDEO_ID: pl.String, Col.SCORE: pl.Float64})),
}


class Answers:
    """The answers in a live store, which whoever gives it closes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tombstones = Tombstones()

    def put(self, answers: Sequence[Answer]) -> None:
        """Store answers, but for those of viewers who were erased since.

        Raises:
            StoreError: The store cannot be written; none was stored.
        """
        rows = [_row(answer) for answer in answers]
        if not rows:
            return
        with self._database.write() as connection:
            until = self._tombstones.until(connection, {row[Col.VIEWER_ID] for row in rows})
            allowed = [row for row in rows if row[Col.AT] > until.get(row[Col.VIEWER_ID], row[Col.AT] - 1)]
            if allowed:
                connection.execute(sa.insert(ANSWERS), allowed)

    def expire(self, before: datetime) -> int:
        """Delete what was answered before a moment; how many there were.

        Raises:
            StoreError: The store cannot be written.
        """
        old = ANSWERS.c[Col.AT] < microseconds(before)
        part = sa.select(ANSWERS.c[SEQ]).where(old).limit(_DELETED_AT_ONCE).scalar_subquery()
        with self._database.read() as connection:
            if connection.execute(sa.select(ANSWERS.c[SEQ]).where(old).limit(1)).first() is None:
                return 0  # writers need not wait for nothing
        deleted, last = 0, _DELETED_AT_ONCE
        while last == _DELETED_AT_ONCE:
            with self._database.write() as connection:
                last = connection.execute(sa.delete(ANSWERS).where(ANSWERS.c[SEQ].in_(part))).rowcount
            deleted += last
        return deleted


def read_answers(events_dir: Path, viewer_id: str | None = None) -> pl.DataFrame:
    """The answers that are kept, columns as ANSWER_SCHEMA, in order of time; of one viewer or of all.

    Raises:
        StoreError: The store cannot be read.
    """
    statement = sa.select(*(ANSWERS.c[name] for name in ANSWER_SCHEMA)).order_by(ANSWERS.c[Col.AT], ANSWERS.c[SEQ])
    if viewer_id is not None:
        statement = statement.where(ANSWERS.c[Col.VIEWER_ID] == viewer_id)
    with existing_database(events_dir) as database:
        if database is None:
            return pl.DataFrame(schema=ANSWER_SCHEMA)
        with database.read() as connection:
            rows = [tuple(row) for row in connection.execute(statement)]
    return pl.DataFrame([_read(row) for row in rows], schema=ANSWER_SCHEMA, orient="row")


def _row(answer: Answer) -> dict[str, Any]:
    places = [
        [each.video_id, each.position, each.source, round(each.score, 6), each.propensity]
        for each in answer.places
    ]
    return {
        Col.REQUEST_ID: answer.request_id,
        Col.VIEWER_ID: answer.viewer_id,
        Col.AT: microseconds(answer.at),
        Col.LEVEL: answer.level,
        Col.POLICY: answer.policy,
        Col.PLACES: json.dumps(places),
        Col.POOL: json.dumps(answer.pool),
    }


def _read(row: Sequence[Any]) -> tuple[Any, ...]:
    request_id, viewer_id, at, level, policy, places, pool = row
    named = [
        dict(zip((Col.VIDEO_ID, Col.POSITION, Col.SOURCE, Col.SCORE, Col.PROPENSITY), place, strict=True))
        for place in json.loads(places)
    ]
    drawn_from = [dict(zip((Col.VIDEO_ID, Col.SCORE), each, strict=True)) for each in json.loads(pool)]
    return request_id, viewer_id, moment_of(at), level, policy, named, drawn_from
