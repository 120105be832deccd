"""A data set: everything a recommender may learn from, in index-coded arrays.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector, A = attribute values,
P = profile fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EventsConfig
from swipewise.schema import FLAG_ACTIONS, Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFeature:
    """One modality's vectors: values_VD float32, zeros where ``present_V`` is False."""

    values_VD: NDArray[np.float32]
    present_V: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """Interactions sorted by viewer, then time.

    viewer_I, video_I: int64 indices; at_I: int64 milliseconds since 1970 UTC; watch_ratio_I: float32, NaN where
    unknown; actions_IF: bool, columns as FLAG_ACTIONS; positive_I: bool, what training and metrics count as liked.
    """

    viewer_I: NDArray[np.int64]
    video_I: NDArray[np.int64]
    at_I: NDArray[np.int64]
    watch_ratio_I: NDArray[np.float32]
    actions_IF: NDArray[np.bool_]
    positive_I: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.viewer_I)

    def followed_by(self, later: Interactions) -> Interactions:
        """These and, after them in time, others."""
        order_I = np.argsort(np.concatenate([self.viewer_I, later.viewer_I]), kind="stable")
        return Interactions(
            **{
                name: np.concatenate([getattr(self, name), getattr(later, name)])[order_I]
                for name in self.__slots__
            }
        )

    def where(self, keep_I: NDArray[np.bool_] | NDArray[np.int64]) -> Interactions:
        """The interactions at which ``keep_I`` is True, in the same order; or those of the rows it lists."""
        return Interactions(**{name: getattr(self, name)[keep_I] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Viewers, videos and what happened between them.

    uploaded_at_V: int64 milliseconds, the time of the first interaction (or 0) where the upload time is unknown.
    attributes_VA: int64 codes from 1, 0 pads; ``attribute_values`` gives each code's meaning ("creator=ann").
    profile_UP: int64 codes from 1, 0 where a field is missing; ``profile_values`` likewise ("age=18-24").
    """

    viewer_ids: tuple[str, ...]
    video_ids: tuple[str, ...]
    interactions: Interactions
    uploaded_at_V: NDArray[np.int64]
    content: Mapping[str, ContentFeature]
    attributes_VA: NDArray[np.int64]
    attribute_values: tuple[str, ...]
    profile_UP: NDArray[np.int64]
    profile_values: tuple[str, ...]

    def before(self, time: int) -> Dataset:
        """The same viewers and videos with only the interactions earlier than ``time`` (milliseconds)."""
        return replace(self, interactions=self.interactions.where(self.interactions.at_I < time))

    def between(self, start: int, end: int) -> Dataset:
        """The same viewers and videos with only the interactions in [start, end) milliseconds."""
        at_I = self.interactions.at_I
        return replace(self, interactions=self.interactions.where((at_I >= start) & (at_I < end)))

    def followed_by(self, later: Dataset) -> Dataset:
        """The interactions of both; ``later`` has the same viewers and videos and starts where this one ends."""
        return replace(self, interactions=self.interactions.followed_by(later.interactions))

    def viewer_offsets(self) -> NDArray[np.int64]:
        """Offsets (U + 1,): the interactions of viewer u are the rows offsets[u]:offsets[u + 1]."""
        return np.searchsorted(self.interactions.viewer_I, np.arange(len(self.viewer_ids) + 1))


class Recommender(Protocol):
    """The face that the model and every baseline share.

    A recommender is fitted on one data set and then scores with the histories in it. To score with newer
    histories and the same parameters, give it another data set of the same viewers and videos with ``observe``.
    """

    name: str

    def fit(self, dataset: Dataset) -> Self:
        """Learn from the interactions of ``dataset``."""
        ...

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories to score with from ``dataset``; learned parameters stay as they are."""
        ...

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (B, N); higher is better, comparable only within a viewer."""
        ...

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k videos of each viewer (B, k), best first, without those in the viewer's history."""
        ...


@runtime_checkable
class ActionPredictor(Protocol):
    """A recommender that also predicts what a viewer will do with a video that is shown."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`predict`: actions of FLAG_ACTIONS, in any order."""
        ...

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        """Calibrated probability of each action for each exposure: (I, A) in [0, 1].

        An exposure is judged from what the observed data set holds of its viewer before it, never from itself or
        from what came later; indices are those of the observed data set.
        """
        ...


def told_actions(rows: Interactions) -> NDArray[np.bool_]:
    """Of which interactions each action of FLAG_ACTIONS is known to have happened or not: (I, F).

    Whether a video was skipped is not told by an interaction that neither says so nor has a watch time, unless the
    log has no watch times at all. All else that happened is in the log.
    """
    told_IF = np.ones((len(rows), len(FLAG_ACTIONS)), bool)
    known_I = ~np.isnan(rows.watch_ratio_I)
    if known_I.any():
        skip = FLAG_ACTIONS.index(Action.SKIP)
        told_IF[:, skip] = known_I | rows.actions_IF[:, skip]
    return told_IF


def no_interactions() -> Interactions:
    """None at all, in the arrays' own types."""
    return Interactions(
        viewer_I=np.zeros(0, np.int64),
        video_I=np.zeros(0, np.int64),
        at_I=np.zeros(0, np.int64),
        watch_ratio_I=np.zeros(0, np.float32),
        actions_IF=np.zeros((0, len(FLAG_ACTIONS)), bool),
        positive_I=np.zeros(0, bool),
    )


def is_positive(
    watch_ratio_I: NDArray[np.float32], actions_IF: NDArray[np.bool_], events: EventsConfig
) -> NDArray[np.bool_]:
    """Which interactions count as liked: (I,).

    Any of the configured actions says so, and so does watching enough without skipping; hiding a video overrules both.
    """
    flag = {action: actions_IF[:, column] for column, action in enumerate(FLAG_ACTIONS)}
    positive_I = (watch_ratio_I >= events.positive_watch_ratio) & ~flag[Action.SKIP]
    for name in events.positive:
        positive_I |= flag[Action(name)]
    liked_I: NDArray[np.bool_] = positive_I & ~flag[Action.HIDE]
    return liked_I
