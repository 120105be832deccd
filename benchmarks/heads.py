"""The head of our rankings, as a feed's last stage finds it, and what spreading it out costs.

Legend of shape suffixes: B = viewers, V = all videos, H = places of the head, K = places of a list, D = width of a
vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from spreading import Spread

from swipewise.config import FeedConfig
from swipewise.evaluation.beyond import LIST
from swipewise.feed.diversify import HEAD, LIKED, variety_of
from swipewise.feed.scoring import standardise
from swipewise.training.dataset import Dataset
from swipewise.training.ranking import NO_VIDEO, RankingTask, hits_of, ndcg_at_k, top_k_unseen
from swipewise.training.recommender import InterestRecommender

_BLOCK_VIEWERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The best videos of each viewer of a task.

    video_BH: int64, best first. score_BH: float32, standardised within as many candidates as a feed retrieves, as its
    blend does it. vector_VD: float32, the vectors of the index.
    """

    video_BH: NDArray[np.int64]
    score_BH: NDArray[np.float32]
    vector_VD: NDArray[np.float32]

    @classmethod
    def of(cls, recommender: InterestRecommender, task: RankingTask) -> Self:
        """Rank for every viewer of a task, from the histories that the recommender observed."""
        everything_V = np.arange(len(task.history.video_ids))
        parts = []
        for start in range(0, len(task.viewers_B), _BLOCK_VIEWERS):
            viewers_B = task.viewers_B[start : start + _BLOCK_VIEWERS]
            score_BV = recommender.score(viewers_B, everything_V)
            parts.append(_best(score_BV, viewers_B, task))
        videos, scores = zip(*parts, strict=True)
        return cls(
            video_BH=np.concatenate(videos),
            score_BH=np.concatenate(scores),
            vector_VD=recommender.index_vectors_VD,
        )

    def spread(
        self, way: Spread, strength: float, variety_B: NDArray[np.float64], places: int = LIST
    ) -> NDArray[np.int64]:
        """The list of each viewer: (B, K) videos."""
        unit_VD = self.unit_VD
        rows = []
        for video_H, score_H, variety in zip(self.video_BH, self.score_BH, variety_B.tolist(), strict=True):
            rows.append(video_H[way(score_H, unit_VD[video_H], strength, variety, places)])
        return np.stack(rows)

    @property
    def unit_VD(self) -> NDArray[np.float32]:
        """The vectors with length 1."""
        length_V1 = np.linalg.norm(self.vector_VD, axis=1, keepdims=True)
        unit_VD: NDArray[np.float32] = self.vector_VD / np.maximum(length_V1, np.float32(1e-12))
        return unit_VD

    def distance_B(self, list_BK: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean 1 - cosine over the pairs of each list: (B,)."""
        vectors_BKD = self.unit_VD[list_BK].astype(np.float64)
        cosine_BKK = vectors_BKD @ vectors_BKD.transpose(0, 2, 1)
        first, second = np.triu_indices(list_BK.shape[1], k=1)
        distance_B: NDArray[np.float64] = 1 - cosine_BKK[:, first, second].mean(axis=1)
        return distance_B

    def varieties(self, task: RankingTask) -> NDArray[np.float64]:
        """How varied each viewer's taste is, as the feed sees it: (B,)."""
        unit_VD = self.unit_VD
        return np.array([variety_of(unit_VD[liked_L]) for liked_L in _liked(task.history, task.viewers_B)])


def ndcg_B(list_BK: NDArray[np.int64], task: RankingTask) -> NDArray[np.float64]:
    """NDCG@10 of lists: (B,)."""
    return ndcg_at_k(hits_of(list_BK, task.relevant_R, len(task.history.video_ids)), task.relevant_B, LIST)


def least_strength(
    head: Head, way: Spread, variety_B: NDArray[np.float64], *, apart: float, strengths: Sequence[float]
) -> float:
    """The least of some ascending strengths that sets lists ``apart`` times as far as the order of scores does.

    The greatest where none does.
    """
    wanted = apart * float(head.distance_B(head.video_BH[:, :LIST]).mean())
    low, high = 0, len(strengths) - 1
    while low < high:
        middle = (low + high) // 2
        found = float(head.distance_B(head.spread(way, strengths[middle], variety_B)).mean())
        low, high = (low, middle) if found >= wanted else (middle + 1, high)
    return strengths[low]


def _liked(history: Dataset, viewers_B: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The latest liked videos of each viewer."""
    rows, offsets = history.interactions, history.viewer_offsets()
    parts = (slice(offsets[viewer], offsets[viewer + 1]) for viewer in viewers_B)
    return [rows.video_I[part][rows.positive_I[part]][-LIKED:] for part in parts]


def _best(
    score_BV: NDArray[np.float32], viewers_B: NDArray[np.int64], task: RankingTask
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    def score(some_B: NDArray[np.int64], _: NDArray[np.int64]) -> NDArray[np.float32]:
        return score_BV[np.searchsorted(viewers_B, some_B)]

    retrieved_BR = top_k_unseen(score, task.history, viewers_B, FeedConfig().retrieve)
    assert (retrieved_BR != NO_VIDEO).all(), "the catalogue is smaller than what a feed retrieves"
    score_BR = np.take_along_axis(score_BV, retrieved_BR, axis=1)
    standard_BR = np.stack([standardise(score_R) for score_R in score_BR])
    return retrieved_BR[:, :HEAD], standard_BR[:, :HEAD]
