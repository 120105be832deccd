"""The head of a recommender's rankings: what a feed's last stage chooses from.

Legend of shape suffixes: B = viewers, V = all videos, H = places of the head, D = width of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.config import FeedConfig
from swipewise.feed.scoring import standardise
from swipewise.training.ranking import NO_VIDEO, RankingTask, top_k_unseen
from swipewise.training.recommender import InterestRecommender

PLACES = 100
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


def _best(
    score_BV: NDArray[np.float32], viewers_B: NDArray[np.int64], task: RankingTask
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    def score(some_B: NDArray[np.int64], _: NDArray[np.int64]) -> NDArray[np.float32]:
        return score_BV[np.searchsorted(viewers_B, some_B)]

    retrieved_BR = top_k_unseen(score, task.history, viewers_B, FeedConfig().retrieve)
    assert (retrieved_BR != NO_VIDEO).all(), "the catalogue is smaller than what a feed retrieves"
    score_BR = np.take_along_axis(score_BV, retrieved_BR, axis=1)
    standard_BR = np.stack([standardise(score_R) for score_R in score_BR])
    return retrieved_BR[:, :PLACES], standard_BR[:, :PLACES]
