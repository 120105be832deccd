"""What near-duplicates are found by, and the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from swipewise.catalog.records import VIDEO_SCHEMA
from swipewise.catalog.removal import VisibleVideos
from swipewise.catalog.table import Table, is_one_of
from swipewise.schema import Col

# Ids named in one filter: Lance plans a filter of many thousands slowly.
_IDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A video that was compared with those of a lower ``link_order``; ``duplicate_of`` is the first that it is like.

    It has no ``link_order`` where it was not compared.
    """

    video_id: str
    link_order: int | None
    duplicate_of: str | None


class Links:
    """The columns of fingerprints and links of a table of videos."""

    def __init__(self, videos: Table, visible: VisibleVideos) -> None:
        self._videos = videos
        self._visible = visible

    def fingerprinted(self) -> frozenset[str]:
        """The videos whose file was looked at for a fingerprint, whatever was found."""
        table = self._visible.read([Col.VIDEO_ID], f"`{Col.VISUAL_FINGERPRINT}` IS NOT NULL")
        return frozenset(table[Col.VIDEO_ID].to_list())

    def visual(self) -> pl.DataFrame:
        """The videos that can be known by their picture: id, fingerprint, ingested_at, link_order, duplicate_of."""
        columns = [Col.VIDEO_ID, Col.VISUAL_FINGERPRINT, Col.INGESTED_AT, Col.LINK_ORDER, Col.DUPLICATE_OF]
        table = self._visible.read(columns, f"`{Col.VISUAL_FINGERPRINT}` IS NOT NULL")
        return table.filter(pl.col(Col.VISUAL_FINGERPRINT).bin.size() > 0)

    def motion_and_audio(self, video_ids: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
        """The fingerprints of motion and sound of those of these videos that are there; empty: they tell too little."""
        columns = [Col.VIDEO_ID, Col.MOTION_FINGERPRINT, Col.AUDIO_FINGERPRINT]
        found: dict[str, tuple[bytes, bytes]] = {}
        for start in range(0, len(video_ids), _IDS_AT_ONCE):
            where = is_one_of(Col.VIDEO_ID, video_ids[start : start + _IDS_AT_ONCE])
            rows = self._visible.read(columns, where).iter_rows()
            found |= {video_id: (motion, audio) for video_id, motion, audio in rows}
        return found

    def duplicate_of(self, video_id: str) -> str | None:
        """The first video that this one is a near-duplicate of, None where it is of none or there is no such video."""
        found = self._visible.read([Col.DUPLICATE_OF], is_one_of(Col.VIDEO_ID, [video_id]))[
            Col.DUPLICATE_OF
        ].to_list()
        return found[0] if found else None

    def duplicates_of(self, video_id: str) -> list[str]:
        """The videos linked to this one, in order of id."""
        where = is_one_of(Col.DUPLICATE_OF, [video_id])
        return sorted(self._visible.read([Col.VIDEO_ID], where)[Col.VIDEO_ID])

    def forget(self, video_ids: Sequence[str]) -> None:
        """Cut the links to these videos: what was linked to them waits to be compared anew.

        Raises:
            StoreError: They cannot be written.
        """
        for start in range(0, len(video_ids), _IDS_AT_ONCE):
            where = is_one_of(Col.DUPLICATE_OF, video_ids[start : start + _IDS_AT_ONCE])
            linked = self._visible.read([Col.VIDEO_ID], where)[Col.VIDEO_ID].to_list()
            self.write([Link(video_id=each, link_order=None, duplicate_of=None) for each in linked])

    def write(self, links: Sequence[Link]) -> None:
        """Write links in one atomic commit that is on disk when this returns.

        Raises:
            StoreError: They cannot be written.
        """
        now = datetime.now(UTC)
        rows = [
            {
                Col.VIDEO_ID: link.video_id,
                Col.LINK_ORDER: link.link_order,
                Col.DUPLICATE_OF: link.duplicate_of,
                Col.UPDATED_AT: now,
            }
            for link in links
        ]
        names = [Col.VIDEO_ID, Col.LINK_ORDER, Col.DUPLICATE_OF, Col.UPDATED_AT]
        self._videos.update(pa.Table.from_pylist(rows, pa.schema([VIDEO_SCHEMA.field(name) for name in names])))
