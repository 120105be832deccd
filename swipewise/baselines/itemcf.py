"""Item-based collaborative filtering: videos liked by the viewers who liked what this viewer liked.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, B = viewers asked for, N = videos asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset
from swipewise.training.neighbours import damp_long_histories, nearest, taste
from swipewise.training.ranking import top_k_unseen

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

DAY_MS = 86_400_000


def itemcf_space(trial: BaseTrial) -> dict[str, Any]:
    """The settings that ItemCF is searched over."""
    return {
        "neighbours": trial.suggest_int("neighbours", 20, 1000, log=True),
        "shrinkage": trial.suggest_float("shrinkage", 0.5, 200.0, log=True),
        "inverse_user_frequency": trial.suggest_categorical("inverse_user_frequency", [True, False]),
        "exposure_weight": trial.suggest_float("exposure_weight", 0.0, 1.0),
        "half_life_days": trial.suggest_categorical("half_life_days", [None, 2.0, 7.0, 28.0]),
    }


class ItemCFRecommender:
    """Cosine between the columns of the viewer-by-video matrix, kept for the nearest neighbours of each video.

    Where no neighbour speaks, for cold viewers and cold videos, popularity decides.

    Args:
        neighbours: How many neighbours of a video are kept.
        shrinkage: Similarities that rest on n shared viewers are scaled by n / (n + shrinkage).
        inverse_user_frequency: Whether viewers with long histories say less about which videos belong together
            (their interactions weigh 1 / sqrt(log(1 + length))).
        exposure_weight: What an interaction that was not positive counts, where a positive one counts 1.
        half_life_days: Time in which the weight of an interaction of the history halves; None for no decay.
    """

    name = "itemcf"

    def __init__(
        self,
        *,
        neighbours: int = 100,
        shrinkage: float = 10.0,
        inverse_user_frequency: bool = True,
        exposure_weight: float = 0.0,
        half_life_days: float | None = None,
    ) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.inverse_user_frequency = inverse_user_frequency
        self.exposure_weight = exposure_weight
        self.half_life_days = half_life_days
        self._similarity_VV: sp.csr_array | None = None
        self._popularity_V: NDArray[np.float64] | None = None
        self._history_UV: sp.csr_array | None = None
        self._dataset: Dataset | None = None

    def fit(self, dataset: Dataset) -> Self:
        """Compute the neighbours of every video."""
        taste_UV = self._weights(dataset)
        if self.inverse_user_frequency:
            taste_UV = damp_long_histories(taste_UV)
        self._similarity_VV = nearest(taste_UV, self.neighbours, self.shrinkage)
        rows = dataset.interactions
        count_V = np.bincount(rows.video_I[rows.positive_I], minlength=len(dataset.video_ids))
        # Far below any similarity that matters: it only orders what the neighbours leave equal.
        self._popularity_V = 1e-6 * count_V / max(count_V.max(initial=0), 1)
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories to score with; the neighbours stay."""
        at_I = dataset.interactions.at_I
        decay_I = np.ones(len(at_I))
        if self.half_life_days is not None:
            age_days_I = (at_I.max(initial=0) - at_I) / DAY_MS
            decay_I = 0.5 ** (age_days_I / self.half_life_days)
        self._history_UV = self._weights(dataset, decay_I)
        self._dataset = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sum of the similarities to the viewer's history, weighted (B, N)."""
        assert self._similarity_VV is not None, "fit first"
        assert self._history_UV is not None
        assert self._popularity_V is not None
        summed_BV = (self._history_UV[viewers_B] @ self._similarity_VV).toarray()
        scores_BN: NDArray[np.float64] = summed_BV[:, videos_N] + self._popularity_V[videos_N]
        return scores_BN.astype(np.float32)

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The k unseen videos nearest to the history (B, k)."""
        assert self._dataset is not None, "fit first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)

    def _weights(self, dataset: Dataset, scale_I: NDArray[np.float64] | None = None) -> sp.csr_array:
        shape = (len(dataset.viewer_ids), len(dataset.video_ids))
        return taste(dataset.interactions, shape, exposure_weight=self.exposure_weight, scale_I=scale_I)
