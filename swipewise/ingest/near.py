"""Find near fingerprints without comparing all with all.

Legend of shape suffixes: N = fingerprints, F = frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.media.fingerprint import NEAR, visual_distances

_QUARTERS = 4


class NearIndex:
    """Visual fingerprints by the quarters of their hashes, 16 bits each, a frame and quarter at a time.

    Only fingerprints that share a quarter of a hash at the same frame are compared. Hashes that differ by 3 bits or
    fewer share one, so what is near by a mean distance below 4 is always found; what is near by 4 to 5 is missed only
    if no quarter of any frame came through unharmed.

    Building takes 4 F sorts of 16-bit numbers, which are linear in N, and 24 F bytes a fingerprint; a million of 8
    frames, half a second. A question takes 8 F binary searches and a comparison with each fingerprint that shares a
    quarter: of the clips it was measured on, about one in eighty.

    Args:
        hashes_NF: (N, F) uint64, in the order in which the videos were there; 0 where a frame tells nothing.
    """

    def __init__(self, hashes_NF: NDArray[np.uint64]) -> None:
        self._hashes_NF = hashes_NF
        self._quarters = np.ascontiguousarray(hashes_NF).view("<u2").reshape(*hashes_NF.shape, _QUARTERS)
        self._tables = [
            (frame, quarter, *self._table(frame, quarter))
            for frame in range(hashes_NF.shape[1])
            for quarter in range(_QUARTERS)
        ]

    def earlier(self, row: int) -> NDArray[np.int64]:
        """The rows before this one that are near it, in order."""
        parts = []
        for frame, quarter, values, rows in self._tables:
            if self._hashes_NF[row, frame]:
                value = self._quarters[row, frame, quarter]
                same = rows[np.searchsorted(values, value, "left") : np.searchsorted(values, value, "right")]
                parts.append(same[: np.searchsorted(same, np.int32(row))])
        sharing = np.unique(np.concatenate(parts)).astype(np.int64)
        return sharing[visual_distances(self._hashes_NF[row], self._hashes_NF[sharing]) < NEAR]

    def _table(self, frame: int, quarter: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
        """The values of a quarter in order, and the rows that have them; of one value, rows in order."""
        rows = np.flatnonzero(self._hashes_NF[:, frame]).astype(np.int32)
        values = self._quarters[rows, frame, quarter]
        order = np.argsort(values, kind="stable")
        return values[order], rows[order]
