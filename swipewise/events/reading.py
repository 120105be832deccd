"""History and live log as one: events, interactions, sequences and profiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from swipewise.events.database import EVENTS, FEATURES, PROFILES, existing_database
from swipewise.events.folding import as_sequences, fold, fold_events, with_ratio
from swipewise.events.frames import EVENT_SCHEMA, MOMENT, no_events
from swipewise.events.history import History
from swipewise.schema import FLAG_ACTIONS, Action, Col, Interaction


def read_events(events_dir: Path, viewer_id: str | None = None, video_id: str | None = None) -> pl.LazyFrame:
    """All events in long form, each event id once: history and live log as of this call.

    The live log is read at once, the history when the frame is collected; filters reach its files. An erasure may take
    these away before: reading and collecting in one ``History.collected`` meets that.

    Args:
        events_dir: The workspace's events folder; where it is missing there are no events.
        viewer_id: Only this viewer's events.
        video_id: Only events with this video.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    # Compaction writes to the history, then deletes from the live log. Read the other way round: an event on its
    # way is then seen in at least one of the two, and dropped below where it is seen in both.
    wanted = {Col.VIEWER_ID: viewer_id, Col.VIDEO_ID: video_id}
    named = {name: value for name, value in wanted.items() if value is not None}
    live = live_events(events_dir, sa.and_(sa.true(), *(EVENTS.c[name] == value for name, value in named.items())))
    history = History(events_dir)
    table = history.table()
    if table is None:
        return live.lazy()
    moved = history.scan(table).filter(*(pl.col(name) == value for name, value in named.items()))
    # Of the same version: what is moved meanwhile would be taken for held, and not be in what is scanned.
    unmoved = history.unheld(live, table)
    return pl.concat([moved.select(*EVENT_SCHEMA), unmoved.lazy()])


def read_active_days(events_dir: Path) -> pl.LazyFrame:
    """viewer_id and day (UTC) of all days on which somebody did something, each pair once.

    Args:
        events_dir: The events folder of a workspace.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    met = [Col.VIEWER_ID, Col.DAY]
    live = live_events(events_dir).lazy().with_columns(pl.col(Col.AT).dt.date().alias(Col.DAY)).select(met)
    return pl.concat([History(events_dir).scan().select(met), live]).unique()


def read_interactions(events_dir: Path, durations: pl.LazyFrame) -> pl.LazyFrame:
    """All events folded to interactions; see ``fold`` for the columns.

    Args:
        events_dir: The events folder of a workspace.
        durations: video_id and duration_seconds.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    return fold(read_events(events_dir), durations)


def read_sequences(events_dir: Path, durations: pl.LazyFrame, limit: int) -> pl.LazyFrame:
    """The last ``limit`` interactions of each viewer, one viewer a row, every other column a list in time order.

    Args:
        events_dir: The events folder of a workspace.
        durations: video_id and duration_seconds.
        limit: How many.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    return as_sequences(read_interactions(events_dir, durations), limit)


def viewer_interactions(
    events_dir: Path, viewer_id: str, durations: pl.LazyFrame, limit: int
) -> list[Interaction]:
    """The last ``limit`` interactions of one viewer in time order; empty for a viewer never seen.

    ``Interaction.actions`` holds those of FLAG_ACTIONS that happened.

    Args:
        events_dir: The events folder of a workspace.
        viewer_id: Whose.
        durations: video_id and duration_seconds.
        limit: How many.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    return as_interactions(
        History(events_dir).collected(
            lambda: fold(read_events(events_dir, viewer_id), durations).tail(limit).collect()
        )
    )


