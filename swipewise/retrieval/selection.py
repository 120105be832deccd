"""Which rows of an index may be found.

Legend of shape suffixes: V = rows of the index, N = rows named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rows that were not removed; a new one is made for each change.

    alive_V: (V,) bool.
    """

    alive_V: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def of(cls, rows: int) -> Self:
        """All of so many rows."""
        return cls(alive_V=np.ones(rows, bool))

    def __len__(self) -> int:
        return self._alive

    @cached_property
    def removed_N(self) -> NDArray[np.int64]:
        """The rows that were removed."""
        return np.flatnonzero(~self.alive_V)

    def grown(self, rows: int) -> Selection:
        """With further rows behind, which are empty so far."""
        alive_V = np.zeros(rows, bool)
        alive_V[: len(self.alive_V)] = self.alive_V
        return Selection(alive_V=alive_V)

    def with_rows(self, rows_N: NDArray[np.int64]) -> Selection:
        """With these rows alive."""
        alive_V = self.alive_V.copy()
        alive_V[rows_N] = True
        return Selection(alive_V=alive_V)

    def without_rows(self, rows_N: NDArray[np.int64]) -> Selection:
        """With these rows removed."""
        alive_V = self.alive_V.copy()
        alive_V[rows_N] = False
        return Selection(alive_V=alive_V)

    def allowed(self, without_N: NDArray[np.int64] | None, only_V: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """The rows (V,) that a search with these filters may find."""
        allowed_V = self.alive_V if only_V is None else self.alive_V & only_V
        if without_N is not None and len(without_N):
            allowed_V = allowed_V.copy()
            allowed_V[without_N] = False
        return allowed_V

    @contextmanager
    def selector(self, without_N: NDArray[np.int64] | None, only_V: NDArray[np.bool_] | None) -> Iterator[Any]:
        """The same as a selector of faiss, None where every row may be found.

        faiss keeps no memory of its own of what a selector points at, so it is good within the block alone.
        """
        parts: list[Any] = []
        if only_V is not None:
            assert only_V.shape == self.alive_V.shape, (only_V.shape, self.alive_V.shape)
            parts.append(_bitmap(np.packbits(self.alive_V & only_V, bitorder="little")))
        elif self._alive < len(self.alive_V):
            parts.append(_bitmap(self._bits))
        if without_N is not None and len(without_N):
            left_out = faiss.IDSelectorBatch(np.ascontiguousarray(without_N, np.int64))
            parts += [left_out, faiss.IDSelectorNot(left_out)]
            whole = faiss.IDSelectorAnd(parts[0], parts[-1]) if len(parts) > 2 else parts[-1]
        else:
            whole = parts[0] if parts else None
        yield whole

    @cached_property
    def _alive(self) -> int:
        return int(np.count_nonzero(self.alive_V))

    @cached_property
    def _bits(self) -> NDArray[np.uint8]:
        return np.packbits(self.alive_V, bitorder="little")


def _bitmap(bits: NDArray[np.uint8]) -> Any:
    """A selector of the rows whose bit is set; its constructor for arrays keeps them alive with it."""
    return faiss.IDSelectorBitmap(bits)
