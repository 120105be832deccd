"""The ranking nobody can beat without luck: by the utility that a simulated world planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol as Face
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.protocol import Protocol
from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen

UtilityFn = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating]]
"""Viewers (B,), videos (N,) and times (B,) in milliseconds to true utilities (B, N)."""


class Truth(Face):
    """What a simulated world can be asked."""

    def utilities(
        self, viewer_ids: Sequence[str], video_ids: Sequence[str], at_B: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """True utilities (B, N) at times (B,) in milliseconds."""
        ...


class OracleRecommender:
    """Ranks by true utility at the moment each viewer is examined.

    Args:
        utility: The truth.
        at_U: (U,) int64 milliseconds, the moment at which each viewer's utility is asked for.
    """

    name = "oracle"

    def __init__(self, utility: UtilityFn, at_U: NDArray[np.int64]) -> None:
        self._utility = utility
        self._at_U = at_U
        self._dataset: Dataset | None = None

    @classmethod
    def of_protocol(cls, utility: UtilityFn, protocol: Protocol) -> Self:
        """An oracle for an exam: a viewer's last interaction is the moment, as it is for the candidates."""
        at_U = np.full(len(protocol.history.viewer_ids), protocol.start)
        at_U[protocol.task.viewers_B] = protocol.task.last_at_B
        return cls(utility, at_U).observe(protocol.history)

    @classmethod
    def of_truth(cls, truth: Truth, protocol: Protocol) -> Self:
        """An oracle for an exam on a simulated world whose truth is at hand."""
        viewer_ids = np.array(protocol.history.viewer_ids)
        video_ids = np.array(protocol.history.video_ids)

        def utility(
            viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64], at_B: NDArray[np.int64]
        ) -> NDArray[np.floating]:
            return truth.utilities(viewer_ids[viewers_B].tolist(), video_ids[videos_N].tolist(), at_B)

        return cls.of_protocol(utility, protocol)

    def fit(self, dataset: Dataset) -> Self:
        """Nothing is learned."""
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories that ``recommend`` leaves out."""
        self._dataset = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """True utilities (B, N)."""
        return self._utility(viewers_B, videos_N, self._at_U[viewers_B]).astype(np.float32)

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The k unseen videos of the highest true utility (B, k)."""
        assert self._dataset is not None, "observe a data set first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)
