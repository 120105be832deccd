"""Ways to spread a list out, against one another: the feed's own, maximal marginal relevance, a determinantal process.

Legend of shape suffixes: N = candidates, K = places, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.diversify import spread_out

Spread = Callable[[NDArray[np.float32], NDArray[np.float32], float, float, int], list[int]]
"""Scores (N,) best first, vectors (N, D) of length 1, strength in [0, 1], the viewer's variety and places to positions.

Positions come best first, so that all ways are compared by what they choose."""

_LEAST: Final = 1e-4  # of the volume that a video adds, so that its logarithm stays within reach of scores


def own(
    scores_N: NDArray[np.float32], vectors_ND: NDArray[np.float32], strength: float, variety: float, k: int
) -> list[int]:
    """As the feed does it."""
    return spread_out(scores_N, vectors_ND, k=k, diversity=strength, variety=variety)


def marginal_relevance(
    scores_N: NDArray[np.float32], vectors_ND: NDArray[np.float32], strength: float, _: float, k: int
) -> list[int]:
    """Greedily the best (1 - λ) · score - λ · likeness to the likest one taken so far (Carbonell, Goldstein 1998)."""
    likeness_N = np.full(len(scores_N), -1.0, np.float32)
    taken: list[int] = []
    for _place in range(min(k, len(scores_N))):
        value_N = (1 - strength) * scores_N - strength * likeness_N
        value_N[taken] = -np.inf
        taken.append(int(np.argmax(value_N)))
        np.maximum(likeness_N, vectors_ND @ vectors_ND[taken[-1]], out=likeness_N)
    return sorted(taken)


def determinantal(
    scores_N: NDArray[np.float32], vectors_ND: NDArray[np.float32], strength: float, _: float, k: int
) -> list[int]:
    """Greedily the most (1 - λ) · Σ score + λ · log det S of the chosen, S = (1 + cosine) / 2 (Chen et al. 2018).

    A row of the Cholesky factor a place, so that a list costs O(N k²) instead of a determinant for every candidate.
    """
    places = min(k, len(scores_N))
    volume_N = (1 + np.einsum("nd,nd->n", vectors_ND, vectors_ND)) / 2
    factor_KN = np.zeros((places, len(scores_N)), np.float32)
    taken: list[int] = []
    for place in range(places):
        value_N = (1 - strength) * scores_N + strength * np.log(np.maximum(volume_N, _LEAST))
        value_N[taken] = -np.inf
        best = int(np.argmax(value_N))
        likeness_N = (1 + vectors_ND @ vectors_ND[best]) / 2
        explained_N = factor_KN[:place, best] @ factor_KN[:place]
        factor_KN[place] = (likeness_N - explained_N) / np.sqrt(max(float(volume_N[best]), _LEAST))
        volume_N = volume_N - factor_KN[place] ** 2
        taken.append(best)
    return sorted(taken)


OWN: Final = "feed's"
WAYS: Final[Mapping[str, Spread]] = MappingProxyType(
    {OWN: own, "marginal relevance's": marginal_relevance, "determinantal process's": determinantal}
)
"""By whose way it is."""
