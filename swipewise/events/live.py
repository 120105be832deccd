"""The event log's writing side: what a viewer does is on disk before it is acknowledged, and counts once."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from swipewise.errors import DataError
from swipewise.events.database import EVENTS, FEATURES, PROFILES, Database
from swipewise.events.history import History, HistoryIds
from swipewise.schema import Col, Event, Profile

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FEATURE_TYPES = "a string, a number, true or false, or a list of these"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of the events handed over."""

    added: int
    duplicates: int


class EventLog:
    """The live log and the viewers' profiles, open for writing; several processes may have it open."""

    def __init__(self, database: Database, history: History) -> None:
        self._database = database
        self._history_ids = HistoryIds(history)

    @classmethod
    def open(cls, events_dir: Path) -> EventLog:
        """Open the log in this folder, making or migrating it as needed.

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

        Raises:
            DataError: An event breaks a rule (empty id, time without zone, negative watch time); none is stored.
            StoreError: The log cannot be written.
        """
        rows = [_row(event) for event in events]
        if not rows:
            return Appended(added=0, duplicates=0)
        days = {_day(row[Col.AT]) for row in rows}
        with self._database.write() as connection:
            # Looked up under the write lock: compaction commits to the history first and needs this lock to
            # delete, so an event is always found in one of the two.
            known = self._history_ids.known({row[Col.EVENT_ID] for row in rows}, days)
            fresh = [row for row in rows if row[Col.EVENT_ID] not in known]
            added = 0
            if fresh:
                statement = insert(EVENTS).on_conflict_do_nothing(index_elements=[Col.EVENT_ID])
                added = connection.execute(statement, fresh).rowcount
        return Appended(added=added, duplicates=len(rows) - added)

    def put_profiles(self, profiles: Sequence[Profile]) -> int:
        """Store profiles in place of the viewers' earlier ones; all are on disk when this returns.

        Returns:
            How many are new or differ from what was there.

        Raises:
            DataError: A viewer id is empty or a feature is not text, number, bool or list; none is stored.
            StoreError: The store cannot be written.
        """
        now = time.time_ns() // 1000
        rows = [
            {Col.VIEWER_ID: profile.viewer_id, FEATURES: features_json(profile), Col.UPDATED_AT: now}
            for profile in profiles
        ]
        if not rows:
            return 0
        statement = insert(PROFILES)
        statement = statement.on_conflict_do_update(
            index_elements=[Col.VIEWER_ID],
            set_={FEATURES: statement.excluded[FEATURES], Col.UPDATED_AT: statement.excluded[Col.UPDATED_AT]},
            where=PROFILES.c[FEATURES] != statement.excluded[FEATURES],
        )
        with self._database.write() as connection:
            return connection.execute(statement, rows).rowcount

    def profile(self, viewer_id: str) -> Profile | None:
        """A viewer's profile, None where there is none.

        Raises:
            StoreError: The store cannot be read.
        """
        statement = sa.select(PROFILES.c[FEATURES]).where(PROFILES.c[Col.VIEWER_ID] == viewer_id)
        with self._database.read() as connection:
            features = connection.scalar(statement)
        return None if features is None else Profile(viewer_id=viewer_id, features=json.loads(features))


def microseconds(moment: datetime) -> int:
    """A timezone-aware time as microseconds since 1970 UTC, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (moment - EPOCH) // _MICROSECOND


def features_json(profile: Profile) -> str:
    """A profile's features as they are stored; equal features give equal text.

    Raises:
        DataError: The viewer id is empty, or a feature is not text, number, bool or a list of these.
    """
    if fault := id_fault(profile.viewer_id):
        raise DataError(f"profile of viewer {profile.viewer_id!r}: viewer_id {fault}")
    for name, value in profile.features.items():
        if not _is_feature(value):
            raise DataError(
                f"profile of viewer {profile.viewer_id!r}: {name} = {value!r} must be {_FEATURE_TYPES}"
            )
    return json.dumps(profile.features, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def id_fault(value: str) -> str | None:
    """What keeps a text from being an id, None if nothing does.

    >>> id_fault("ann"), id_fault(" "), id_fault("a\\nb")
    (None, 'is empty', 'holds a control character')
    """
    if not value.strip():
        return "is empty"
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        return "holds a control character"
    if any(0xD800 <= ord(char) < 0xE000 for char in value):
        return "is not valid Unicode"
    return None


def _is_feature(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_scalar(item) for item in value)
    return value is None or _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _row(event: Event) -> dict[str, Any]:
    for fault in _faults(event):
        raise DataError(f"event {event.event_id!r}: {fault}")
    return {
        Col.EVENT_ID: event.event_id,
        Col.VIEWER_ID: event.viewer_id,
        Col.VIDEO_ID: event.video_id,
        Col.ACTION: str(event.action),
        Col.AT: microseconds(event.at),
        Col.WATCH_SECONDS: event.watch_seconds,
        Col.POSITION: event.position,
    }


def _faults(event: Event) -> Iterable[str]:
    for name in (Col.EVENT_ID, Col.VIEWER_ID, Col.VIDEO_ID):
        if fault := id_fault(getattr(event, name)):
            yield f"{name} {fault}"
    if event.at.tzinfo is None:
        yield f"at = {event.at.isoformat()} has no time zone: give it in UTC"
    if event.watch_seconds is not None and not (0 <= event.watch_seconds < math.inf):
        yield f"watch_seconds = {event.watch_seconds} must be a number from 0"
    if event.position is not None and not (0 <= event.position < 2**31):
        yield f"position = {event.position} must be a whole number from 0"


def _day(moment: int) -> date:
    return (EPOCH + moment * _MICROSECOND).date()
