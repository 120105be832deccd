"""What an evaluation asks: rank every video that existed for every viewer who liked something new after the cut.

Legend of shape suffixes: B = viewers, R = pairs of a viewer and a relevant video (see RankingTask), K = places,
H = hits, I = interactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.segments import COLD_VIEWER_BELOW as COLD_VIEWER_BELOW
from swipewise.evaluation.segments import Segment as Segment
from swipewise.evaluation.segments import Targets as Targets
from swipewise.evaluation.segments import segments_of
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.ranking import (
    RankingTask,
    hits_of,
    ndcg_at_k,
    ranking_task,
    recall_at_k,
    reciprocal_rank,
    top_k_unseen,
)

PLACES = 50
"""Places of a ranking that are looked at; MRR counts a first hit beyond them as none."""


class Metric(StrEnum):
    """A figure a viewer; all lie in [0, 1] and more is better."""

    NDCG_10 = "ndcg@10"
    RECALL_10 = "recall@10"
    RECALL_50 = "recall@50"
    MRR = "mrr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One fixed exam, the same for every recommender; nothing in it is sampled.

    history: what recommenders observe.
    start: milliseconds, before everything that is predicted.
    segments: by name, only those that have viewers.
    """

    history: Dataset
    start: int
    task: RankingTask
    segments: Mapping[str, Targets]

    @classmethod
    def at(cls, dataset: Dataset, start: int, *, all_candidates: bool = False) -> Self:
        """Cut ``dataset`` at ``start``: what lies before is history, what lies after has to be predicted.

        Args:
            dataset: Everything, also what happened after the cut.
            start: Milliseconds.
            all_candidates: Whether every video of the catalogue is a candidate. By default those are that had been
                uploaded by the viewer's last interaction.

        Returns:
            The exam.

        Raises:
            DataError: Nobody likes anything new after the cut.
        """
        last = int(dataset.interactions.at_I.max(initial=start))
        task = ranking_task(dataset.before(start), dataset.between(start, last + 1), all_candidates=all_candidates)
        return cls._of(task, start)

    @classmethod
    def leave_last_out(cls, dataset: Dataset, *, all_candidates: bool = True) -> Self:
        """Ask for each viewer's last new liked video, given what the viewer did before it: the literature's exam.

        It compares with published figures, not with what a platform would see: viewers are cut at moments of their
        own, so recommenders fitted on ``history`` know what others did later. Recommenders are fitted on
        ``history``; ``Protocol.leave_last_out(protocol.history)`` is the validation that goes with it.

        A video is new that the viewer had no earlier interaction with. What a viewer did at the target's very
        moment or after it is left out; viewers who never liked anything new keep their history and are not
        examined.

        Args:
            dataset: Everything.
            all_candidates: Whether every video of the catalogue is a candidate, as is usual in the literature, or
                only those uploaded by the target's moment.

        Returns:
            The exam.

        Raises:
            DataError: Nobody likes anything new.
        """
        rows = dataset.interactions
        target_I = _last_new_liked(dataset)
        until_U = np.full(len(dataset.viewer_ids), np.iinfo(np.int64).max)
        until_U[rows.viewer_I[target_I]] = rows.at_I[target_I]
        task = ranking_task(
            replace(dataset, interactions=rows.where(rows.at_I < until_U[rows.viewer_I])),
            replace(dataset, interactions=rows.where(target_I)),
            all_candidates=all_candidates,
        )
        return cls._of(task, int(task.last_at_B.min()))

    @classmethod
    def _of(cls, task: RankingTask, start: int) -> Self:
        return cls(history=task.history, start=start, task=task, segments=MappingProxyType(segments_of(task)))

    @property
    def candidates_B(self) -> NDArray[np.int64]:
        """How many videos each viewer's ranking chooses from: (B,)."""
        uploaded_at_V = self.history.uploaded_at_V
        latest = np.full(len(self.task.viewers_B), np.iinfo(np.int64).max)
        by_B = latest if self.task.uploaded_by_B is None else self.task.uploaded_by_B
        offsets = self.history.viewer_offsets()
        count_B = np.searchsorted(np.sort(uploaded_at_V), by_B, side="right")
        for row, (viewer, by) in enumerate(zip(self.task.viewers_B, by_B, strict=True)):
            seen = np.unique(self.history.interactions.video_I[offsets[viewer] : offsets[viewer + 1]])
            count_B[row] -= (uploaded_at_V[seen] <= by).sum()
        return count_B


