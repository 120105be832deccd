"""Viewers' histories as a feed needs them: as of this moment, in a few milliseconds.

What a viewer did on closed days lies in many files and changes rarely, so it is kept in memory; what is in the
live log is read at every request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Self

import polars as pl
import sqlalchemy as sa

from swipewise.events.controls import Controls, read_controls
from swipewise.events.database import EVENTS, Database
from swipewise.events.frames import EVENT_SCHEMA, no_events
from swipewise.events.history import History
from swipewise.events.live import read_profile
from swipewise.events.one_viewer import EventRow, FoldedRows, fold_rows, rows_of
from swipewise.schema import Col, Interaction, Profile

_VIEWERS = 4096
_LIVE: Final = (
    sa.select(*(EVENTS.c[name] for name in EventRow._fields))
    .where(EVENTS.c[Col.VIEWER_ID] == sa.bindparam(Col.VIEWER_ID))
    .order_by(EVENTS.c.seq)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the stores hold of a viewer: all events, the profile, and what was asked of the feed.

    ``live`` are those of the events that lie in the live log alone; ``closed`` has all others, folded.
    """

    viewer_id: str
    events: Sequence[EventRow]
    live: Sequence[EventRow]
    closed: FoldedRows
    profile: Profile | None
    controls: Controls | None

    @property
    def counted(self) -> Sequence[EventRow]:
        """The events that count for the viewer's feed."""
        return self.events if self.controls is None else self.controls.that_count(self.events)

    def history(self, seconds_of: Callable[[str], float | None]) -> list[Interaction]:
        """The events that count as interactions in time order; ``seconds_of`` tells how long a video is, if known."""
        counted = self.counted
        if len(counted) == len(self.events):
            return self.closed.with_later(self.live, seconds_of)
        return fold_rows(self.viewer_id, counted, seconds_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closed:
    """A viewer's events of closed days, their ids, and the same folded."""

    rows: Sequence[EventRow]
    ids: frozenset[str]
    folded: FoldedRows


class ViewerHistories:
    """Reads one viewer's interactions; the fast twin of ``events.viewer_interactions``. Threads may share it."""

    def __init__(self, events_dir: Path, *, viewers: int = _VIEWERS) -> None:
        self._database = Database(events_dir)
        self._history = History(events_dir)
        self._viewers = viewers
        self._lock = Lock()
        self._version = -1
        self._files: list[Path] = []
        self._closed: OrderedDict[str, _Closed] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the live log's file."""
        self._database.close()

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
        live = [row for row in live if row.event_id not in closed.ids]
        return Known(
            viewer_id=viewer_id,
            events=[*closed.rows, *live],
            live=live,
            closed=closed.folded,
            profile=profile,
            controls=controls,
        )

    def _closed_events(self, viewer_id: str) -> _Closed:
        version, _ = self._newest()
        with self._lock:
            if viewer_id in self._closed:
                self._closed.move_to_end(viewer_id)
                return self._closed[viewer_id]
        by_id = {row.event_id: row for row in rows_of(self._history.collected(lambda: self._scanned(viewer_id)))}
        rows = tuple(by_id.values())
        found = _Closed(rows=rows, ids=frozenset(by_id), folded=FoldedRows(viewer_id, rows))
        with self._lock:
            # What was read is at least as new as `version`; it may be kept only while nothing newer is known.
            if version == self._version:
                self._closed[viewer_id] = found
                while len(self._closed) > self._viewers:
                    self._closed.popitem(last=False)
        return found

    def _scanned(self, viewer_id: str) -> pl.DataFrame:
        _, files = self._newest()
        # The files themselves: to plan a scan of the table takes as long as to read them.
        rows = pl.scan_parquet(files, hive_partitioning=False) if files else no_events().lazy()
        return rows.filter(pl.col(Col.VIEWER_ID) == viewer_id).select(*EVENT_SCHEMA).collect()

    def _newest(self) -> tuple[int, list[Path]]:
        """The history's newest commit and its files; a new one empties what is kept.

        Two looks for files when there is none.
        """
        if self._history.is_newest(self._version):
            return self._version, self._files
        table = self._history.table()
        with self._lock:
            if table is not None and table.version() > self._version:
                self._version, self._files = table.version(), self._history.files_of(table)
                self._closed.clear()
            return self._version, self._files


def _live_events(connection: sa.Connection, viewer_id: str) -> list[EventRow]:
    return [EventRow._make(row) for row in connection.execute(_LIVE, {Col.VIEWER_ID: viewer_id})]
