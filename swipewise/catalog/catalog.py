"""The catalogue of one workspace.

Legend of shape suffixes: N = videos, R = rows of a matrix of vectors, D = width of a vector.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from swipewise.catalog.links import Links
from swipewise.catalog.neighbours import Neighbours
from swipewise.catalog.records import (
    AVAILABILITY_FIELDS,
    FINGERPRINT_FIELDS,
    REJECTED_SCHEMA,
    VIDEO_FIELDS,
    VIDEO_SCHEMA,
    WORD_FIELDS,
    Rejection,
    fingerprint_values,
    from_arrow,
    is_given,
    reads_words,
    split_column,
    to_arrow,
    to_row,
    to_video,
    vector_column,
    vector_type,
)
from swipewise.catalog.removal import Removals, VisibleVideos
from swipewise.catalog.table import Table, adding_columns, is_one_of, quoted
from swipewise.catalog.thumbnails import Thumbnails
from swipewise.errors import DataError, StoreError, UnknownIdError
from swipewise.schema import WORD_COLUMNS, Col, Fingerprint, Modality, Video

Vectors = Mapping[tuple[Modality, str], Sequence[NDArray[np.float32] | None]]
"""For each (modality, encoder identity) a vector (D,) a video, None where the video lacks the modality."""

BulkVectors = Mapping[tuple[Modality, str], tuple[NDArray[np.int64], NDArray[np.float32]]]
"""For each (modality, encoder identity) row_N and values_RD: video n has the vector values_RD[row_N[n]], none at -1."""

_Columns = Mapping[str, Sequence[NDArray[np.float32] | None]]
_ROWS_AT_ONCE = 8192

MIGRATIONS: Final = tuple(map(adding_columns, (FINGERPRINT_FIELDS, WORD_FIELDS, AVAILABILITY_FIELDS)))
"""From each version of the dataset of videos to the next."""


class Catalog:
    """Videos, a column of vectors per encoder, and the files that could not be taken.

    ``links`` are the near-duplicates, ``thumbnails`` small pictures, ``removals`` the videos that were taken out, and
    ``neighbours`` those alike by one encoder's vectors.

    Opening costs nothing and an empty catalogue can be read. Every read sees the newest commit, whoever wrote it;
    writers take turns by the workspace's lock.
    """

    def __init__(self, directory: Path) -> None:
        self._videos = Table(
            directory / "videos.lance",
            key=Col.VIDEO_ID,
            schema=VIDEO_SCHEMA,
            migrations=MIGRATIONS,
        )
        self._rejected = Table(directory / "rejected.lance", key=Col.URI, schema=REJECTED_SCHEMA)
        self.removals = Removals(directory)
        self._visible = VisibleVideos(self._videos, self.removals)
        self.links = Links(self._videos, self._visible)
        self.neighbours = Neighbours(self._videos, self._visible)
        self.thumbnails = Thumbnails(directory / "thumbnails")

    def videos(self, video_ids: Sequence[str] | None = None, *, words: bool = False) -> pl.DataFrame:
        """Videos ordered by id: the fields of ``schema.Video``, ``duplicate_of`` and ``ingested_at``.

        Args:
            video_ids: Which; None: every one.
            words: Whether spoken and shown words come as well, whose columns are longer than all others together. Who
                looked for them always comes.
        """
        left_out = set() if words else {column for column, _ in WORD_COLUMNS.values()}
        columns = [name for name in (*VIDEO_FIELDS, Col.DUPLICATE_OF, Col.INGESTED_AT) if name not in left_out]
        where = None if video_ids is None else is_one_of(Col.VIDEO_ID, video_ids) or "false"
        return self._visible.read(columns, where).sort(Col.VIDEO_ID)

    def page(self, limit: int, after: str | None = None) -> pl.DataFrame:
        """At most ``limit`` videos in order of id, from the first whose id comes after ``after``; as ``videos``."""
        where = None if after is None else f"`{Col.VIDEO_ID}` > {quoted(after)}"
        ids = self._visible.read([Col.VIDEO_ID], where)[Col.VIDEO_ID]
        return self.videos(ids.bottom_k(limit).to_list())

    def stamps(self) -> pl.DataFrame:
        """Of every video the id and when its row was last written: video_id, updated_at."""
        return self._visible.read([Col.VIDEO_ID, Col.UPDATED_AT])

    def delete(self, video_ids: Sequence[str]) -> None:
        """Take videos out for good, with vectors and thumbnails; unknown ids are no error.

        Args:
            video_ids: Which; unknown ones are no error.

        Raises:
            StoreError: The catalogue cannot be written.
        """
        self._videos.delete(video_ids)
        for video_id in video_ids:
            self.thumbnails.write(video_id, None)

    def rows_left(self, video_ids: Sequence[str]) -> pl.DataFrame:
        """Of removed videos id and uri of those whose row is still there.

        Args:
            video_ids: Of removed videos.
        """
        where = is_one_of(Col.VIDEO_ID, video_ids) or "false"
        return self._videos.read([Col.VIDEO_ID, Col.URI], where)

    def encoded(self) -> dict[str, frozenset[str]]:
        """For each video the columns ("visual:descriptor@1") whose encoder has looked at it, whatever it found."""
        table = self._visible.read([Col.VIDEO_ID, Col.ENCODERS])
        # A million videos share a handful of sets.
        shared: dict[tuple[str, ...], frozenset[str]] = {}
        rows = ((video_id, tuple(columns)) for video_id, columns in table.iter_rows())
        return {video_id: shared.setdefault(columns, frozenset(columns)) for video_id, columns in rows}

    def get(self, video_id: str) -> Video:
        """One video.

        Args:
            video_id: Its id.

        Raises:
            UnknownIdError: There is none with this id; the message names the nearest.
        """
        return to_video(self._row(video_id, list(VIDEO_FIELDS)))

    def uris_in_use(self, uris: Sequence[str]) -> frozenset[str]:
        """Those of some uris by which a video is known.

        Args:
            uris: Which to look for.
        """
        return frozenset(self._visible.read([Col.URI], is_one_of(Col.URI, uris) or "false")[Col.URI])

    def encoders(self) -> list[tuple[Modality, str]]:
        """The (modality, encoder identity) pairs that have a column of vectors, in order of name."""
        return [split_column(name) for name in sorted(_vector_columns(self._videos.open()))]

    def present(self) -> dict[tuple[Modality, str], int]:
        """For each (modality, encoder identity) how many videos have a vector of it."""
        return {
            split_column(name): len(self._visible.read([Col.VIDEO_ID], f"`{name}` IS NOT NULL"))
            for name in sorted(_vector_columns(self._videos.open()))
        }

    def encoders_of(self, video_id: str) -> list[tuple[Modality, str]]:
        """The pairs for which this video has a vector.

        Args:
            video_id: Its id.

        Raises:
            UnknownIdError: There is no video with this id.
        """
        columns = sorted(_vector_columns(self._videos.open()))
        row = self._row(video_id, [Col.VIDEO_ID, *columns])
        return [split_column(name) for name in columns if row[name] is not None]

    def vectors(
        self, modality: str, identity: str, among: Sequence[str] | None = None
    ) -> tuple[list[str], NDArray[np.float32]]:
        """The ids of the videos that have a vector of this encoder, and the vectors (N, D) in the same order.

        Args:
            modality: What the encoder looks at.
            identity: Which encoder.
            among: Only of videos with these ids; None: of all.

        Raises:
            StoreError: No video was encoded by it; the message names the encoders there are.
        """
        column = vector_column(modality, identity)
        dataset = self._videos.open()
        if column not in _vector_columns(dataset):
            existing = ", ".join(sorted(_vector_columns(dataset))) or "none"
            raise StoreError(f"no vectors of {column!r} in {self._videos.path}: there are {existing}")
        present = f"`{column}` IS NOT NULL"
        if among is not None:
            present += f" AND {is_one_of(Col.VIDEO_ID, among) or 'false'}"
        video_ids: list[str] = []
        with self._videos.errors("read"):
            values_ND = np.empty((dataset.count_rows(present), _dim(dataset, column)), np.float32)
            for batch in dataset.scanner(columns=[Col.VIDEO_ID, column], filter=present).to_batches():
                start = len(video_ids)
                video_ids += batch.column(Col.VIDEO_ID).to_pylist()
                flat = batch.column(column).flatten().to_numpy()
                values_ND[start : len(video_ids)] = flat.reshape(-1, values_ND.shape[1])
        kept = self._visible.among(pl.DataFrame({Col.VIDEO_ID: video_ids}).with_row_index())
        if len(kept) < len(video_ids):
            return kept[Col.VIDEO_ID].to_list(), values_ND[kept["index"].to_numpy()]
        return video_ids, values_ND

    def upsert(
        self, videos: Sequence[Video], vectors: Vectors, fingerprints: Mapping[str, Fingerprint] | None = None
    ) -> None:
        """Write videos and their vectors in one atomic commit that is on disk when this returns.

        A video that is known keeps the vectors of encoders that are not in ``vectors``, unless what they were made
        of has changed: the file for pictures and sound, the caption for text. So it does its fingerprint and its
        link, as long as the file is the same, and where no words are given those found by the same recogniser.

        Args:
            videos: No video twice.
            vectors: For each (modality, encoder identity) a vector a video.
            fingerprints: By video id, of those videos whose file was looked at.

        Raises:
            StoreError: They cannot be written, or vectors are not as wide as those of the same encoder before.
            DataError: A video stands twice in ``videos``.
        """
        if not videos:
            return
        id_, times = Counter(video.video_id for video in videos).most_common(1)[0]
        if times > 1:
            raise DataError(f"video {id_!r} is to be written {times} times in one commit: write it once")
        given = {vector_column(*encoder): list(column) for encoder, column in vectors.items()}
        dataset = self._with_columns(given)
        self._videos.upsert(self._rows(dataset, videos, given, fingerprints or {}))

    def fill(self, videos: pl.DataFrame, vectors: BulkVectors) -> None:
        """Write all videos of a catalogue that is empty so far in one atomic commit.

        Args:
            videos: The fields of ``schema.Video`` in any order, no video twice.
            vectors: For each (modality, encoder identity) the row of every video in a matrix, and the matrix.

        Raises:
            StoreError: The catalogue holds videos already, or cannot be written.
            DataError: A video stands twice in ``videos``, or its vectors are for another number of videos.
        """
        if (twice := videos[Col.VIDEO_ID].is_duplicated()).any():
            raise DataError(f"video {videos.filter(twice)[Col.VIDEO_ID][0]!r} stands in the table more than once")
        for encoder, (row_N, _) in vectors.items():
            if len(row_N) != len(videos):
                raise DataError(f"{vector_column(*encoder)} has {len(row_N)} rows for {len(videos)} videos")
        schema = VIDEO_SCHEMA
        for encoder, (_, values_RD) in vectors.items():
            schema = schema.append(pa.field(vector_column(*encoder), vector_type(values_RD.shape[1])))
        self._videos.fill(schema, _batches(videos, vectors, schema))

    def reject(self, uri: str, content_hash: str | None, reason: str) -> None:
        """Note that a file could not be taken, and why; a later note on the same uri replaces it.

        Args:
            uri: Of the file.
            content_hash: SHA-256 of its bytes, None where they could not be read.
            reason: Why it could not be taken.
        """
        self.reject_all([Rejection(uri=uri, content_hash=content_hash, reason=reason)])

    def reject_all(self, rejections: Sequence[Rejection]) -> None:
        """The same for many files in one commit; of several notes on one uri the last counts.

        Args:
            rejections: A file each.
        """
        now = datetime.now(UTC)
        rows = {
            each.uri: {
                Col.URI: each.uri,
                Col.CONTENT_HASH: each.content_hash,
                Col.REASON: each.reason,
                Col.AT: now,
            }
            for each in rejections
        }
        if rows:
            self._rejected.upsert(pa.Table.from_pylist(list(rows.values()), REJECTED_SCHEMA))

    def unreject(self, uris: Sequence[str]) -> None:
        """Take files off the rejected list, as they are in the catalogue now or no longer asked for.

        Args:
            uris: Of files that are taken, or to be tried again.
        """
        self._rejected.delete(uris)

    def rejected(self) -> pl.DataFrame:
        """The files that could not be taken, ordered by uri: uri, content_hash, reason, at."""
        return self._rejected.read(REJECTED_SCHEMA.names).sort(Col.URI)

    def version(self) -> str:
        """A fingerprint of the videos and their vectors: the same as long as none changes, cheap to ask for."""
        times = self.stamps()[Col.UPDATED_AT].dt.epoch("us")
        state = (len(times), times.max(), times.cast(pl.Int128).sum(), self.encoders())
        return hashlib.sha256(repr(state).encode()).hexdigest()[:16]

    def compact(self) -> None:
        """Merge what many small commits left behind, so that reads stay fast; readers are not disturbed."""
        self._videos.compact()
        self._rejected.compact()
        self.removals.compact()

    def _row(self, video_id: str, columns: list[str]) -> dict[str, Any]:
        found = self._visible.read(columns, is_one_of(Col.VIDEO_ID, [video_id]))
        if found.is_empty():
            raise UnknownIdError(f"no video {video_id!r} in the catalogue{self._hint(video_id)}")
        return found.row(0, named=True)

    def _hint(self, video_id: str) -> str:
        ids = self._visible.read([Col.VIDEO_ID])[Col.VIDEO_ID]
        # Comparing with every id of a large catalogue would take longer than anybody waits for a hint.
        close = get_close_matches(video_id, ids.head(50_000).to_list(), n=1, cutoff=0.5)
        if close:
            return f": did you mean {close[0]!r}?"
        return (
            ": 'swipewise videos list' shows what there is" if len(ids) else ", which is empty: add videos first"
        )

    def _rows(
        self, dataset: Any, videos: Sequence[Video], given: _Columns, fingerprints: Mapping[str, Fingerprint]
    ) -> pa.Table:
        """What is to be stored: the given vectors, and of what is stored already all that is still true."""
        with self._videos.errors("read"):
            stored = dataset.to_table(filter=is_one_of(Col.VIDEO_ID, [video.video_id for video in videos]))
        known = {row[Col.VIDEO_ID]: row for row in stored.select(VIDEO_SCHEMA.names).to_pylist()}
        columns = _vector_columns(dataset)
        kept = {name: dict(zip(known, from_arrow(stored.column(name)), strict=True)) for name in columns}
        filled = {name: list(given.get(name, [None] * len(videos))) for name in columns}
        now = datetime.now(UTC)
        rows = []
        for place, video in enumerate(videos):
            before = known.get(video.video_id)
            still_true = _still_true(before, video) - given.keys()
            for name in still_true.intersection(columns):
                filled[name][place] = kept[name][video.video_id]
            ingested_at = before[Col.INGESTED_AT] if before else now
            encoders = sorted(still_true | given.keys())
            row = to_row(video, ingested_at=ingested_at, updated_at=now, encoders=encoders)
            if before and before[Col.CONTENT_HASH] == video.content_hash:
                row |= {field.name: before[field.name] for field in FINGERPRINT_FIELDS}
                row |= _kept_words(before, row)
            if video.video_id in fingerprints:
                row |= fingerprint_values(fingerprints[video.video_id])
            rows.append(row)
        table = pa.Table.from_pylist(rows, VIDEO_SCHEMA)
        for name in columns:
            table = table.append_column(name, to_arrow(filled[name], _dim(dataset, name)))
        return table

    def _with_columns(self, given: _Columns) -> Any:
        """The dataset with a column for every encoder that gave a vector; adding one touches no stored file."""
        dataset = self._videos.open_or_create()
        existing, new = set(_vector_columns(dataset)), []
        for name, column in given.items():
            widths = {len(vector) for vector in column if vector is not None}
            if name in existing:
                widths.add(_dim(dataset, name))
            if len(widths) > 1:
                raise StoreError(
                    f"{name} gave vectors of {' and '.join(map(str, sorted(widths)))} numbers: "
                    "an encoder that changes its width needs a new version"
                )
            if widths and name not in existing:
                new.append(pa.field(name, vector_type(widths.pop())))
        if new:
            with self._videos.errors("add columns to"):
                dataset.add_columns(new)
        return dataset


def _batches(videos: pl.DataFrame, vectors: BulkVectors, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Videos and their vectors in parts of a size that memory does not feel."""
    now = datetime.now(UTC)
    encoders = sorted(vector_column(*encoder) for encoder in vectors)
    whole = videos.select(*VIDEO_FIELDS).with_columns(
        pl.lit(now).alias(Col.INGESTED_AT),
        pl.lit(now).alias(Col.UPDATED_AT),
        pl.lit(encoders, pl.List(pl.String)).alias(Col.ENCODERS),
        *(pl.lit(None).alias(field.name) for field in FINGERPRINT_FIELDS),
    )
    for start in range(0, len(whole), _ROWS_AT_ONCE):
        table = whole.slice(start, _ROWS_AT_ONCE).to_arrow().select(VIDEO_SCHEMA.names).cast(VIDEO_SCHEMA)
        for encoder, (row_N, values_RD) in vectors.items():
            chosen_N = row_N[start : start + len(table)]
            chosen_ND = np.asarray(values_RD[np.maximum(chosen_N, 0)], np.float32)
            flat = pa.array(chosen_ND.ravel())
            column = pa.FixedSizeListArray.from_arrays(flat, values_RD.shape[1], mask=pa.array(chosen_N < 0))
            table = table.append_column(vector_column(*encoder), column)
        yield from table.cast(schema).combine_chunks().to_batches()


def _vector_columns(dataset: Any) -> list[str]:
    names = dataset.schema.names if dataset is not None else []
    return [name for name in names if name not in VIDEO_SCHEMA.names]


def _dim(dataset: Any, column: str) -> int:
    return int(dataset.schema.field(column).type.list_size)


def _kept_words(known: dict[str, Any], row: dict[str, Any]) -> dict[str, str]:
    """The words of a known video that a new row of the same file goes without."""
    return {
        column: known[column]
        for column, found_by in WORD_COLUMNS.values()
        if row[column] is None and row[found_by] == known[found_by]
    }


def _still_true(known: dict[str, Any] | None, video: Video) -> set[str]:
    """The columns whose vectors are still true of a video that is about to be written."""
    if known is None:
        return set()
    same_file = bool(known[Col.CONTENT_HASH] == video.content_hash)
    same_caption = bool(known[Col.CAPTION] == video.caption)

    def holds(column: str) -> bool:
        # A new caption cannot have those of a data set made anew.
        if split_column(column)[0] is not Modality.TEXT or is_given(column):
            return same_file
        return same_caption and (same_file or not reads_words(column))

    return {name for name in known[Col.ENCODERS] if holds(name)}
