"""The choice and order of a feed: good videos that are not all alike.

Legend of shape suffixes: N = candidates, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.schema import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class DiverseSelect:
    """Maximal marginal relevance over the vectors of the index; by score alone without a model."""

    shelf: Shelf
    diversity: float

    def select(self, query: Query, candidates: Sequence[Candidate]) -> list[int]:
        """Positions of the chosen in feed order."""
        if self.shelf.vectors_VD is None or self.diversity == 0:
            return list(range(min(query.size, len(candidates))))
        scores_N = np.array([candidate.score for candidate in candidates], np.float32)
        vectors_ND = self.shelf.vectors_VD[self.shelf.rows(candidates)]
        return marginal_relevance(scores_N, vectors_ND, k=query.size, diversity=self.diversity)


def marginal_relevance(
    scores_N: NDArray[np.float32], vectors_ND: NDArray[np.float32], *, k: int, diversity: float
) -> list[int]:
    """Greedily take the candidate with the best (1 - λ) · score - λ · likeness to the likest one taken so far.

    Args:
        scores_N: Scores in units of their deviation, best first.
        vectors_ND: Vectors of length 1; likeness is their cosine.
        k: How many to take at most.
        diversity: λ in [0, 1].

    Returns:
        Positions of those taken, in order; equal values by position.
    """
    # Before the first is taken nothing is like anything, and the best score leads.
    likeness_N = np.full(len(scores_N), -1.0, np.float32)
    open_N = np.ones(len(scores_N), bool)
    taken: list[int] = []
    for _ in range(min(k, len(scores_N))):
        value_N = (1 - diversity) * scores_N - diversity * likeness_N
        best = int(np.argmax(np.where(open_N, value_N, -np.inf)))
        taken.append(best)
        open_N[best] = False
        np.maximum(likeness_N, vectors_ND @ vectors_ND[best], out=likeness_N)
    return taken
