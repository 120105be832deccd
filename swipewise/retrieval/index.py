"""The face of a vector index and its exact form.

Legend of shape suffixes: B = queries, V = vectors in the index, D = width of a vector, K = results a query.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from swipewise.retrieval.storage import load_vectors, save_vectors


class Index(Protocol):
    """Finds the vectors with the greatest inner product; results name rows, not ids."""

    def __len__(self) -> int:
        """How many vectors the index holds."""
        ...

    def search(self, queries_BD: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best ``min(k, V)`` rows of each query.

        Args:
            queries_BD: (B, D) float32, finite.
            k: Results wanted a query, at least 0.

        Returns:
            scores_BK float32, inner products, best first; rows_BK int64, the rows they belong to.
        """
        ...


class ExactIndex:
    """Compares a query with every vector; the twin that approximate indexes are held against.

    >>> index = ExactIndex.build(np.eye(3, dtype=np.float32))
    >>> scores_BK, rows_BK = index.search(np.array([[0.1, 0.9, 0.3]], np.float32), k=2)
    >>> rows_BK.tolist()
    [[1, 2]]
    """

    def __init__(self, vectors_VD: NDArray[np.float32]) -> None:
        assert vectors_VD.ndim == 2, vectors_VD.shape
        # faiss returns nonsense ranks for NaN instead of an error.
        assert np.isfinite(vectors_VD).all(), "vectors must be finite"
        self.vectors_VD = np.ascontiguousarray(vectors_VD, np.float32)
        self._flat = faiss.IndexFlatIP(self.vectors_VD.shape[1])
        self._flat.add(self.vectors_VD)

    @classmethod
    def build(cls, vectors_VD: NDArray[np.float32]) -> ExactIndex:
        """Index ``vectors_VD`` (V, D), finite; row i of the answers is row i here."""
        return cls(vectors_VD)

    def __len__(self) -> int:
        return len(self.vectors_VD)

    def search(self, queries_BD: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best ``min(k, V)`` rows of each query: scores_BK float32 and rows_BK int64, best first."""
        k = min(k, len(self))
        if k == 0 or len(queries_BD) == 0:
            return np.empty((len(queries_BD), k), np.float32), np.empty((len(queries_BD), k), np.int64)
        # OpenMP keeps this setting per calling thread, so it is made at each call: on busy cores a second
        # thread makes a search many times slower.
        faiss.omp_set_num_threads(1)
        scores_BK, rows_BK = self._flat.search(np.ascontiguousarray(queries_BD, np.float32), k)
        return scores_BK, rows_BK

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``, in place of the one that lies there.

        Raises:
            ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
        """
        save_vectors(self.vectors_VD, directory)

    @classmethod
    def load(cls, directory: Path) -> ExactIndex:
        """Read the index that ``save`` wrote.

        Raises:
            ArtifactError: There is none, it is damaged, or it was written by a newer version.
        """
        return cls(load_vectors(directory))
