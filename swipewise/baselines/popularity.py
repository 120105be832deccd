"""The same ranking for everybody: what is liked most, of all time or lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

DAY_MS = 86_400_000


def recent_space(trial: BaseTrial) -> dict[str, Any]:
    """The windows that recent popularity is searched over."""
    return {"days": trial.suggest_categorical("days", [1, 2, 3, 4, 7, 14, 28])}


class PopularityRecommender:
    """Counts positive interactions.

    Args:
        days: Length of the window that ends with the last interaction fitted on; None counts all.
    """

    def __init__(self, *, days: float | None = None) -> None:
        self.name = "popularity" if days is None else "recent"
        self.days = days
        self._count_V: NDArray[np.float32] | None = None
        self._dataset: Dataset | None = None

    def fit(self, dataset: Dataset) -> Self:
        """Count within the window."""
        rows = dataset.interactions
        counted_I = rows.positive_I.copy()
        if self.days is not None:
            counted_I &= rows.at_I > rows.at_I.max(initial=0) - self.days * DAY_MS
        self._count_V = np.bincount(rows.video_I[counted_I], minlength=len(dataset.video_ids)).astype(np.float32)
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories that ``recommend`` leaves out; the counts stay."""
        self._dataset = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Counts (B, N), the same in every row."""
        assert self._count_V is not None, "fit first"
        return np.tile(self._count_V[videos_N], (len(viewers_B), 1))

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The k most popular unseen videos (B, k)."""
        assert self._dataset is not None, "fit first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)