def _last_new_liked(dataset: Dataset) -> NDArray[np.bool_]:
    """Each viewer's last positive interaction that is the first with its video: (I,), at most one a viewer."""
    rows = dataset.interactions
    pair_I = rows.viewer_I * len(dataset.video_ids) + rows.video_I
    order = np.lexsort((rows.at_I, pair_I))
    _, start, pair_of = np.unique(pair_I[order], return_index=True, return_inverse=True)
    first_at_I = np.empty_like(rows.at_I)
    first_at_I[order] = rows.at_I[order][start][pair_of]
    wanted = np.flatnonzero(rows.positive_I & (rows.at_I == first_at_I))
    last = np.append(rows.viewer_I[wanted][1:] != rows.viewer_I[wanted][:-1], True)[: len(wanted)]
    target_I = np.zeros(len(rows), bool)
    target_I[wanted[last]] = True
    return target_I


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How a recommender did, viewer by viewer.

    values: segment to metric to (B,) float64, rows as ``Targets.rows_B``.
    best_BK: (B, PLACES) int64 videos, the rankings themselves, rows as the task's ``viewers_B`` (see top_k_unseen).
    """

    name: str
    values: Mapping[str, Mapping[Metric, NDArray[np.float64]]]
    best_BK: NDArray[np.int64]

    def mean(self, metric: Metric, segment: str = Segment.ALL) -> float:
        """The mean over the viewers of a segment.

        Args:
            metric: Which figure.
            segment: Whose; all viewers by default.
        """
        return float(self.values[segment][metric].mean())


def evaluate(recommender: Recommender, protocol: Protocol) -> Measured:
    """Put a fitted recommender through the exam.

    It takes the histories before the cut with ``observe`` and scores all videos for the viewers block by block.

    Args:
        recommender: Fitted on what the protocol gives as history.
        protocol: The exam.

    Returns:
        The figures of every viewer in every segment.

    Raises:
        DataError: A score is not a number.
    """
    recommender = recommender.observe(protocol.history)
    task = protocol.task
    best_BK = top_k_unseen(
        recommender.score, task.history, task.viewers_B, PLACES, uploaded_by_B=task.uploaded_by_B
    )
    return measured_of(recommender.name, best_BK, protocol)


def measured_of(name: str, best_BK: NDArray[np.int64], protocol: Protocol) -> Measured:
    """The figures of rankings that are at hand: (B, K) videos for the viewers of the protocol's task, best first.

    Args:
        name: Of what ranked.
        best_BK: The rankings.
        protocol: The exam.
    """
    videos = len(protocol.task.history.video_ids)
    hits_BK = hits_of(best_BK, protocol.task.relevant_R, videos)
    row_H, place_H = np.nonzero(hits_BK)
    pair_H = row_H * videos + best_BK[row_H, place_H]

    def figures(targets: Targets) -> dict[Metric, NDArray[np.float64]]:
        # A segment changes what counts as relevant, never what is ranked: its hits are some of all.
        counts_H = np.isin(pair_H, targets.relevant_R)
        own_BK = np.zeros_like(hits_BK)
        own_BK[row_H[counts_H], place_H[counts_H]] = True
        relevant_B = np.bincount(targets.relevant_R // videos, minlength=len(best_BK))
        return _figures(own_BK[targets.rows_B], relevant_B[targets.rows_B])

    return Measured(
        name=name,
        best_BK=best_BK,
        values={segment: figures(targets) for segment, targets in protocol.segments.items()},
    )


def _figures(hits_BK: NDArray[np.bool_], relevant_B: NDArray[np.int64]) -> dict[Metric, NDArray[np.float64]]:
    return {
        Metric.NDCG_10: ndcg_at_k(hits_BK, relevant_B, 10),
        Metric.RECALL_10: recall_at_k(hits_BK, relevant_B, 10),
        Metric.RECALL_50: recall_at_k(hits_BK, relevant_B, 50),
        Metric.MRR: reciprocal_rank(hits_BK),
    }