def video_interactions(events_dir: Path, video_id: str, durations: pl.LazyFrame) -> pl.LazyFrame:
    """All interactions with one video, as ``fold`` gives them with all actions, without position.

    Args:
        events_dir: The events folder of a workspace.
        video_id: Of which video.
        durations: video_id and duration_seconds.

    Raises:
        StoreError: A store cannot be read, or a newer version wrote it.
    """
    # What is the same everywhere or decides on nothing but the position is neither read nor sorted by: ids only order
    # what happened at the same moment, and of all columns they take longest to read.
    alike = (pl.lit(0, pl.Int8).alias(Col.EVENT_ID), pl.lit(0, pl.Int8).alias(Col.VIDEO_ID))
    events = read_events(events_dir, video_id=video_id).with_columns(
        *alike, pl.lit(None, pl.Int32).alias(Col.POSITION)
    )
    folded = fold_events(events, flags=tuple(Action)).with_columns(pl.lit(video_id).alias(Col.VIDEO_ID))
    return with_ratio(folded, durations).drop(Col.POSITION)


def as_interactions(rows: pl.DataFrame) -> list[Interaction]:
    """Folded rows as records, in their order."""
    return [
        Interaction(
            viewer_id=row[Col.VIEWER_ID],
            video_id=row[Col.VIDEO_ID],
            at=row[Col.AT],
            watch_seconds=row[Col.WATCH_SECONDS],
            watch_ratio=row[Col.WATCH_RATIO],
            position=row[Col.POSITION],
            actions=frozenset(Action(flag) for flag in FLAG_ACTIONS if row[flag]),
        )
        for row in rows.iter_rows(named=True)
    ]


def read_profiles(events_dir: Path) -> pl.DataFrame:
    """All profiles: viewer_id and one column a field, null where a viewer lacks it; sorted by viewer.

    A field that is a number for some viewers and text for others becomes text.

    Args:
        events_dir: The events folder of a workspace.

    Raises:
        StoreError: The store cannot be read, or a newer version wrote it.
    """
    statement = sa.select(PROFILES.c[Col.VIEWER_ID], PROFILES.c[FEATURES])
    with existing_database(events_dir) as database:
        if database is None:
            return pl.DataFrame(schema={Col.VIEWER_ID: pl.String})
        with database.read() as connection:
            # Sorted here: databases differ in how they order text.
            rows = sorted(tuple(row) for row in connection.execute(statement))
    features = [json.loads(text) for _, text in rows]
    names = dict.fromkeys(name for row in features for name in row)
    columns = [_field(name, [row.get(name) for row in features]) for name in names]
    return pl.DataFrame([pl.Series(Col.VIEWER_ID, [viewer for viewer, _ in rows], dtype=pl.String), *columns])


def live_events(events_dir: Path, where: sa.ColumnElement[bool] | None = None) -> pl.DataFrame:
    """The events of the live log in long form, in the order they arrived.

    Raises:
        StoreError: The log cannot be read, or a newer version wrote it.
    """
    statement = sa.select(*(EVENTS.c[name] for name in EVENT_SCHEMA)).order_by(EVENTS.c.seq)
    if where is not None:
        statement = statement.where(where)
    with existing_database(events_dir) as database:
        if database is None:
            return no_events()
        with database.read() as connection:
            return as_frame(connection.execute(statement).all())


def as_frame(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Rows of the live log, columns as EVENT_SCHEMA, as an event table."""
    stored = {**EVENT_SCHEMA, Col.AT: pl.Int64}
    columns = zip(*rows, strict=True) if rows else [[]] * len(stored)
    frame = pl.DataFrame(
        [pl.Series(name, list(values), dtype=stored[name]) for name, values in zip(stored, columns, strict=True)]
    )
    return frame.with_columns(pl.col(Col.AT).cast(MOMENT))


def _field(name: str, values: list[Any]) -> pl.Series:
    """One profile field as a column of one type: the values' own, else text; single values join lists."""
    kinds = {type(value) for value in values if value is not None}
    if list in kinds:
        lists = [value if value is None or isinstance(value, list) else [value] for value in values]
        return pl.Series(name, [None if v is None else [_text(x) for x in v] for v in lists], pl.List(pl.String))
    if len(kinds) == 1:
        return pl.Series(name, values)
    if kinds == {int, float}:
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
