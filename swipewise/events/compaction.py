"""Closed days move from the live log to the history, each event exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

from swipewise.events.database import EVENTS, SEQ, Database, existing_database
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.moments import microseconds
from swipewise.events.reading import as_frame
from swipewise.schema import Col
from swipewise.workspace import Workspace

_DELETED_AT_ONCE: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What left the live log: events, and the days they belong to."""

    moved: int
    days: int


def compact(workspace: Workspace, *, now: datetime | None = None) -> Compacted:
    """Move the events of days before today (UTC) to the history in one commit.

    Killed at any moment, nothing is lost or doubled: an event is deleted from the live log only once the history
    holds it on disk, readers drop what they see in both, and the next compaction finishes the work.

    Args:
        workspace: Whose log to compact.
        now: Taken for the current time; tests set it.

    Returns:
        How many events of how many days were moved.

    Raises:
        WorkspaceError: An import or compaction is running.
        StoreError: A store cannot be read or written.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with workspace.lock("history"), existing_database(workspace.events_dir) as database:
        if database is None:
            return Compacted(moved=0, days=0)
        last, events = _closed(database, microseconds(today))
        if events.is_empty():
            return Compacted(moved=0, days=0)
        history = History(workspace.events_dir)
        # What an interrupted compaction has moved already, or an import has brought since, is held.
        fresh = history.unheld(events)
        if not fresh.is_empty():
            history.append(fresh)
        _delete(database, microseconds(today), last)
    return Compacted(moved=len(events), days=events[Col.AT].dt.date().n_unique())


def _closed(database: Database, before: int) -> tuple[int, pl.DataFrame]:
    """The events before a moment, and the last number among them: what comes later has a higher one."""
    columns = [EVENTS.c[SEQ], *(EVENTS.c[name] for name in EVENT_SCHEMA)]
    statement = sa.select(*columns).where(EVENTS.c[Col.AT] < before).order_by(EVENTS.c[SEQ])
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return (rows[-1][0] if rows else 0), as_frame([row[1:] for row in rows])


def _delete(database: Database, before: int, last: int) -> None:
    """Delete in several transactions, so that appends need not wait for all of it."""
    seq = EVENTS.c[SEQ]
    closed = (EVENTS.c[Col.AT] < before) & (seq <= last)
    part = sa.select(seq).where(closed).order_by(seq).limit(_DELETED_AT_ONCE).scalar_subquery()
    deleted = _DELETED_AT_ONCE
    while deleted == _DELETED_AT_ONCE:
        with database.write() as connection:
            deleted = connection.execute(sa.delete(EVENTS).where(seq.in_(part))).rowcount
