"""What an evaluation asks: rank every video that existed for every viewer who liked something new after the cut.

Legend of shape suffixes: B = viewers, R = pairs of a viewer and a relevant video (see RankingTask), K = places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

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

COLD_VIEWER_BELOW = 5
"""A viewer with fewer interactions than this before the cut is cold."""


class Metric(StrEnum):
    """A figure a viewer; all lie in [0, 1] and more is better."""

    NDCG_10 = "ndcg@10"
    RECALL_10 = "recall@10"
    RECALL_50 = "recall@50"
    MRR = "mrr"


class Segment(StrEnum):
    """Of whom, or of what, the figures speak."""

    ALL = "all"
    WARM_VIEWERS = "warm viewers"
    COLD_VIEWERS = "cold viewers"
    COLD_VIDEOS = "cold videos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The part of a task that one segment looks at.

    rows_B: (B,) int64, the viewers, as places in the task's ``viewers_B``.
    relevant_R: (R,) int64, the relevant pairs, ``row * V + video`` with those same places.
    """

    rows_B: NDArray[np.int64]
    relevant_R: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One fixed exam, the same for every recommender.

    history: the interactions before ``start`` (milliseconds), which recommenders observe.
    segments: only those that have viewers.
    """

    history: Dataset
    start: int
    task: RankingTask
    segments: Mapping[Segment, Targets]

    @classmethod
    def at(cls, dataset: Dataset, start: int) -> Protocol:
        """Cut ``dataset`` at ``start``: what lies before is history, what lies after has to be predicted.

        Raises:
            DataError: Nobody likes anything new after the cut.
        """
        history = dataset.before(start)
        last = int(dataset.interactions.at_I.max(initial=start))
        task = ranking_task(history, dataset.between(start, last + 1))
        return cls(history=history, start=start, task=task, segments=MappingProxyType(_segments(task)))

    @property
    def candidates_B(self) -> NDArray[np.int64]:
        """How many videos each viewer's ranking chooses from: (B,)."""
        uploaded_at_V = self.history.uploaded_at_V
        offsets = self.history.viewer_offsets()
        count_B = np.searchsorted(np.sort(uploaded_at_V), self.task.last_at_B, side="right")
        for row, (viewer, last_at) in enumerate(zip(self.task.viewers_B, self.task.last_at_B, strict=True)):
            seen = np.unique(self.history.interactions.video_I[offsets[viewer] : offsets[viewer + 1]])
            count_B[row] -= (uploaded_at_V[seen] <= last_at).sum()
        return count_B


def _segments(task: RankingTask) -> dict[Segment, Targets]:
    videos = len(task.history.video_ids)
    rows = task.history.interactions
    interactions_U = np.bincount(rows.viewer_I, minlength=len(task.history.viewer_ids))
    cold_B = interactions_U[task.viewers_B] < COLD_VIEWER_BELOW
    row_R = task.relevant_R // videos
    cold_video_V = np.bincount(rows.video_I, minlength=videos) == 0
    kept = {
        Segment.ALL: np.ones(len(row_R), bool),
        Segment.WARM_VIEWERS: ~cold_B[row_R],
        Segment.COLD_VIEWERS: cold_B[row_R],
        Segment.COLD_VIDEOS: cold_video_V[task.relevant_R % videos],
    }
    return {
        segment: Targets(rows_B=np.unique(row_R[keep_R]), relevant_R=task.relevant_R[keep_R])
        for segment, keep_R in kept.items()
        if keep_R.any()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A recommender's figures of every viewer: segment to metric to (B,) float64, rows as ``Targets.rows_B``."""

    name: str
    values: Mapping[Segment, Mapping[Metric, NDArray[np.float64]]]

    def mean(self, metric: Metric, segment: Segment = Segment.ALL) -> float:
        """The mean over the viewers of a segment."""
        return float(self.values[segment][metric].mean())


def evaluate(recommender: Recommender, protocol: Protocol) -> Measured:
    """Put a fitted recommender through the exam.

    It takes the histories before the cut with ``observe`` and scores all videos for the viewers block by block.

    Raises:
        DataError: A score is not a number.
    """
    recommender = recommender.observe(protocol.history)
    task = protocol.task
    best_BK = top_k_unseen(recommender.score, task.history, task.viewers_B, PLACES, uploaded_by_B=task.last_at_B)
    return Measured(
        name=recommender.name,
        values={segment: _figures(best_BK, targets, task) for segment, targets in protocol.segments.items()},
    )


def _figures(best_BK: NDArray[np.int64], targets: Targets, task: RankingTask) -> dict[Metric, NDArray[np.float64]]:
    """A segment changes what counts as relevant, never what is ranked."""
    videos = len(task.history.video_ids)
    hits_BK = hits_of(best_BK, targets.relevant_R, videos)[targets.rows_B]
    relevant_B = np.bincount(targets.relevant_R // videos, minlength=len(task.viewers_B))[targets.rows_B]
    return {
        Metric.NDCG_10: ndcg_at_k(hits_BK, relevant_B, 10),
        Metric.RECALL_10: recall_at_k(hits_BK, relevant_B, 10),
        Metric.RECALL_50: recall_at_k(hits_BK, relevant_B, 50),
        Metric.MRR: reciprocal_rank(hits_BK),
    }
