"""The event log's writing side: what a viewer does is on disk before it is acknowledged, and counts once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import sqlalchemy as sa

from swipewise.errors import DataError
from swipewise.events.controls import ViewerControls
from swipewise.events.database import EVENTS, FEATURES, PROFILES, Database
from swipewise.events.history import History, HistoryIds
from swipewise.events.moments import microseconds, microseconds_now, moment_of
from swipewise.events.rules import event_faults, features_json
from swipewise.events.tombstones import Tombstones
from swipewise.schema import Col, Event, Profile

_DAY: Final = 86_400_000_000
_COLUMNS: Final = (
    Col.EVENT_ID,
    Col.VIEWER_ID,
    Col.VIDEO_ID,
    Col.ACTION,
    Col.AT,
    Col.WATCH_SECONDS,
    Col.POSITION,
)

# Made once, as every feed reads them: to put a statement together takes longer than to run it.
_FEATURES_OF: Final = sa.select(PROFILES.c[FEATURES]).where(
    PROFILES.c[Col.VIEWER_ID] == sa.bindparam(Col.VIEWER_ID)
)

LiveRow = tuple[str, str, str, str, int, float | None, int | None]
"""An event as the live log holds it: event, viewer and video id, action, microseconds since 1970 UTC, seconds watched
and position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of the events or profiles handed over.

    duplicates: those that changed nothing. erased: of viewers who were erased, dated before that or without a date;
    they are not taken.
    """

    added: int
    duplicates: int
    erased: int = 0


class EventLog:
    """The live log, the viewers' profiles and ``controls``, open for writing; several processes may have it open."""

    def __init__(self, database: Database, history: History) -> None:
        self.controls = ViewerControls(database)
        self._database = database
        self._history_ids = HistoryIds(history)
        self._tombstones = Tombstones()

    @classmethod
    def open(cls, events_dir: Path) -> EventLog:
        """Open the log in this folder, making or migrating it as needed.

        Args:
            events_dir: The events folder of a workspace.

        Returns:
            The log, which is closed at the end of a ``with``.

        Raises:
            StoreError: It cannot be opened, or a newer version wrote it.
        """
        return cls(Database(events_dir), History(events_dir))

    def close(self) -> None:
        """Give back the file. Nothing is pending: each append was on disk when it returned."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, events: Sequence[Event]) -> Appended:
        """Store events; they are on disk when this returns. An event id that is known already counts once.

        Of a viewer who was erased only later events are taken, as those of a new viewer.

        Args:
            events: What happened.

        Returns:
            How many were new, and how many known already.

        Raises:
            DataError: An event breaks a rule (empty id, time without zone, negative watch time); none is stored.
            StoreError: The log cannot be written.
        """
        _check(events)
        return self.append_batches([[row_of(event) for event in events]])[0]

    def append_batches(self, batches: Sequence[Sequence[LiveRow]]) -> list[Appended]:
        """Store batches of events that are known to break no rule, one after the other, all in one transaction.

        Args:
            batches: Rows as the table holds them.

        Returns:
            Of each batch how many were new, and how many known already.

        Raises:
            StoreError: The log cannot be written; nothing of any batch was.
        """
        if not any(batches):
            return [Appended(added=0, duplicates=0) for _ in batches]
        self._history_ids.prepare(_days(row for rows in batches for row in rows))
        return self._database.write_again(lambda connection: [self._store(connection, rows) for rows in batches])

    def _store(self, connection: sa.Connection, rows: Sequence[LiveRow]) -> Appended:
        """Store rows, but for those that are known and those of erased viewers."""
        if not rows:
            return Appended(added=0, duplicates=0)
        # Looked up under the write lock: compaction commits to the history first and needs this lock to delete, so an
        # event is always found in one of the two.
        event_ids, viewer_ids, *_ = zip(*rows, strict=True)
        known = self._history_ids.known(set(event_ids), _days(rows))
        until = self._tombstones.until(connection, set(viewer_ids))
        allowed = [row for row in rows if row[1] not in until or row[4] > until[row[1]]] if until else rows
        fresh = [row for row in allowed if row[0] not in known] if known else allowed
        added = self._database.add_new(connection, EVENTS, _COLUMNS, fresh) if fresh else 0
        return Appended(added=added, duplicates=len(allowed) - added, erased=len(rows) - len(allowed))

    def put_profiles(self, profiles: Sequence[Profile], *, anew: bool = False) -> Appended:
        """Store profiles in place of the viewers' earlier ones; all are on disk when this returns.

        Args:
            profiles: Of those of one viewer the last one counts.
            anew: Whether they are said now, so that they also count for viewers who were erased. A profile bears no
                date: one from a file may be older than the erasure, and is left out.

        Returns:
            ``added`` counts profiles that are new or differ from what was there.

        Raises:
            DataError: A viewer id is empty or a feature is not text, number, bool or list; none is stored.
            StoreError: The store cannot be written.
        """
        now = microseconds_now()
        rows: list[dict[str, Any]] = [
            {Col.VIEWER_ID: profile.viewer_id, FEATURES: features_json(profile), Col.UPDATED_AT: now}
            for profile in profiles
        ]
        if not rows:
            return Appended(added=0, duplicates=0)
        new = self._database.insert(PROFILES)
        statement = new.on_conflict_do_update(
            index_elements=[Col.VIEWER_ID],
            set_={FEATURES: new.excluded[FEATURES], Col.UPDATED_AT: new.excluded[Col.UPDATED_AT]},
            where=PROFILES.c[FEATURES] != new.excluded[FEATURES],
        )
        with self._database.write() as connection:
            gone = {} if anew else self._tombstones.until(connection, {row[Col.VIEWER_ID] for row in rows})
            allowed = [row for row in rows if row[Col.VIEWER_ID] not in gone]
            last = list({row[Col.VIEWER_ID]: row for row in allowed}.values())
            added = connection.execute(statement, last).rowcount if last else 0
        return Appended(added=added, duplicates=len(allowed) - added, erased=len(rows) - len(allowed))

    def profile(self, viewer_id: str) -> Profile | None:
        """A viewer's profile, None where there is none.

        Args:
            viewer_id: Whose.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.read() as connection:
            return read_profile(connection, viewer_id)


def read_profile(connection: sa.Connection, viewer_id: str) -> Profile | None:
    """A viewer's profile as a transaction sees it, None where there is none."""
    features = connection.scalar(_FEATURES_OF, {Col.VIEWER_ID: viewer_id})
    return None if features is None else Profile(viewer_id=viewer_id, features=json.loads(features))


def _days(rows: Iterable[LiveRow]) -> set[date]:
    """On which events happened, in UTC."""
    return {moment_of(day * _DAY).date() for day in {row[4] // _DAY for row in rows}}


def _check(events: Sequence[Event]) -> None:
    for event in events:
        for fault in event_faults(event):
            raise DataError(f"event {event.event_id!r}: {fault}")


def row_of(event: Event) -> LiveRow:
    """An event as the live log holds it."""
    return (
        event.event_id,
        event.viewer_id,
        event.video_id,
        str(event.action),
        microseconds(event.at),
        event.watch_seconds,
        event.position,
    )
