"""What an approximate index learns from its vectors: its lists, and into how many of them a search must look.

Legend of shape suffixes: V = vectors, D = width of a vector, Q = sampled queries, K = results a query.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

RECALL = 0.98
"""The least share of the true best hundred that a search may find."""
_AIM = 0.985
"""What is aimed at on the sample, which is no larger than it must be."""
_SAMPLE = 128
_RESULTS = 100
_POINTS_A_LIST = 40
_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Lists without vectors, the number of vectors they were made for, and how many lists a search looks into."""

    template: Any = field(repr=False)
    rows: int
    nprobe: int

    def empty(self) -> Any:
        """A faiss index with these lists and nothing in them."""
        return faiss.clone_index(self.template)

    def fits(self, rows: int, width: int, growth: float) -> bool:
        """Whether the lists still suit so many vectors of this width."""
        return bool(self.template.d == width and rows <= growth * self.rows)

    def measured(self, base: Any, vectors_VD: NDArray[np.float32], rows_V: NDArray[np.int64]) -> Trained:
        """With the least ``nprobe`` that finds enough, against exact search.

        Args:
            base: The faiss index of these vectors.
            vectors_VD: The vectors.
            rows_V: What the index calls them.
        """
        queries_QD = _queries(vectors_VD)
        # The exact inner products are what ranks at last, so what counts is whether candidates hold the best.
        _, best_QK = faiss.knn(queries_QD, vectors_VD, _RESULTS, metric=faiss.METRIC_INNER_PRODUCT)
        truth_QK = np.sort(rows_V[best_QK], axis=1)
        low, high = 0, 1
        while high < base.nlist and _recall(base, queries_QD, truth_QK, high) < _AIM:
            low, high = high, min(2 * high, base.nlist)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            if _recall(base, queries_QD, truth_QK, middle) < _AIM:
                low = middle
            else:
                high = middle
        return replace(self, nprobe=high)


def train(vectors_VD: NDArray[np.float32]) -> Trained:
    """Make lists for these vectors; ``nprobe`` is all of them until it is measured."""
    rows, width = vectors_VD.shape
    # Four times the square root balances the lists that are chosen among with the vectors that are compared.
    nlist = int(2 ** np.clip(round(np.log2(4 * rows**0.5)), 0, np.log2(max(1, rows // 39))))
    index = faiss.index_factory(width, f"IVF{nlist},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid, index.cp.niter = _POINTS_A_LIST, _ROUNDS
    chosen = np.random.default_rng(0).permutation(rows)[: _POINTS_A_LIST * nlist]
    index.train(np.ascontiguousarray(vectors_VD[np.sort(chosen)]))
    return Trained(template=index, rows=rows, nprobe=nlist)


def _queries(vectors_VD: NDArray[np.float32]) -> NDArray[np.float32]:
    """Videos, as those similar to one are asked for, and means of three, as viewers' interests lie between them."""
    rng = np.random.default_rng(1)
    single_QD = vectors_VD[rng.integers(0, len(vectors_VD), _SAMPLE)]
    between_QD = vectors_VD[rng.integers(0, len(vectors_VD), (_SAMPLE, 3))].mean(axis=1)
    return np.concatenate([single_QD, between_QD]).astype(np.float32)


def _recall(base: Any, queries_QD: NDArray[np.float32], truth_QK: NDArray[np.int64], nprobe: int) -> float:
    """The share of the best that is found, of the kind of queries for which it is smaller."""
    parameters = faiss.SearchParametersIVF(nprobe=nprobe)
    _, found_QC = base.search(queries_QD, _RESULTS + _RESULTS // 4, params=parameters)
    shares_Q = np.array([np.isin(truth, found).mean() for truth, found in zip(truth_QK, found_QC, strict=True)])
    return float(min(shares_Q[:_SAMPLE].mean(), shares_Q[_SAMPLE:].mean()))
