"""Which kind of index a catalogue gets: exact where that is quick enough, approximate beyond.

Legend of shape suffixes: V = rows of the index, D = width of a vector, N = rows named.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import ArtifactError
from swipewise.retrieval.index import ExactIndex, Index
from swipewise.retrieval.ivf import IvfIndex
from swipewise.retrieval.storage import kind_of

EXACT_ROWS = 100_000
"""Vectors up to which search is exact.

Measured with ``python benchmarks/retrieval.py`` at width 64: an exact search takes 0.8 times as long as an approximate
one at 50,000, 1.4 times at 100,000 and 5.8 times at 200,000, where the vectors have left the processor's cache. Up to
here it costs less than a millisecond, always finds the best, and needs no training."""


def build_index(
    vectors_VD: NDArray[np.float32],
    *,
    like: Index | None = None,
    asked_QD: NDArray[np.float32] | None = None,
) -> Index:
    """An index of the kind that suits the number of vectors (V, D).

    Args:
        vectors_VD: The vectors, finite.
        like: An index of much the same vectors, whose lists are taken over where they still fit.
        asked_QD: What viewers ask for; see ``IvfIndex.build``.
    """
    if len(vectors_VD) <= EXACT_ROWS:
        return ExactIndex.build(vectors_VD)
    known = like.trained if isinstance(like, IvfIndex) else None
    return IvfIndex.build(vectors_VD, like=known, asked_QD=asked_QD)


def put(index: Index, rows_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> Index:
    """``index.put``; an exact index that outgrows its kind becomes an approximate one."""
    grown = index.put(rows_N, vectors_ND)
    if isinstance(grown, ExactIndex) and len(grown) > EXACT_ROWS:
        return IvfIndex.build(grown.vectors_VD, removed_N=grown.removed_N)
    return grown


def load_index(directory: Path) -> Index:
    """Read the index, of whichever kind, that was saved into a folder.

    Raises:
        ArtifactError: There is none, it is damaged, or was written by another version.
    """
    kinds: dict[str, type[ExactIndex] | type[IvfIndex]] = {"exact": ExactIndex, "ivf": IvfIndex}
    kind = kind_of(directory)
    if kind not in kinds:
        raise ArtifactError(f"{directory} holds an index of an unknown kind {kind!r}: build the index again")
    return kinds[kind].load(directory)
