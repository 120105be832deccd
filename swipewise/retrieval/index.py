"""The face of a vector index and its exact form.

An index never changes: what adds or removes vectors gives a new one that shares most of its memory with the old, so
that searches in other threads are neither blocked nor disturbed.

Legend of shape suffixes: B = queries, V = rows of the index, D = width of a vector, K = results a query,
N = rows named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from swipewise.retrieval.selection import Selection
from swipewise.retrieval.storage import load_exact, save_exact

NO_ROW = -1
"""In the place of a row where there are fewer results than were asked for."""

Found = tuple[NDArray[np.float32], NDArray[np.int64]]
"""scores_BK float32 and rows_BK int64, best first."""


class Index(Protocol):
    """Finds the vectors with the greatest inner product; results name rows, not ids.

    A row that was removed stays empty, so that the others keep their numbers.
    """

    @property
    def vectors_VD(self) -> NDArray[np.float32]:
        """The vectors (V, D) of the rows that were there when it was built or compacted."""
        ...

    def __len__(self) -> int:
        """How many vectors can be found."""
        ...

    @property
    def rows(self) -> int:
        """One more than the greatest row, removed ones counted."""
        ...

    @property
    def removed_N(self) -> NDArray[np.int64]:
        """The rows that were removed."""
        ...

    def search(
        self,
        queries_BD: NDArray[np.float32],
        k: int,
        *,
        without_N: NDArray[np.int64] | None = None,
        only_V: NDArray[np.bool_] | None = None,
    ) -> Found:
        """The best ``min(k, len(self))`` rows of each query.

        Args:
            queries_BD: (B, D) float32, finite.
            k: Results wanted a query, at least 0.
            without_N: int64 rows that are left out, such as those seen.
            only_V: (V,) bool, the rows that may be found; None: all.

        Returns:
            scores_BK float32, inner products, best first; rows_BK int64, the rows they belong to. Where filters leave
            fewer, the rest has the score -inf and the row ``NO_ROW``.
        """
        ...

    def put(self, rows_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> Index:
        """An index in which these rows, no row twice, have these vectors.

        Rows may be new, removed or in use; new ones go on from ``rows`` without a gap.

        Args:
            rows_N: int64; new ones go on from the last.
            vectors_ND: (N, D) float32, finite.
        """
        ...

    def remove(self, rows_N: NDArray[np.int64]) -> Index:
        """An index that does not find these rows; those that are removed already are no error.

        Args:
            rows_N: int64.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``, in place of the one that lies there."""
        ...


class ExactIndex:
    """Compares a query with every vector; the twin that approximate indexes are held against.

    >>> index = ExactIndex.build(np.eye(3, dtype=np.float32))
    >>> scores_BK, rows_BK = index.search(np.array([[0.1, 0.9, 0.3]], np.float32), k=2)
    >>> rows_BK.tolist()
    [[1, 2]]
    """

    def __init__(self, vectors_VD: NDArray[np.float32], selection: Selection) -> None:
        self.vectors_VD = vectors_VD
        self._selection = selection
        self._flat = faiss.IndexFlatIP(vectors_VD.shape[1])
        self._flat.add(vectors_VD)

    @classmethod
    def build(cls, vectors_VD: NDArray[np.float32]) -> Self:
        """Index ``vectors_VD`` (V, D), finite; row i of the answers is row i here.

        Returns:
            The index.
        """
        return cls(checked(vectors_VD), Selection.of(len(vectors_VD)))

    def __len__(self) -> int:
        return len(self._selection)

    @property
    def rows(self) -> int:
        """One more than the greatest row, removed ones counted."""
        return len(self.vectors_VD)

    @property
    def removed_N(self) -> NDArray[np.int64]:
        """The rows that were removed."""
        return self._selection.removed_N

    def search(
        self,
        queries_BD: NDArray[np.float32],
        k: int,
        *,
        without_N: NDArray[np.int64] | None = None,
        only_V: NDArray[np.bool_] | None = None,
    ) -> Found:
        """The best ``min(k, len(self))`` rows of each query; the arguments are those of ``Index.search``.

        Args:
            queries_BD: (B, D).
            k: How many.
            without_N: Rows that are not wanted.
            only_V: (V,) bool, the only rows that are wanted.
        """
        k = min(k, len(self))
        if k == 0 or len(queries_BD) == 0:
            return nothing(len(queries_BD), k)
        one_thread()
        with self._selection.selector(without_N, only_V) as selector:
            parameters = faiss.SearchParameters(sel=selector) if selector is not None else None
            queries_BD = np.ascontiguousarray(queries_BD, np.float32)
            scores_BK, rows_BK = self._flat.search(queries_BD, k, params=parameters)
        scores_BK[rows_BK < 0] = -np.inf
        return scores_BK, rows_BK

    def put(self, rows_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> ExactIndex:
        """An index in which these rows have these vectors; see ``Index.put``.

        Args:
            rows_N: int64; new ones go on from the last.
            vectors_ND: (N, D) float32, finite.
        """
        if not len(rows_N):
            return self
        vectors_VD = np.empty((after(self.rows, rows_N), self.vectors_VD.shape[1]), np.float32)
        vectors_VD[: self.rows] = self.vectors_VD
        vectors_VD[rows_N] = checked(vectors_ND)
        return ExactIndex(vectors_VD, self._selection.grown(len(vectors_VD)).with_rows(rows_N))

    def remove(self, rows_N: NDArray[np.int64]) -> ExactIndex:
        """An index that does not find these rows.

        Args:
            rows_N: int64.
        """
        fewer = ExactIndex.__new__(ExactIndex)
        fewer.vectors_VD, fewer._flat = self.vectors_VD, self._flat
        fewer._selection = self._selection.without_rows(rows_N)
        return fewer

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``, in place of the one that lies there.

        Raises:
            ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
        """
        save_exact(directory, self.vectors_VD, self.removed_N)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the index that ``save`` wrote; its vectors are mapped into memory.

        Args:
            directory: Where it was saved.

        Returns:
            The index.

        Raises:
            ArtifactError: There is none, it is damaged, of another kind, or was written by a newer version.
        """
        vectors_VD, removed_N = load_exact(directory)
        return cls(vectors_VD, Selection.of(len(vectors_VD)).without_rows(removed_N))


def checked(vectors_VD: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors in the memory layout that faiss wants.

    Args:
        vectors_VD: (V, D).
    """
    assert vectors_VD.ndim == 2, vectors_VD.shape
    # faiss returns nonsense ranks for NaN instead of an error.
    assert np.isfinite(vectors_VD).all(), "vectors must be finite"
    return np.ascontiguousarray(vectors_VD, np.float32)


def after(rows: int, rows_N: NDArray[np.int64]) -> int:
    """How many rows there are once these have vectors.

    Args:
        rows: How many there are.
        rows_N: int64, which are put.
    """
    grown = max(rows, int(rows_N.max(initial=-1)) + 1)
    new_N = np.unique(rows_N[rows_N >= rows])
    assert len(new_N) == grown - rows, "new rows must follow those there are without a gap"
    assert len(np.unique(rows_N)) == len(rows_N), "a row was given twice"
    return grown


def nothing(queries: int, k: int) -> Found:
    """The answer without any results.

    Args:
        queries: How many were asked.
        k: How many rows were wanted of each.
    """
    return np.full((queries, k), -np.inf, np.float32), np.full((queries, k), NO_ROW, np.int64)


def one_thread() -> None:
    """Search with one OpenMP thread: on busy cores a second one makes a search many times slower.

    OpenMP keeps this setting per calling thread, so it is made at each call.
    """
    faiss.omp_set_num_threads(1)
