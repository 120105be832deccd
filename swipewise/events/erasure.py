"""Erases viewers from every store, whatever happens in between.

First, in one transaction: the tombstone, a line in a journal, and all that the live store holds of the viewer. Then,
under the locks of whoever writes these files: the history and the rejected rows. Last the id leaves the journal, and
the live store is written anew. What was begun is finished by whoever asks next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from swipewise.errors import DataError, StoreError, WorkspaceError
from swipewise.events.answers import ANSWERS
from swipewise.events.controls import CONTROLS
from swipewise.events.database import EVENTS, PROFILES, Database, existing_database
from swipewise.events.folded import forget_folded
from swipewise.events.history import History
from swipewise.events.moments import microseconds
from swipewise.events.reading import read_events
from swipewise.events.rules import id_fault
from swipewise.events.scrubbing import erase_from_history, erase_from_rejects
from swipewise.events.tombstones import DIGEST, UNTIL, Tombstones
from swipewise.schema import Col
from swipewise.workspace import Workspace

_JOURNAL: Final = sa.table(
    "erasures", sa.column(DIGEST, sa.Text), sa.column(Col.VIEWER_ID, sa.Text), sa.column(UNTIL, sa.BigInteger)
)
_OF_VIEWERS: Final = (EVENTS, PROFILES, CONTROLS, ANSWERS)


class _Line(NamedTuple):
    """Of the journal: what is left to do; without an id just the writing anew of the live store."""

    digest: str
    viewer_id: str | None
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What became of a viewer.

    events: how many of theirs were found. pending: why files still hold some of it, be it files of the live store;
    None once nothing does.
    """

    events: int
    pending: str | None


def erase_viewer(
    workspace: Workspace, viewer_id: str, *, now: datetime | None = None, wait: float = 0.0
) -> Erasure:
    """Erase everything about a viewer. Doing it again is harmless, and does what was left to do.

    From when this returns feeds know nothing of what the live store held. Events that come later count as those of a
    new viewer; earlier ones, such as those of old logs, are not taken again.

    Args:
        workspace: Whose stores.
        viewer_id: Anybody; need not be known.
        now: Taken for the current time; tests set it.
        wait: Seconds to wait for an import or compaction that is running.

    Returns:
        What was erased.

    Raises:
        DataError: The id is not one.
        StoreError: A store cannot be read or written.
    """
    if fault := id_fault(viewer_id):
        raise DataError(f"viewer_id {fault}")
    database = Database(workspace.events_dir)
    try:
        events = _begin(workspace, database, viewer_id, now or datetime.now(UTC))
    finally:
        database.close()
    return Erasure(events=events, pending=finish_erasures(workspace, wait=wait))


def finish_erasures(workspace: Workspace, *, wait: float = 0.0) -> str | None:
    """Do what is left to do of all erasures.

    Args:
        workspace: Where.
        wait: Seconds to wait for whoever writes the history.

    Returns:
        Why it cannot be done now, None when nothing is left.

    Raises:
        StoreError: A store cannot be read or written.
    """
    with existing_database(workspace.events_dir) as database:
        if database is None:
            return None
        try:
            if _named(_pending(database)):
                with workspace.lock("history", wait=wait), workspace.lock("viewers", wait=wait):
                    _finish_files(workspace, database)
        except WorkspaceError as error:
            return str(error)
        return _finish_store(database)


def _begin(workspace: Workspace, database: Database, viewer_id: str, now: datetime) -> int:
    """Erase the viewer from the live store and note what is left to do; returns how many events there were."""
    found = History(workspace.events_dir).collected(
        lambda: read_events(workspace.events_dir, viewer_id).select(pl.len(), pl.col(Col.AT).max()).collect()
    )
    events, newest = found.row(0)
    tombstones = Tombstones()
    with database.write() as connection:
        latest = [
            sa.select(sa.func.max(table.c[Col.AT])).where(table.c[Col.VIEWER_ID] == viewer_id)
            for table in (EVENTS, ANSWERS)
        ]
        # Clocks may be ahead: whatever was known by now is gone.
        known = [*map(connection.scalar, latest), None if newest is None else microseconds(newest)]
        earlier = tombstones.until(connection, [viewer_id]).get(viewer_id)
        until = max(moment for moment in (microseconds(now), earlier, *known) if moment is not None)
        digest = tombstones.put(connection, viewer_id, until)
        connection.execute(sa.delete(_JOURNAL).where(_JOURNAL.c[DIGEST] == digest))
        connection.execute(sa.insert(_JOURNAL).values({DIGEST: digest, Col.VIEWER_ID: viewer_id, UNTIL: until}))
        for table in _OF_VIEWERS:
            connection.execute(sa.delete(table).where(table.c[Col.VIEWER_ID] == viewer_id))
    return int(events)


def _pending(database: Database) -> list[_Line]:
    with database.read() as connection:
        return [_Line(*row) for row in connection.execute(sa.select(*_JOURNAL.c))]


def _named(pending: Sequence[_Line]) -> dict[str, int]:
    """Whom files may still hold, and until when."""
    return {line.viewer_id: line.until for line in pending if line.viewer_id is not None}


def _finish_files(workspace: Workspace, database: Database) -> None:
    """Take the viewers out of files, then their ids out of the journal; the caller holds the files' locks."""
    named = _named(pending := _pending(database))
    if not named:
        return
    erase_from_history(History(workspace.events_dir), named)
    forget_folded(workspace)
    erase_from_rejects(workspace.events_dir, named)
    with database.write() as connection:
        for line in pending:
            # Unless it was asked for again meanwhile.
            mine = (_JOURNAL.c[DIGEST] == line.digest) & (_JOURNAL.c[UNTIL] == line.until)
            connection.execute(sa.update(_JOURNAL).where(mine).values({Col.VIEWER_ID: None}))


def _finish_store(database: Database) -> str | None:
    """Write the live store anew without the ids that were in it; why that cannot be done now, None once it is.

    Only when no journal holds the ids any more. Killed before it is done, the nameless lines ask for it again.
    """
    nameless = [line.digest for line in _pending(database) if line.viewer_id is None]
    if not nameless:
        return None
    try:
        database.scrub([*_OF_VIEWERS, _JOURNAL])
    except StoreError as error:
        return str(error)
    with database.write() as connection:
        done = _JOURNAL.c[DIGEST].in_(nameless)
        connection.execute(sa.delete(_JOURNAL).where(done & _JOURNAL.c[Col.VIEWER_ID].is_(None)))
    return None
