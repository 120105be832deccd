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
    """The tombstones. A video that has one is in no answer of the catalogue, whether its row is gone already or not.

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
        return [each.video_id for each in self.all()]

    def is_removed(self, video_id: str) -> bool:
        """Whether the video was removed."""
        dataset = self._table.open()
        if dataset is None:
            return False
        with self._table.errors("read"):
            return bool(dataset.count_rows(is_one_of(Col.VIDEO_ID, [video_id])))

    def visible(self, videos: pl.DataFrame) -> pl.DataFrame:
        """The rows of a table with video_id that were not removed."""
        removed = self.ids()
        return videos.filter(~pl.col(Col.VIDEO_ID).is_in(removed)) if removed else videos

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
