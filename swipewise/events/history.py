"""Closed history: a Delta Lake table partitioned by day. Each append is one atomic commit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray

from swipewise.errors import StoreError
from swipewise.events.frames import EVENT_SCHEMA, no_events
from swipewise.events.id_hashes import IdHashes
from swipewise.events.syncing import sync_files
from swipewise.schema import Col

HISTORY_NAME: Final = "history"
SCHEMA_VERSION: Final = 1
_LOG: Final = "_delta_log"
_ROWS_A_GROUP: Final = 131_072
"""Sorted by viewer as they are, a reader of some viewers skips all but a few groups of this size."""

_HASHED_AT_ONCE: Final = 16_384  # other threads get their turn in between

# Delta refuses table properties it does not know; an application's transaction number is its place for a version
# that is written in the same commit as the data.
_SCHEMA_KEY: Final = "swipewise-schema"

_Found = TypeVar("_Found")


class History:
    """The history under an events folder; it appears with the first append."""

    def __init__(self, events_dir: Path) -> None:
        self.directory = events_dir / HISTORY_NAME

    def table(self) -> DeltaTable | None:
        """The table as it is now, None if there is none yet.

        Raises:
            StoreError: It cannot be read, or a newer version wrote it.
        """
        if not (self.directory / _LOG).is_dir():
            return None
        try:
            if not DeltaTable.is_deltatable(str(self.directory)):
                return None
            table = DeltaTable(str(self.directory))
            version = table.transaction_version(_SCHEMA_KEY) or 0
        except (DeltaError, OSError) as error:
            raise StoreError(f"cannot read the event history {self.directory}: {error}") from error
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.directory} has schema {version}, this Swipewise knows up to {SCHEMA_VERSION}: "
                "upgrade Swipewise"
            )
        return table

    def scan(self, table: DeltaTable | None = None) -> pl.LazyFrame:
        """All events in long form with their ``day``, read when collected.

        Args:
            table: A version of the history; that of this call where none is given.

        Raises:
            StoreError: The table cannot be read.
        """
        table = table or self.table()
        if table is None:
            return no_events().lazy().with_columns(pl.col(Col.AT).dt.date().alias(Col.DAY))
        return pl.scan_delta(table).select(*EVENT_SCHEMA, Col.DAY)

    def files_by_day(self, table: DeltaTable | None = None) -> dict[date, list[str]]:
        """The files of each day, relative to the table's folder; a file never changes.

        Args:
            table: A version of the history; that of this call where none is given.

        Raises:
            StoreError: The table cannot be read.
        """
        table = table or self.table()
        return {} if table is None else _files_by_day(table)

    def files_of(self, table: DeltaTable) -> list[Path]:
        """All files of a version of the table."""
        return [self.directory / path for path in _files(table)]

    def unheld(self, events: pl.DataFrame, table: DeltaTable | None = None) -> pl.DataFrame:
        """Those of these events whose ids the history does not hold.

        Args:
            events: An event table.
            table: A version of the history; that of this call where none is given.

        Raises:
            StoreError: The table cannot be read.
        """
        table = table or self.table()
        if table is None or events.is_empty():
            return events
        held = IdHashes(self.directory).among(events[Col.EVENT_ID], _files(table))
        return events.join(held.to_frame(), on=Col.EVENT_ID, how="anti", maintain_order="left")

    def collected(self, query: Callable[[], _Found]) -> _Found:
        """What a query gives that scans the history and collects; asked again where its files went meanwhile.

        An erasure writes files anew, and takes away those that somebody may be about to read.

        Args:
            query: Begins with a scan, so that the second time it finds the new files.

        Raises:
            StoreError: The table cannot be read, or was rewritten a second time.
        """
        try:
            return query()
        except FileNotFoundError:
            pass
        try:
            return query()
        except FileNotFoundError as error:
            raise StoreError(f"the event history {self.directory} was rewritten meanwhile: try again") from error

    def append(self, events: pl.DataFrame) -> None:
        """Add events in one commit, which is on disk when this returns. The caller holds the history's lock.

        Raises:
            StoreError: The table cannot be written.
        """
        self._commit(events.with_columns(pl.col(Col.AT).dt.date().alias(Col.DAY)))

    def replace_day(self, day: date, events: pl.DataFrame) -> None:
        """Put these events in place of all those of their day, as :meth:`append` does.

        Raises:
            StoreError: The table cannot be written.
        """
        rows = events.with_columns(pl.lit(day).alias(Col.DAY))
        self._commit(rows, predicate=f"{Col.DAY} = '{day.isoformat()}'")

    def forget_versions(self) -> None:
        """Leave on disk only what the newest version needs; the caller holds the history's lock.

        Files of earlier versions and of writings that were killed go, and so do earlier commits: they quote the least
        and greatest values of the files they added. Who is reading an earlier version has to start again.

        Raises:
            StoreError: The table cannot be written.
        """
        try:
            table = self.table()
            if table is None:
                return
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
            newest = DeltaTable(str(self.directory))
            self._keep_hashes(newest)
            newest.create_checkpoint()
            log, version = self.directory / _LOG, newest.version()
            sync_files(
                [log / _commit_name(version), *log.glob(f"{version:020d}.checkpoint*"), log / "_last_checkpoint"]
            )
            for path in log.iterdir():
                number = path.name.partition(".")[0]
                if number.isdigit() and int(number) < version:
                    path.unlink()
            sync_files([log])
        except (DeltaError, OSError) as error:
            raise self._unwritten(error) from error

    def is_newest(self, version: int) -> bool:
        """Whether a version that was read is still the newest; costs microseconds."""
        log = self.directory / _LOG
        # The newest commit is always there; those before it may have been forgotten.
        return (log / _commit_name(version)).exists() and not (log / _commit_name(version + 1)).exists()

    def _commit(self, events: pl.DataFrame, predicate: str | None = None) -> None:
        """Add events, or put them in place of those that the predicate names."""
        before = self.table()
        known = set(before.file_uris()) if before else set()
        # By viewer within a day: a reader of one viewer can then skip most row groups.
        rows = events.sort(Col.DAY, Col.VIEWER_ID, Col.AT)
        try:
            self._write(rows, predicate)
        except (DeltaError, OSError) as error:
            raise self._unwritten(error) from error
        after = self.table()
        assert after is not None
        _sync([Path(uri) for uri in after.file_uris() if uri not in known], self.directory, after.version())
        self._keep_hashes(after)

    def _unwritten(self, error: Exception) -> StoreError:
        return StoreError(
            f"cannot write the event history {self.directory}: {error} (check the disk's free space and the folder's "
            "permissions; what was stored before is there)"
        )

    def _keep_hashes(self, table: DeltaTable) -> None:
        IdHashes(self.directory).keep(_files(table))

    def _write(self, rows: pl.DataFrame, predicate: str | None) -> None:
        place = str(self.directory)
        # Hardly two events have the same time, but a viewer's follow one another: steps between them are small.
        steps = ColumnProperties(dictionary_enabled=False, encoding="DELTA_BINARY_PACKED")
        packed = WriterProperties(
            compression="ZSTD", max_row_group_size=_ROWS_A_GROUP, column_properties={Col.AT: steps}
        )
        facts = CommitProperties(app_transactions=[Transaction(_SCHEMA_KEY, SCHEMA_VERSION)])
        if predicate is None:
            write_deltalake(
                place,
                rows,
                mode="append",
                partition_by=[Col.DAY],
                writer_properties=packed,
                commit_properties=facts,
            )
        else:
            write_deltalake(
                place,
                rows,
                mode="overwrite",
                predicate=predicate,
                partition_by=[Col.DAY],
                writer_properties=packed,
                commit_properties=facts,
            )


def _files(table: DeltaTable) -> list[str]:
    return [path for paths in _files_by_day(table).values() for path in paths]


def _files_by_day(table: DeltaTable) -> dict[date, list[str]]:
    files: dict[date, list[str]] = {}
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    for path, day in actions.select("path", f"partition.{Col.DAY}").iter_rows():
        files.setdefault(day, []).append(path)
    return files


def _sync(files: list[Path], directory: Path, version: int) -> None:
    """Have the system write a commit to disk; compaction deletes from the live log only after that."""
    log = directory / _LOG
    folders = {file.parent for file in files} | {log, directory, directory.parent}
    sync_files([*files, log / _commit_name(version), *folders])


def _commit_name(version: int) -> str:
    return f"{version:020d}.json"


class HistoryIds:
    """Which event ids the history holds around given days, kept in memory as 8 bytes an event.

    A client that sends an event again may stamp it anew, so the days around the event's own are looked at as well.
    An id that comes back from further off is let in here; readers and compaction, which look everywhere, drop it.
    """

    _MARGIN = timedelta(days=7)

    def __init__(self, history: History) -> None:
        self._history = history
        self._version: int | None = None
        self._files: dict[date, list[str]] = {}
        self._hashes: dict[date, tuple[list[str], NDArray[np.int64]]] = {}

    def known(self, event_ids: Collection[str], days: Collection[date]) -> set[str]:
        """Those of ``event_ids`` that lie in the history within a week of any of ``days``.

        Raises:
            StoreError: The history cannot be read.
        """
        return self._history.collected(lambda: self._known(event_ids, days))

    def prepare(self, days: Collection[date]) -> None:
        """Read what :meth:`known` will need, so that it need not be read while a lock is held.

        Raises:
            StoreError: The history cannot be read.
        """
        self._history.collected(lambda: [self._hashes_of(day) for day in self._near(days)])

    def _near(self, days: Collection[date]) -> list[date]:
        """The days of the history within a week of any of some days."""
        self._refresh()
        return [day for day in self._files if any(abs(day - other) <= self._MARGIN for other in days)]

    def _known(self, event_ids: Collection[str], days: Collection[date]) -> set[str]:
        near = self._near(days)
        if not near or not event_ids:
            return set()
        # In order, as a search for one after the other then stays in the processor's cache.
        hashes = np.sort(_hashed(event_ids))
        found: set[str] = set()
        for day in near:
            if _contains(self._hashes_of(day), hashes).any():
                named = pl.col(Col.EVENT_ID).is_in(pl.Series(list(event_ids), dtype=pl.String).implode())
                rows = pl.scan_parquet(self._files[day]).filter(named)
                found |= set(rows.select(Col.EVENT_ID).collect()[Col.EVENT_ID])
        return found

    def _refresh(self) -> None:
        """Learn of new commits; looking for the next commit's file costs microseconds when there is none."""
        if self._version is not None and self._history.is_newest(self._version):
            return
        table = self._history.table()
        if table is None:
            return
        self._files = {
            day: [str(self._history.directory / path) for path in paths]
            for day, paths in _files_by_day(table).items()
        }
        self._version = table.version()

    def _hashes_of(self, day: date) -> NDArray[np.int64]:
        files = self._files[day]
        if day not in self._hashes or self._hashes[day][0] != files:
            ids = pl.scan_parquet(files).select(Col.EVENT_ID).collect()
            parts = [_hashed(part[Col.EVENT_ID].to_list()) for part in ids.iter_slices(_HASHED_AT_ONCE)]
            self._hashes[day] = (files, np.sort(np.concatenate(parts)))
        return self._hashes[day][1]


def _hashed(ids: Collection[str]) -> NDArray[np.int64]:
    """8 bytes for each, in this process.

    By Python, as polars hands even the fewest to threads of its own: on a busy machine a writer would wait for these
    many times as long as the work takes.
    """
    return np.fromiter(map(hash, ids), np.int64, len(ids))


def _contains(sorted_H: NDArray[np.int64], values_N: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Legend: H = hashes held (at least one), N = hashes asked for; the answer is (N,)."""
    places_N = np.minimum(np.searchsorted(sorted_H, values_N), len(sorted_H) - 1)
    return np.equal(sorted_H[places_N], values_N)
