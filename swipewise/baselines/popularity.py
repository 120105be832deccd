"""The same ranking for everybody: what is liked most, of all time or lately."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen

DAY_MS = 86_400_000


class PopularityRecommender:
    """Counts positive interactions.

    Args:
        days: Length of the window that ends with the last interaction fitted on; None counts all.
    """

    name = "popularity"

    def __init__(self, *, days: float | None = None) -> None:
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
