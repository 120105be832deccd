"""Link each video to the first one that it is a near-duplicate of.

Every video that can be known by its picture has a place in one order: those of earlier runs first, then those of
this run in the order of its sources, whenever they came into the catalogue. Its link follows from the fingerprints
and that order alone, so neither the timing of workers nor a run that was killed can change it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.catalog.links import Link
from swipewise.ingest.near import NearIndex
from swipewise.media.fingerprint import same_motion, same_sound
from swipewise.schema import Col

# Links written in one commit; their videos' rows, and the fingerprints of motion and sound of what these are near, are
# held in memory.
_AT_ONCE = 512
_PLACE = "place"


def link_duplicates(catalog: Catalog, places: Mapping[str, int]) -> bool:
    """Give every video that has none its place in the order, and link those that need it.

    A link is made anew where the video that it names was cut anew or can no longer be compared.

    Args:
        catalog: The catalogue.
        places: By video id the place among the sources of this run; other videos come before these.

    Returns:
        Whether anything was written.

    Raises:
        StoreError: The catalogue cannot be read or written.
    """
    table = _in_order(catalog.links.visual(), places)
    ids = table[Col.VIDEO_ID].to_list()
    orders = _numbered(table[Col.LINK_ORDER].to_list())
    row_of = {video_id: row for row, video_id in enumerate(ids)}
    wanted = []
    for row, (order, first) in enumerate(table.select(Col.LINK_ORDER, Col.DUPLICATE_OF).iter_rows()):
        # A video that was cut anew stands last, so a link to it would name a later one.
        if order is None or (first is not None and row_of.get(first, row) >= row):
            wanted.append(row)
    if not wanted:
        return False
    near = _Near(table[Col.VISUAL_FINGERPRINT].to_list())
    for start in range(0, len(wanted), _AT_ONCE):
        rows = wanted[start : start + _AT_ONCE]
        firsts = _firsts(catalog, ids, {row: near.earlier(row) for row in rows})
        catalog.links.write(
            [Link(video_id=ids[row], link_order=orders[row], duplicate_of=firsts[row]) for row in rows]
        )
    return True


def _in_order(table: pl.DataFrame, places: Mapping[str, int]) -> pl.DataFrame:
    """Those that have a place in the order, then what a run that was killed has left, then those of this run."""
    by_source = pl.DataFrame(
        {Col.VIDEO_ID: list(places), _PLACE: list(places.values())},
        schema={Col.VIDEO_ID: pl.String, _PLACE: pl.Int64},
    )
    keys = [Col.LINK_ORDER, _PLACE, Col.INGESTED_AT, Col.VIDEO_ID]
    found = table.join(by_source, on=Col.VIDEO_ID, how="left").with_columns(pl.col(_PLACE).fill_null(-1))
    return found.sort(keys, nulls_last=True)


def _numbered(orders: Sequence[int | None]) -> list[int]:
    """The same numbers, those after the last of them going on from it."""
    following = max((order for order in orders if order is not None), default=-1) + 1
    placed = sum(order is not None for order in orders)
    return [following + row - placed if order is None else order for row, order in enumerate(orders)]


def _firsts(catalog: Catalog, ids: Sequence[str], near: Mapping[int, NDArray[np.int64]]) -> dict[int, str | None]:
    """For each row the first of the near ones that moves and sounds alike, None without one."""
    rows = {int(other) for others in near.values() for other in others} | {
        row for row, others in near.items() if len(others)
    }
    heard = catalog.links.motion_and_audio([ids[row] for row in sorted(rows)])

    def alike(one: str, other: str) -> bool:
        if one not in heard or other not in heard:  # removed since
            return False
        (motion, audio), (other_motion, other_audio) = heard[one], heard[other]
        # Where one has no sound, or too little of it, the picture decides.
        return same_motion(motion, other_motion) and not (
            audio and other_audio and not same_sound(audio, other_audio)
        )

    return {
        row: next((ids[other] for other in others if alike(ids[row], ids[other])), None)
        for row, others in near.items()
    }


class _Near:
    """Finds what is near; fingerprints of unlike numbers of frames, from another ``media.frames``, never are."""

    def __init__(self, fingerprints: Sequence[bytes]) -> None:
        lengths = np.array([len(fingerprint) for fingerprint in fingerprints])
        self._places = np.empty(len(lengths), np.int64)
        self._indexes: dict[int, tuple[NearIndex, NDArray[np.int64]]] = {}
        self._lengths = lengths
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            joined = b"".join(fingerprints[row] for row in rows.tolist())
            self._indexes[length] = NearIndex(np.frombuffer(joined, "<u8").reshape(len(rows), -1)), rows
            self._places[rows] = np.arange(len(rows))

    def earlier(self, row: int) -> NDArray[np.int64]:
        """The rows before this one that are near it, in order."""
        index, rows = self._indexes[int(self._lengths[row])]
        return rows[index.earlier(int(self._places[row]))]
