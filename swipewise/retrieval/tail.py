"""Vectors that came after an index was built, and wait to join it.

Legend of shape suffixes: D = width of a vector, T = rows of the tail, N = rows named, V = rows of the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Rows that are not in the base yet: rows_T int64 and vectors_TD float32."""

    rows_T: NDArray[np.int64]
    vectors_TD: NDArray[np.float32]

    @classmethod
    def empty(cls, width: int) -> Self:
        """No rows."""
        return cls(rows_T=np.zeros(0, np.int64), vectors_TD=np.zeros((0, width), np.float32))

    def without(self, rows_N: NDArray[np.int64]) -> Tail:
        """Less some rows."""
        kept_T = ~np.isin(self.rows_T, rows_N)
        return Tail(rows_T=self.rows_T[kept_T], vectors_TD=self.vectors_TD[kept_T])

    def put(self, rows_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> Tail:
        """With these rows, in the place of those of the same number."""
        kept = self.without(rows_N)
        return Tail(
            rows_T=np.concatenate([kept.rows_T, rows_N]),
            vectors_TD=np.concatenate([kept.vectors_TD, vectors_ND]),
        )

    def allowed(self, without_N: NDArray[np.int64] | None, only_V: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """The rows (T,) that a search with these filters may find."""
        allowed_T = np.ones(len(self.rows_T), bool)
        if only_V is not None:
            allowed_T &= only_V[self.rows_T]
        if without_N is not None and len(without_N) and len(allowed_T):
            allowed_T &= ~np.isin(self.rows_T, without_N)
        return allowed_T
