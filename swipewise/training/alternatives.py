"""How well a fitted model would rank with other weights, or with its histories read by something else.

Legend of shape suffixes: B = viewers, N = videos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from swipewise.training.exported import HistoryReader
from swipewise.training.fitted import Weights
from swipewise.training.inference import Interests, Projected
from swipewise.training.ranking import RankingTask, mean_ndcg, viewers_at_once

_Ranker = tuple[Interests, Weights | None]
"""What is known of the viewers of a block, and by which weights they are ranked for; None: the model's own."""


def ndcg_by_weights(projected: Projected, task: RankingTask, tried: Sequence[Weights]) -> NDArray[np.float64]:
    """Mean NDCG@10 on a task with other weights than the model's, one for each that is tried.

    Args:
        projected: The model on the task's catalogue, with every part that any of the weights asks for.
        task: Whom to rank for, and what is right.
        tried: The weights.
    """

    def rankers(part: RankingTask) -> Iterator[_Ranker]:
        interests = projected.interest(part.history, part.viewers_B)
        return ((interests, weights) for weights in tried)

    return _mean_ndcg(projected, task, len(tried), rankers)


def ndcg_by_readers(
    projected: Projected, task: RankingTask, readers: Sequence[HistoryReader]
) -> NDArray[np.float64]:
    """Mean NDCG@10 on a task by the network, and by others that read the histories in its place.

    Args:
        projected: The model on the task's catalogue.
        task: Whom to rank for, and what is right.
        readers: The others.
    """

    def rankers(part: RankingTask) -> Iterator[_Ranker]:
        asked = [projected.reader, *readers]
        return ((interests, None) for interests in projected.interests_by(asked, part.history, part.viewers_B))

    return _mean_ndcg(projected, task, 1 + len(readers), rankers)


def _mean_ndcg(
    projected: Projected, task: RankingTask, count: int, rankers: Callable[[RankingTask], Iterator[_Ranker]]
) -> NDArray[np.float64]:
    """Of each of so many ways to rank; viewers are read in blocks, once for all of them."""
    total = np.zeros(count)
    block = viewers_at_once(len(task.history.video_ids))
    for start in range(0, len(task.viewers_B), block):
        part = task.part(slice(start, start + block))
        for place, (interests, weights) in enumerate(rankers(part)):
            score = partial(_score, projected, interests, weights)
            total[place] += len(part.viewers_B) * mean_ndcg(score, part)
    return total / len(task.viewers_B)


def _score(
    projected: Projected,
    interests: Interests,
    weights: Weights | None,
    viewers_B: NDArray[np.int64],
    videos_N: NDArray[np.int64],
) -> NDArray[np.float32]:
    assert len(viewers_B) == len(interests.z_BD), "asked for others than those read"
    return projected.score(interests, videos_N, weights=weights).cpu().numpy()
