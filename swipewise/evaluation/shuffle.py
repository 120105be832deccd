"""Data sets with one thing taken away or put out of order, and a fitted model that reads them.

What a model does not use can be altered without its noticing. That is how an audit finds out.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, B = viewers asked for, N = videos asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.protocol import Measured
from swipewise.schema import Modality
from swipewise.training.dataset import ContentFeature, Dataset, Interactions
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.ranking import top_k_unseen

Alter = Callable[[Dataset], Dataset]
"""What is done to a data set; viewers, videos and the rows of both stay the same."""


def shuffled(dataset: Dataset, seed: int = 0) -> Dataset:
    """Every viewer's history in random order.

    A video, what was done with it and how much of it was watched move together; whose rows they are and the times of
    the rows stay. So every viewer has watched the same videos at the same moments, and nobody can tell which of them
    came when.
    """
    rows = dataset.interactions
    order_I = np.lexsort((np.random.default_rng(seed).random(len(rows)), rows.viewer_I))
    moved = Interactions(
        viewer_I=rows.viewer_I,
        video_I=rows.video_I[order_I],
        at_I=rows.at_I,
        watch_ratio_I=rows.watch_ratio_I[order_I],
        actions_IF=rows.actions_IF[order_I],
        positive_I=rows.positive_I[order_I],
    )
    return replace(dataset, interactions=moved)


def permuted_profiles(dataset: Dataset, seed: int = 0) -> Dataset:
    """Every viewer with a profile gets that of another, drawn at random; those without keep none."""
    known_U = np.flatnonzero(dataset.profile_UP.any(axis=1))
    profile_UP = dataset.profile_UP.copy()
    profile_UP[known_U] = profile_UP[np.random.default_rng(seed).permutation(known_U)]
    return replace(dataset, profile_UP=profile_UP)


def without_profiles(dataset: Dataset) -> Dataset:
    """Nobody has a profile."""
    return replace(dataset, profile_UP=np.zeros_like(dataset.profile_UP))


def without_modality(dataset: Dataset, modality: str, lost_V: NDArray[np.bool_] | None = None) -> Dataset:
    """Some videos lack a content modality, or their attributes.

    Args:
        dataset: What is altered.
        modality: A content modality of the data set, or ``attributes``.
        lost_V: (V,) bool, the videos that lose it; None: all.
    """
    gone_V = np.ones(len(dataset.video_ids), bool) if lost_V is None else lost_V
    if modality == Modality.ATTRIBUTES:
        return replace(dataset, attributes_VA=np.where(gone_V[:, None], 0, dataset.attributes_VA))
    feature = dataset.content[modality]
    kept = ContentFeature(
        values_VD=np.where(gone_V[:, None], np.float32(0), feature.values_VD),
        present_V=feature.present_V & ~gone_V,
    )
    return replace(dataset, content={**dataset.content, modality: kept})


def some_videos(dataset: Dataset, share: float, seed: int = 0) -> NDArray[np.bool_]:
    """A share of the videos, drawn at random: (V,) bool."""
    videos = len(dataset.video_ids)
    chosen_V = np.zeros(videos, bool)
    chosen_V[np.random.default_rng(seed).permutation(videos)[: round(share * videos)]] = True
    return chosen_V


class AlteredRecommender:
    """A fitted model that reads altered histories, profiles and videos; trends stay those of what really happened.

    Without that a shuffle would also move likes from one week to another, and a model that only follows trends would
    seem to heed the order of histories.

    Args:
        fitted: The model.
        alter: What is done to every data set that is observed.
        name: Of the recommender.
    """

    def __init__(self, fitted: FittedModel, alter: Alter, *, name: str) -> None:
        self.name = name
        self._fitted, self._alter = fitted, alter
        self._dataset: Dataset | None = None
        self._altered: Dataset | None = None
        self._projected: Projected | None = None

    def fit(self, dataset: Dataset) -> Self:
        """Nothing is learned: the same as :meth:`observe`."""
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Alter a data set and rank with what is left of it."""
        self._dataset, self._altered = dataset, self._alter(dataset)
        self._projected = Projected(self._fitted, replace(self._altered, interactions=dataset.interactions))
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (B, N) of the altered viewers and videos."""
        assert self._altered is not None, "observe first"
        assert self._projected is not None
        interests = self._projected.interest(self._altered, viewers_B)
        scores_BN: NDArray[np.float32] = self._projected.score(interests, videos_N).cpu().numpy()
        return scores_BN

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k videos of each viewer that are not in the real history (B, k)."""
        assert self._dataset is not None, "observe first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)


def averaged(measured: Sequence[Measured], *, name: str) -> Measured:
    """The mean of several measurements, viewer by viewer; the rankings kept are the first one's."""
    first = measured[0]
    values = {
        segment: {metric: np.mean([one.values[segment][metric] for one in measured], axis=0) for metric in figures}
        for segment, figures in first.values.items()
    }
    return Measured(name=name, values=values, best_BK=first.best_BK)
