"""One Lance dataset as a table with a key: created when first written, migrated when opened, compacted when due.

Lance gives atomic commits and snapshots: a reader keeps the version it opened whatever is written meanwhile. It
must never be used in a process made by fork.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import polars as pl
import pyarrow as pa

from swipewise.errors import StoreError

Migration = Callable[[Any], None]
"""Changes a ``lance.LanceDataset`` by one version. May run twice if the process dies halfway, so must bear it."""

_VERSION_KEY = "swipewise.schema_version"
_FRAGMENTS = 16
# Fragments of this size are left alone from then on, so that filling a large catalogue never rewrites it all. As many
# commits of 64 rows as are merged at once make one, so that a row is merged once; merging takes memory by its size.
_ROWS_A_FRAGMENT = 1024
_ROWS_MERGED_AT_ONCE = 128
_ROWS_A_FILE = 1_048_576
# A reader works on one version for the length of one read; older versions than this have none.
_KEEP_VERSIONS = timedelta(hours=1)


class Table:
    """A Lance dataset whose rows are known by ``key``.

    Args:
        path: Folder of the dataset; it appears with the first write.
        key: The column that upserts match on.
        schema: Columns of a new dataset, at the newest schema version.
        migrations: From version n to n + 1, oldest first; appended to, never changed.
    """

    def __init__(self, path: Path, *, key: str, schema: pa.Schema, migrations: tuple[Migration, ...] = ()) -> None:
        self.path = path
        self._key = key
        self._schema = schema
        self._migrations = migrations

    def open(self) -> Any:
        """The newest version of the dataset (``lance.LanceDataset``), or None before the first write.

        Raises:
            StoreError: It cannot be read, or a newer Swipewise wrote it.
        """
        if not (self.path / "_versions").is_dir():
            return None
        with self.errors("open"):
            dataset = lance.dataset(self.path)
            return self._migrated(dataset)

    def open_or_create(self) -> Any:
        """The newest version of the dataset, created empty if there is none.

        Raises:
            StoreError: It cannot be read or written.
        """
        dataset = self.open()
        if dataset is not None:
            return dataset
        with self.errors("create"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            newest = {_VERSION_KEY: str(len(self._migrations) + 1)}
            return lance.write_dataset(self._schema.with_metadata(newest).empty_table(), self.path)

    def read(self, columns: Sequence[str], where: str | None = None) -> pl.DataFrame:
        """These columns, of the rows to which a filter applies.

        Raises:
            StoreError: It cannot be read.
        """
        dataset = self.open()
        with self.errors("read"):
            if dataset is None:
                found = self._schema.empty_table().select(columns)
            else:
                found = dataset.to_table(columns=list(columns), filter=where)
        frame = pl.from_arrow(found)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def fill(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Write all rows of a table that is empty so far in one atomic commit; the batches are taken one at a time.

        Args:
            schema: Columns of the rows: those of the table, then further ones.
            batches: The rows; no key twice.

        Raises:
            StoreError: The dataset has rows already, or cannot be written.
        """
        if self.open_or_create().count_rows():
            raise StoreError(f"{self.path} holds rows already: only an empty dataset can be filled at once")
        newest = {_VERSION_KEY: str(len(self._migrations) + 1)}
        whole = schema.with_metadata(newest)
        with self.errors("write to"):
            reader = pa.RecordBatchReader.from_batches(whole, (batch.cast(whole) for batch in batches))
            lance.write_dataset(reader, self.path, mode="overwrite", max_rows_per_file=_ROWS_A_FILE)

    def upsert(self, rows: pa.Table) -> None:
        """Write rows in one atomic commit: those whose key is known replace what is there.

        Raises:
            StoreError: They cannot be written; what was stored stays as it was.
        """
        dataset = self.open_or_create()
        with self.errors("write to"):
            merge = dataset.merge_insert(self._key).when_matched_update_all().when_not_matched_insert_all()
            merge.execute(rows)
        self._compact_when_due()

    def update(self, rows: pa.Table) -> None:
        """Change some columns of rows in one atomic commit: those of ``rows``, which has the key among them.

        Keys that are not there are left out.

        Raises:
            StoreError: They cannot be written; what was stored stays as it was.
        """
        dataset = self.open()
        wanted = is_one_of(self._key, rows[self._key].to_pylist())
        if dataset is None or wanted is None:
            return
        with self.errors("write to"):
            # Whole rows: to merge some columns Lance would read all of the table, vectors included.
            whole = _overlaid(dataset.to_table(filter=wanted), rows, self._key)
            dataset.merge_insert(self._key).when_matched_update_all().execute(whole)
        self._compact_when_due()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the rows with these keys; unknown keys are no error.

        Raises:
            StoreError: The dataset cannot be written.
        """
        dataset = self.open()
        wanted = is_one_of(self._key, keys)
        if dataset is not None and wanted is not None:
            with self.errors("write to"):
                dataset.delete(wanted)

    def compact(self, *, deleted_share: float = 0.0) -> None:
        """Merge small fragments, drop the files of versions that no reader can still hold.

        Args:
            deleted_share: Fragments with a larger share of deleted rows than this are rewritten without them.

        Raises:
            StoreError: The dataset cannot be written.
        """
        dataset = self.open()
        if dataset is None:
            return
        with self.errors("compact"):
            dataset.optimize.compact_files(
                target_rows_per_fragment=_ROWS_A_FRAGMENT,
                batch_size=_ROWS_MERGED_AT_ONCE,
                materialize_deletions_threshold=deleted_share,
                num_threads=1,
            )
            dataset.cleanup_old_versions(older_than=_KEEP_VERSIONS)

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn what Lance and the file system raise within the block into a StoreError that names the path."""
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            # Lance ends its messages with places in its own source, which help nobody here.
            cause = re.split(r", /?\S+\.rs:\d+", str(error))[0]
            raise StoreError(
                f"cannot {doing} {self.path}: {cause} (check the disk's free space and the folder's permissions)"
            ) from error

    def _compact_when_due(self) -> None:
        fragments = self.open().get_fragments()
        if sum(fragment.physical_rows < _ROWS_A_FRAGMENT for fragment in fragments) > _FRAGMENTS:
            # Only the small ones: rewriting every fragment in which a row has changed waits until the end.
            self.compact(deleted_share=0.1)

    def _migrated(self, dataset: Any) -> Any:
        stored = int((dataset.schema.metadata or {}).get(_VERSION_KEY.encode(), b"1"))
        known = len(self._migrations) + 1
        if stored > known:
            raise StoreError(
                f"{self.path} was written by a newer Swipewise (schema version {stored}, this one knows {known}): "
                "upgrade Swipewise"
            )
        for number in range(stored, known):
            self._migrations[number - 1](dataset)
            dataset = lance.dataset(self.path)
            dataset.update_schema_metadata({_VERSION_KEY: str(number + 1)})
        return dataset


def adding_columns(fields: Sequence[pa.Field]) -> Migration:
    """The migration of tables that were written without these columns: null in every row that is there."""

    def migrate(dataset: Any) -> None:
        if missing := [field for field in fields if field.name not in dataset.schema.names]:
            dataset.add_columns(missing)

    return migrate


def quoted(value: str) -> str:
    """A string in a filter.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def _overlaid(stored: pa.Table, rows: pa.Table, key: str) -> pa.Table:
    """Stored rows with the columns of ``rows``, which has each of their keys, in the place of their own."""
    place = {value: number for number, value in enumerate(rows[key].to_pylist())}
    new = rows.take([place[value] for value in stored[key].to_pylist()])
    for name in new.column_names:
        number = stored.schema.get_field_index(name)
        stored = stored.set_column(number, stored.schema.field(number), new[name])
    return stored


def is_one_of(column: str, values: Iterable[str]) -> str | None:
    """A filter for rows whose string column holds one of the values; None without values.

    >>> is_one_of("uri", ["a", "it's"])
    "`uri` IN ('a', 'it''s')"
    """
    listed = ", ".join(map(quoted, values))
    return f"`{column}` IN ({listed})" if listed else None
