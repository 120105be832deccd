"""The value of a candidate to the viewer, and the blend with what else a feed should heed.

Legend of shape suffixes: N = candidates, M = modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import ArtifactError
from swipewise.feed.pipeline import plainly
from swipewise.feed.popularity import Popularity, freshness
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.schema import Candidate, Recommendation

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer

EVIDENCE = 3
"""Videos of the history that are shown for a recommendation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScore:
    """The model's score, and its reasons."""

    scorer: Scorer
    shelf: Shelf

    def score(self, query: Query, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """Scores (N,) of the ranking.

        Raises:
            ArtifactError: The model gives scores that are not numbers.
        """
        assert query.state is not None, "this stage needs the model"
        values_N = self.scorer.score(query.state, self.shelf.rows(candidates)).values_N
        if not np.isfinite(values_N).all():
            raise ArtifactError("the model's scores are not finite: train again with 'swipewise train'")
        return values_N

    def explain(self, query: Query, chosen: Sequence[Candidate]) -> tuple[Recommendation, ...]:
        """Recommendations with the modality weights α and the videos of the history that speak for each."""
        assert query.state is not None, "this stage needs the model"
        rows_N = self.shelf.rows(chosen)
        weights_NM = self.scorer.score(query.state, rows_N).weights_NM.tolist()
        evidence = self.scorer.evidence(query.state, rows_N, EVIDENCE)
        return tuple(
            Recommendation(
                video_id=candidate.video_id,
                position=position,
                score=candidate.score,
                source=candidate.source,
                modality_weights=dict(zip(self.scorer.modalities, weights, strict=True)),
                evidence=tuple(each for each in found if each.video_id in self.shelf.row_of),
            )
            for position, (candidate, weights, found) in enumerate(zip(chosen, weights_NM, evidence, strict=True))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularScore:
    """Without a model: log counts of viewers and rises, and freshness, which lifts a new upload above a count of 1."""

    popularity: Popularity
    shelf: Shelf
    half_life_days: float

    def score(self, query: Query, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """Scores (N,)."""
        uploaded_at_N = self.shelf.uploaded_at_V[self.shelf.rows(candidates)]
        liked_N = self.popularity.of_candidates(candidates) + self.popularity.rises_of(candidates)
        return liked_N + freshness(uploaded_at_N, query.now, self.half_life_days)

    def explain(self, query: Query, chosen: Sequence[Candidate]) -> tuple[Recommendation, ...]:
        """Recommendations whose only reason is their source."""
        return plainly(query, chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedBlend:
    """Standardised score + Σ weight · P(action) + popularity_weight · popularity + freshness_weight · freshness.

    ``action_weights`` name actions, or "watch" for the expected share watched; what weighs 0 is not asked of the model.
    The score is standardised within the candidates, so that the weights mean the same whatever the model's
    scale; popularity is relative to the most popular candidate and freshness lies in [0, 1].
    """

    popularity: Popularity
    shelf: Shelf
    popularity_weight: float
    freshness_weight: float
    half_life_days: float
    scorer: Scorer | None = None
    action_weights: Mapping[str, float] = field(default_factory=dict)

    def blend(
        self, query: Query, candidates: Sequence[Candidate], scores_N: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Blended scores (N,)."""
        if not candidates:
            return scores_N
        popular_N = self.popularity.of_candidates(candidates)
        uploaded_at_N = self.shelf.uploaded_at_V[self.shelf.rows(candidates)]
        blended_N: NDArray[np.float32] = (
            standardise(scores_N)
            + self.popularity_weight * popular_N / max(float(popular_N.max()), 1e-9)
            + self.freshness_weight * freshness(uploaded_at_N, query.now, self.half_life_days)
        )
        return blended_N + self._predicted(query, candidates)

    def _predicted(self, query: Query, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """Σ weight · P(action): (N,)."""
        total_N = np.zeros(len(candidates), np.float32)
        wanted = {name: weight for name, weight in self.action_weights.items() if weight}
        if not wanted or self.scorer is None or query.state is None:
            return total_N
        predicted = self.scorer.predict(query.state, self.shelf.rows(candidates))
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
