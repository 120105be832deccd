"""Small data sets whose figures can be worked out by hand; times are plain numbers of milliseconds."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.ranking import top_k_unseen


def dataset_of(rows: list[tuple[int, int, int, bool]], *, viewers: int, uploaded: list[int]) -> Dataset:
    """Rows are (viewer, video, at, positive)."""
    columns = np.array(sorted(rows, key=lambda row: (row[0], row[2])), np.int64).reshape(-1, 4)
    return Dataset(
        viewer_ids=tuple(f"u{n}" for n in range(viewers)),
        video_ids=tuple(f"v{n}" for n in range(len(uploaded))),
        interactions=Interactions(
            viewer_I=columns[:, 0],
            video_I=columns[:, 1],
            at_I=columns[:, 2],
            watch_ratio_I=columns[:, 3].astype(np.float32),
            actions_IF=np.zeros((len(rows), 7), bool),
            positive_I=columns[:, 3].astype(bool),
        ),
        uploaded_at_V=np.array(uploaded, np.int64),
        content={},
        attributes_VA=np.zeros((len(uploaded), 0), np.int64),
        attribute_values=(),
        profile_UP=np.zeros((viewers, 0), np.int64),
        profile_values=(),
    )


class TableRecommender:
    """Scores read from a table (U, V)."""

    def __init__(self, scores_UV: NDArray[np.floating] | list[list[float]], name: str = "table") -> None:
        self.name = name
        self.scores_UV = np.array(scores_UV, np.float32)
        self.observed: Dataset | None = None

    def fit(self, dataset: Dataset) -> Self:
        return self

    def observe(self, dataset: Dataset) -> Self:
        self.observed = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.scores_UV[np.ix_(viewers_B, videos_N)]

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        assert self.observed is not None
        return top_k_unseen(self.score, self.observed, viewers_B, k)
