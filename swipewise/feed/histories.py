"""Viewers' histories as a feed needs them: as of this moment, in a few milliseconds.

What a viewer did on closed days lies in many files and changes rarely, so it is kept in memory; what is in the
live log is read at every request.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

import polars as pl
import sqlalchemy as sa

from swipewise.events import fold
from swipewise.events.controls import Controls, read_controls
from swipewise.events.database import EVENTS, Database
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.live import read_profile
from swipewise.events.reading import as_frame, as_interactions
from swipewise.schema import Col, Interaction, Profile

_VIEWERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the stores hold of a viewer: all events in long form, the profile, and what was asked of the feed."""

    events: pl.DataFrame
    profile: Profile | None
    controls: Controls | None

    @property
    def counted(self) -> pl.DataFrame:
        """The events that count for the viewer's feed."""
        return self.events if self.controls is None else self.controls.that_count(self.events)


class ViewerHistories:
    """Reads one viewer's interactions; the fast twin of ``events.viewer_interactions``. Threads may share it."""

    def __init__(self, events_dir: Path, *, viewers: int = _VIEWERS) -> None:
        self._database = Database(events_dir)
        self._history = History(events_dir)
        self._viewers = viewers
        self._lock = Lock()
        self._version = -1
        self._closed: OrderedDict[str, pl.DataFrame] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the live log's file."""
        self._database.close()

    def read(self, viewer_id: str, durations: pl.DataFrame) -> list[Interaction]:
        """All interactions of a viewer in time order, including every event acknowledged before this call.

        Args:
            viewer_id: Anybody; one who is not known has no interactions.
            durations: video_id and duration_seconds.

        Raises:
            StoreError: A store cannot be read.
        """
        return self.folded(self.known(viewer_id).events, durations)

    def known(self, viewer_id: str) -> Known:
        """What the stores hold of a viewer, as of one moment, including every event acknowledged before this call.

        Raises:
            StoreError: A store cannot be read.
        """
        # In this order: compaction writes events to the history before it deletes them here, so one on its way is
        # found in at least one of the two.
        with self._database.read() as connection:
            live = _live_events(connection, viewer_id)
            profile, controls = read_profile(connection, viewer_id), read_controls(connection, viewer_id)
        closed = self._closed_events(viewer_id)
        events = pl.concat([closed, live]).unique(Col.EVENT_ID, keep="first", maintain_order=True)
        return Known(events=events, profile=profile, controls=controls)

    @staticmethod
    def folded(events: pl.DataFrame, durations: pl.DataFrame) -> list[Interaction]:
        """Events as interactions in time order."""
        if events.is_empty():
            return []
        return as_interactions(fold(events.lazy(), durations.lazy()).collect())

    def _closed_events(self, viewer_id: str) -> pl.DataFrame:
        version = self._current_version()
        with self._lock:
            if viewer_id in self._closed:
                self._closed.move_to_end(viewer_id)
                return self._closed[viewer_id]
        found = self._history.collected(lambda: self._scanned(viewer_id))
        with self._lock:
            # What was read is at least as new as `version`; it may be kept only while nothing newer is known.
            if version == self._version:
                self._closed[viewer_id] = found
                while len(self._closed) > self._viewers:
                    self._closed.popitem(last=False)
        return found

    def _scanned(self, viewer_id: str) -> pl.DataFrame:
        return self._history.scan().filter(pl.col(Col.VIEWER_ID) == viewer_id).select(*EVENT_SCHEMA).collect()

    def _current_version(self) -> int:
        """The history's newest commit; a new one empties what is kept. Two looks for files when there is none."""
        if self._history.is_newest(self._version):
            return self._version
        table = self._history.table()
        with self._lock:
            if table is not None and table.version() > self._version:
                self._version = table.version()
                self._closed.clear()
            return self._version


def _live_events(connection: sa.Connection, viewer_id: str) -> pl.DataFrame:
    columns = [EVENTS.c[name] for name in EVENT_SCHEMA]
    statement = sa.select(*columns).where(EVENTS.c[Col.VIEWER_ID] == viewer_id).order_by(EVENTS.c.seq)
    return as_frame(connection.execute(statement).all())
