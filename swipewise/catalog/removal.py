"""Videos that were taken out of the catalogue, so that nothing brings them back unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from swipewise.catalog.table import Table, is_one_of
from swipewise.schema import Col, Video

_SCHEMA = pa.schema(
    [
        pa.field(Col.VIDEO_ID, pa.string(), nullable=False),
        pa.field(Col.CONTENT_HASH, pa.string(), nullable=False),
        pa.field(Col.AT, pa.timestamp("us", "UTC"), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A removed video: its id, what its file held, and when it was removed."""

    video_id: str
    content_hash: str
    at: datetime


class Removals:
    """The tombstones. A video that has one is in no answer of the catalogue: ``VisibleVideos`` sees to that.

    Writing one needs no lock, so that a video can be removed while an ingestion is running.
    """

    def __init__(self, directory: Path) -> None:
        self._table = Table(directory / "removed.lance", key=Col.VIDEO_ID, schema=_SCHEMA)

    def all(self) -> list[Tombstone]:
        """Every one, in no order."""
        dataset = self._table.open()
        if dataset is None:
            return []
        with self._table.errors("read"):
            return [Tombstone(**row) for row in dataset.to_table(columns=_SCHEMA.names).to_pylist()]

    def ids(self) -> list[str]:
        """The ids of removed videos."""
        dataset = self._table.open()
        if dataset is None:
            return []
        with self._table.errors("read"):
            ids: list[str] = dataset.to_table(columns=[Col.VIDEO_ID])[Col.VIDEO_ID].to_pylist()
        return ids

    def is_removed(self, video_id: str) -> bool:
        """Whether the video was removed."""
        dataset = self._table.open()
        if dataset is None:
            return False
        with self._table.errors("read"):
            return bool(dataset.count_rows(is_one_of(Col.VIDEO_ID, [video_id])))

    def write(self, videos: Sequence[Video]) -> None:
        """Mark videos as removed, on disk when this returns.

        Raises:
            StoreError: It cannot be written.
        """
        now = datetime.now(UTC)
        rows = [
            {Col.VIDEO_ID: video.video_id, Col.CONTENT_HASH: video.content_hash, Col.AT: now} for video in videos
        ]
        if rows:
            self._table.upsert(pa.Table.from_pylist(rows, _SCHEMA))

    def compact(self) -> None:
        """Merge what many small commits left behind."""
        self._table.compact()

    def lift(self, video_ids: Sequence[str]) -> None:
        """Let videos be added again.

        Raises:
            StoreError: It cannot be written.
        """
        self._table.delete(video_ids)


class VisibleVideos:
    """What is read of a table of videos: none of a removed one, whether its row is gone already or not.

    Every answer of the catalogue about videos comes through here, but for what is left of those that were removed.
    """

    def __init__(self, videos: Table, removals: Removals) -> None:
        self._videos = videos
        self._removals = removals

    def read(self, columns: Sequence[str], where: str | None = None) -> pl.DataFrame:
        """These columns, of the rows to which a filter applies."""
        asked = list(dict.fromkeys([*columns, Col.VIDEO_ID]))
        return self.among(self._videos.read(asked, where)).select(columns)

    def among(self, found: pl.DataFrame) -> pl.DataFrame:
        """Of rows with a video_id, read by whatever way, those of videos that were not removed."""
        removed = self._removals.ids() if len(found) else []
        return found.filter(~pl.col(Col.VIDEO_ID).is_in(removed)) if removed else found
