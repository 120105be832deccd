"""Rank every candidate for a viewer, and say how good the ranking is; no sampling of candidates anywhere.

Training uses it for early stopping, the baselines for tuning and evaluation for its report, so that one definition
serves all three.

Legend of shape suffixes: B = viewers, V = all videos, K = places of the ranking, R = pairs of a viewer and a
relevant video, X = pairs of a viewer and a video that is no candidate, N = pairs that may be in the ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.training.dataset import Dataset
from swipewise.training.mapped import viewer_blocks

ScoreFn = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""``Recommender.score``: viewers (B,) and videos (N,) to scores (B, N), higher is better."""

NO_VIDEO = -1
"""Fills the places of a ranking when there are fewer candidates than places."""

_BLOCK_VIEWERS = 512
_BLOCK_SCORES = 4_000_000
_GROUPS_A_PLACE = 8  # of videos: with fewer, two of the best more often share one, and more has to be sorted


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingTask:
    """What has to be ranked high for whom: liked later, not seen before.

    history: the interactions that recommenders may look at; videos in a viewer's own history are no candidates.
    viewers_B: (B,) int64, the viewers with at least one relevant video, ascending.
    last_at_B: (B,) int64 milliseconds, the viewer's last interaction of the period that is predicted; every video
        uploaded at or before it is a candidate.
    relevant_R: (R,) int64, ``row * V + video`` ascending, where row is the place in ``viewers_B``.
    all_candidates: Whether every video of the catalogue is a candidate, also one that is uploaded later.
    """

    history: Dataset
    viewers_B: NDArray[np.int64]
    last_at_B: NDArray[np.int64]
    relevant_R: NDArray[np.int64]
    all_candidates: bool = False

    @property
    def uploaded_by_B(self) -> NDArray[np.int64] | None:
        """Videos uploaded by then are candidates, (B,) int64 milliseconds; None: all are."""
        return None if self.all_candidates else self.last_at_B

    @property
    def relevant_B(self) -> NDArray[np.int64]:
        """How many relevant videos each viewer has: (B,)."""
        return np.bincount(self.relevant_R // len(self.history.video_ids), minlength=len(self.viewers_B))

    def part(self, rows: slice) -> RankingTask:
        """The same for some of the viewers, by their places in ``viewers_B``.

        Args:
            rows: Places in ``viewers_B``.
        """
        start, end, _ = rows.indices(len(self.viewers_B))
        videos = len(self.history.video_ids)
        first, last = np.searchsorted(self.relevant_R, [start * videos, end * videos])
        return replace(
            self,
            viewers_B=self.viewers_B[rows],
            last_at_B=self.last_at_B[rows],
            relevant_R=self.relevant_R[first:last] - start * videos,
        )


def ranking_task(history: Dataset, future: Dataset, *, all_candidates: bool = False) -> RankingTask:
    """Set up the ranking of what viewers will like in ``future`` given ``history``.

    Args:
        history: The interactions before a moment, which may be each viewer's own.
        future: The interactions from that moment on, of the same viewers and videos.
        all_candidates: Whether every video is a candidate, whatever its upload time.

    Returns:
        Whom to ask, what may be ranked, and what is right.

    Raises:
        DataError: No viewer likes anything new in ``future``.
    """
    videos = len(future.video_ids)
    rows = future.interactions
    new = np.concatenate([np.zeros(0, np.int64), *_newly_liked(history, future)])
    if not len(new):
        raise DataError(
            f"there is nothing to predict: none of the {len(rows)} interactions of this period is a positive one "
            "with a video new to its viewer: import more behaviour, or make split.validation and split.test larger"
        )
    viewers_B, row_R = np.unique(new // videos, return_inverse=True)
    offsets = future.viewer_offsets()
    last_at_B = rows.at_I[offsets[viewers_B + 1] - 1]  # sorted by time within a viewer
    return RankingTask(
        history=history,
        viewers_B=viewers_B,
        last_at_B=last_at_B,
        relevant_R=row_R * videos + new % videos,
        all_candidates=all_candidates,
    )


def _newly_liked(history: Dataset, future: Dataset) -> Iterator[NDArray[np.int64]]:
    """What viewers like and have not seen before, as ``viewer * V + video`` ascending, some viewers at a time."""
    videos = len(future.video_ids)
    before_U, after_U = history.viewer_offsets(), future.viewer_offsets()
    for here in viewer_blocks(before_U + after_U):
        seen = history.interactions.part(slice(before_U[here.start], before_U[here.stop]))
        rows = future.interactions.part(slice(after_U[here.start], after_U[here.stop]))
        liked = np.unique((rows.viewer_I * videos + rows.video_I)[rows.positive_I])
        yield np.setdiff1d(liked, seen.viewer_I * videos + seen.video_I)


def viewers_at_once(videos: int) -> int:
    """How many viewers are asked for at a time, so that their scores for so many videos fill no memory.

    Args:
        videos: How many are scored for each.
    """
    return max(1, min(_BLOCK_VIEWERS, _BLOCK_SCORES // max(videos, 1)))


def top_k_unseen(
    score: ScoreFn,
    dataset: Dataset,
    viewers_B: NDArray[np.int64],
    k: int,
    *,
    uploaded_by_B: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The best ``k`` videos of each viewer that are not in the viewer's history.

    Equal scores are put in an order that is arbitrary but always the same, so that a recommender which cannot tell
    videos apart gains nothing from the order of the catalogue.

    Args:
        score: Gives the scores of a block of viewers for all videos.
        dataset: Whose interactions are the histories.
        viewers_B: (B,) int64 indices of viewers.
        k: Places of the ranking.
        uploaded_by_B: (B,) int64 milliseconds; only videos uploaded by then are candidates. None: all are.

    Returns:
        (B, k) int64 indices of videos, best first, ``NO_VIDEO`` where candidates ran out.

    Raises:
        DataError: A score is not a number.
    """
    videos = len(dataset.video_ids)
    lot_V = np.argsort(np.random.default_rng(0).permutation(videos))
    best_BK = np.full((len(viewers_B), k), NO_VIDEO)
    block = viewers_at_once(videos)
    offsets_U = dataset.viewer_offsets()
    for start in range(0, len(viewers_B), block):
        here = slice(start, start + block)
        # A copy, to be changed in place.
        scores_BV = np.array(score(viewers_B[here], np.arange(videos)), order="C")
        excluded_X = _seen(dataset, offsets_U, viewers_B[here])
        if uploaded_by_B is not None:
            late_X = _not_there_yet(dataset.uploaded_at_V, uploaded_by_B[here])
            excluded_X = np.concatenate([excluded_X, late_X])
        scores_BV.ravel()[excluded_X] = -np.inf
        best_BK[here, : min(k, videos)] = _top_k(scores_BV, min(k, videos), lot_V, excluded_X)
    return best_BK


def _seen(dataset: Dataset, offsets_U: NDArray[np.int64], viewers_B: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is in the viewers' histories, as ``row * V + video``: (X,)."""
    first_B, count_B = offsets_U[viewers_B], offsets_U[viewers_B + 1] - offsets_U[viewers_B]
    row_X = np.repeat(np.arange(len(viewers_B)), count_B)
    place_X = np.arange(len(row_X)) + np.repeat(first_B - np.concatenate([[0], count_B.cumsum()[:-1]]), count_B)
    pair_X: NDArray[np.int64] = row_X * len(dataset.video_ids) + dataset.interactions.video_I[place_X]
    return pair_X


def _not_there_yet(uploaded_at_V: NDArray[np.int64], by_B: NDArray[np.int64]) -> NDArray[np.int64]:
    """What was uploaded after each viewer's moment, as ``row * V + video``: (X,)."""
    late = np.flatnonzero(uploaded_at_V > by_B.min())
    row_X, place_X = np.nonzero(uploaded_at_V[late] > by_B[:, None])
    return row_X * len(uploaded_at_V) + late[place_X]


def _top_k(
    scores_BV: NDArray[np.floating], k: int, lot_V: NDArray[np.int64], excluded_X: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Columns (B, k) of the largest values of each row, largest first; of equal ones those with the lowest lots.

    All that is not below a bound under the k-th value is sorted, which is little more than k a row. Where that reaches
    down to minus infinity the excluded come last, and become ``NO_VIDEO``.
    """
    videos = scores_BV.shape[1]
    bound_B = _at_most_kth(scores_BV, k)
    pair_N = np.flatnonzero(scores_BV >= bound_B[:, None])
    score_N = scores_BV.reshape(-1)[pair_N]
    row_N, video_N = np.divmod(pair_N, videos)
    excluded_N = np.isneginf(score_N)
    if excluded_N.any():  # few rankings reach down there, and numpy sorts all that is excluded to find none of it
        excluded_N[excluded_N] = np.isin(pair_N[excluded_N], excluded_X)
    order_N = np.lexsort((lot_V[video_N], excluded_N, -score_N, row_N))
    first_B = np.searchsorted(row_N, np.arange(len(scores_BV)))
    chosen_BK = order_N[first_B[:, None] + np.arange(k)]
    return np.where(excluded_N[chosen_BK], NO_VIDEO, video_N[chosen_BK])


def _at_most_kth(scores_BV: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """A value for each row, (B,), that at least ``k`` of its values reach and hardly more do.

    It is the k-th largest of the largest values of groups of columns: to find those is a tenth of the work of looking
    for the k-th of all. Columns of a group lie far apart, as videos that are alike often stand side by side.

    Raises:
        DataError: A score is not a number.
    """
    rows, videos = scores_BV.shape
    groups = min(videos, _GROUPS_A_PLACE * k)
    grouped = videos - videos % groups
    largest_BG = scores_BV[:, :grouped].reshape(rows, -1, groups).max(axis=1)
    rest = np.s_[:, : videos - grouped]
    largest_BG[rest] = np.maximum(largest_BG[rest], scores_BV[:, grouped:])
    if np.isnan(largest_BG).any():
        raise DataError("a recommender's score is not a number: train it again with a smaller learning rate")
    bound_B: NDArray[np.floating] = np.partition(largest_BG, groups - k, axis=1)[:, groups - k]
    return bound_B


def rank_hits(score: ScoreFn, task: RankingTask, k: int) -> NDArray[np.bool_]:
    """Rank the candidates of every viewer of a task.

    Args:
        score: Gives scores (B, N) of videos for viewers.
        task: Whom to ask, and what is right.
        k: Places of a ranking.

    Returns:
        (B, k), True where a relevant video has that place.
    """
    best_BK = top_k_unseen(score, task.history, task.viewers_B, k, uploaded_by_B=task.uploaded_by_B)
    return hits_of(best_BK, task.relevant_R, len(task.history.video_ids))


def hits_of(best_BK: NDArray[np.int64], relevant_R: NDArray[np.int64], videos: int) -> NDArray[np.bool_]:
    """(B, K), True where the video at that place is among the pairs ``relevant_R`` (see RankingTask).

    Args:
        best_BK: Rankings, best first.
        relevant_R: What is right, as pairs in one number each.
        videos: How many there are in all.
    """
    pairs_BK = np.arange(len(best_BK))[:, None] * videos + best_BK
    # Those that are relevant are in order, and few: a search among them is cheaper than sorting them with all pairs.
    place_BK = np.searchsorted(relevant_R, pairs_BK)
    found_BK = np.append(relevant_R, -1)[place_BK] == pairs_BK
    hits_BK: NDArray[np.bool_] = found_BK & (best_BK != NO_VIDEO)
    return hits_BK


def ndcg_at_k(hits_BK: NDArray[np.bool_], relevant_B: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain of the first ``k`` places, (B,) in [0, 1].

    A hit at place j (from 1) gains 1 / log2(j + 1); the sum is divided by the best possible one, which has hits at
    the first min(k, relevant) places.

    >>> hits = np.array([[False, True, False]])
    >>> bool(ndcg_at_k(hits, np.array([1]), 3)[0] == 1 / np.log2(3))
    True

    Args:
        hits_BK: True where a relevant video has that place.
        relevant_B: How many are relevant to each viewer.
        k: How many places count.
    """
    gain_K = 1 / np.log2(np.arange(2, k + 2))
    ideal_B = np.concatenate([[0.0], gain_K.cumsum()])[np.minimum(relevant_B, k)]
    gained_B = (hits_BK[:, :k] * gain_K[: hits_BK.shape[1]]).sum(axis=1)
    return _ratio(gained_B, ideal_B)


def recall_at_k(hits_BK: NDArray[np.bool_], relevant_B: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Share of the relevant videos that are among the first ``k``, (B,) in [0, 1].

    >>> recall_at_k(np.array([[True, False, True]]), np.array([4]), 3).tolist()
    [0.5]

    Args:
        hits_BK: True where a relevant video has that place.
        relevant_B: How many are relevant to each viewer.
        k: How many places count.
    """
    return _ratio(hits_BK[:, :k].sum(axis=1), relevant_B)


def reciprocal_rank(hits_BK: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One divided by the place (from 1) of the first relevant video, 0 when none is ranked: (B,).

    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]])).tolist()
    [0.5, 0.0]

    Args:
        hits_BK: True where a relevant video has that place.
    """
    return np.where(hits_BK.any(axis=1), 1 / (hits_BK.argmax(axis=1) + 1), 0.0)


def mean_ndcg(score: ScoreFn, task: RankingTask, k: int = 10) -> float:
    """Mean NDCG@k over the viewers of a task; what early stopping and tuning maximise.

    Args:
        score: Gives scores (B, N) of videos for viewers.
        task: Whom to ask, and what is right.
        k: How many places count.
    """
    return float(ndcg_at_k(rank_hits(score, task, k), task.relevant_B, k).mean())


def _ratio(part_B: NDArray[np.number], whole_B: NDArray[np.number]) -> NDArray[np.float64]:
    """The quotient, 0 where the whole is 0."""
    quotient_B: NDArray[np.float64] = np.divide(part_B, whole_B, out=np.zeros(len(part_B)), where=whole_B > 0)
    return quotient_B
