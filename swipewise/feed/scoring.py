"""The value of a candidate to the viewer, and the blend with what else a feed should heed.

Legend of shape suffixes: N = candidates, K = those chosen, M = modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import ArtifactError
from swipewise.feed.popularity import freshness
from swipewise.feed.roster import Roster
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query, Reasons, plainly

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer

EVIDENCE = 3
"""Videos of the history that are shown for a recommendation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScore:
    """The model's score, and its reasons."""

    scorer: Scorer
    shelf: Shelf

    def score(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (N,) of the ranking.

        Raises:
            ArtifactError: The model gives scores that are not numbers.
        """
        assert query.state is not None, "this stage needs the model"
        values_N = self.scorer.score(query.state, numbers_N).values_N
        if not np.isfinite(values_N).all():
            raise ArtifactError("the model's scores are not finite: train again with 'swipewise train'")
        return values_N

    def explain(self, query: Query, numbers_K: NDArray[np.int64]) -> list[Reasons]:
        """The modality weights α, and the videos of the history that speak for each."""
        assert query.state is not None, "this stage needs the model"
        weights_KM = self.scorer.weights(query.state, numbers_K).tolist()
        evidence = self.scorer.evidence(query.state, numbers_K, EVIDENCE)
        return [
            Reasons(
                modality_weights=dict(zip(self.scorer.modalities, weights, strict=True)),
                evidence=tuple(each for each in found if each.video_id in self.shelf.row_of),
            )
            for weights, found in zip(weights_KM, evidence, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularScore:
    """Without a model: log counts of viewers and rises, and freshness, which lifts a new upload above a count of 1."""

    roster: Roster
    half_life_days: float

    def score(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (N,)."""
        uploaded_at_N = self.roster.shelf.uploaded_at_V[numbers_N]
        liked_N = self.roster.likes_A[numbers_N] + self.roster.rises_A[numbers_N]
        return liked_N + freshness(uploaded_at_N, query.now, self.half_life_days)

    def explain(self, query: Query, numbers_K: NDArray[np.int64]) -> Sequence[Reasons]:
        """No reason but the source."""
        return plainly(numbers_K)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedBlend:
    """Standardised score + Σ weight · P(action) + popularity_weight · popularity + freshness_weight · freshness.

    ``action_weights`` name actions, or "watch" for the expected share watched; what weighs 0 is not asked of the model.
    The score is standardised within the candidates, so that the weights mean the same whatever the model's
    scale; popularity is relative to the most popular candidate and freshness lies in [0, 1].
    """

    roster: Roster
    popularity_weight: float
    freshness_weight: float
    half_life_days: float
    scorer: Scorer | None = None
    action_weights: Mapping[str, float] = field(default_factory=dict)

    def blend(
        self, query: Query, numbers_N: NDArray[np.int64], scores_N: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Blended scores (N,)."""
        if not len(numbers_N):
            return scores_N
        popular_N = self.roster.likes_A[numbers_N]
        uploaded_at_N = self.roster.shelf.uploaded_at_V[numbers_N]
        blended_N: NDArray[np.float32] = (
            standardise(scores_N)
            + self.popularity_weight * popular_N / max(float(popular_N.max()), 1e-9)
            + self.freshness_weight * freshness(uploaded_at_N, query.now, self.half_life_days)
        )
        return blended_N + self._predicted(query, numbers_N)

    def _predicted(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Σ weight · P(action): (N,)."""
        total_N = np.zeros(len(numbers_N), np.float32)
        wanted = {name: weight for name, weight in self.action_weights.items() if weight}
        if not wanted or self.scorer is None or query.state is None:
            return total_N
        predicted = self.scorer.predict(query.state, numbers_N)
        for name, weight in wanted.items():
            total_N += np.float32(weight) * predicted[name]
        return total_N


def standardise(scores_N: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean 0 and deviation 1; all 0 when the scores are equal.

    >>> standardise(np.array([1, 3], np.float32)).tolist(), standardise(np.array([5, 5], np.float32)).tolist()
    ([-1.0, 1.0], [0.0, 0.0])
    """
    deviation = float(scores_N.std())
    if deviation < 1e-9:
        return np.zeros_like(scores_N)
    standard_N: NDArray[np.float32] = (scores_N - scores_N.mean()) / deviation
    return standard_N
