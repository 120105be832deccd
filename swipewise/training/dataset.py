"""A data set: everything a recommender may learn from, in index-coded arrays.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector, A = attribute values,
P = profile fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EventsConfig
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.mapped import Growing, rows_within, stretches, viewer_blocks


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

    def part(self, here: slice) -> Interactions:
        """Consecutive interactions, not copied."""
        return Interactions(**{name: getattr(self, name)[here] for name in self.__slots__})

    def seen(self, videos: int) -> NDArray[np.bool_]:
        """Which of so many videos are among them: (V,)."""
        seen_V = np.zeros(videos, bool)
        seen_V[self.video_I] = True
        return seen_V


class GrowingInteractions:
    """Interactions that come block by block.

    Args:
        folder: Where their columns are files that are mapped into memory; None: they are in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        nothing = no_interactions()
        self._columns = {
            name: Growing(folder, column.dtype, column.shape[1:])
            for name in nothing.__slots__
            for column in [getattr(nothing, name)]
        }

    def add(self, block: Interactions) -> None:
        """Put some behind those there are.

        Raises:
            StoreError: A file cannot be written.
        """
        for name, column in self._columns.items():
            column.add(getattr(block, name))

    def done(self) -> Interactions:
        """All of them.

        Raises:
            StoreError: A file cannot be written.
        """
        return Interactions(**{name: column.done() for name, column in self._columns.items()})


def gathered(
    rows: Interactions, start_B: NDArray[np.int64], end_B: NDArray[np.int64], folder: Path | None
) -> Interactions:
    """The interactions of stretches of rows, one stretch after the other.

    Args:
        rows: Of which.
        start_B: The first row of each stretch.
        end_B: The row after its last.
        folder: As for ``GrowingInteractions``.

    Raises:
        StoreError: A file cannot be written.
    """
    found = GrowingInteractions(folder)
    for here in viewer_blocks(np.cumsum(np.append(0, end_B - start_B))):
        found.add(rows.where(rows_within(start_B[here], end_B[here])))
    return found.done()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Viewers, videos and what happened between them.

    uploaded_at_V: int64 milliseconds, the time of the first interaction (or 0) where the upload time is unknown.
    attributes_VA: int64 codes from 1, 0 pads; ``attribute_values`` gives each code's meaning ("creator=ann").
    profile_UP: int64 codes from 1, 0 where a field is missing; ``profile_values`` likewise ("age=18-24").
    folder: where columns of interactions are files that are mapped into memory; None: they are in memory.
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
    folder: Path | None = None

    def before(self, time: int) -> Dataset:
        """The same viewers and videos with only the interactions earlier than ``time`` (milliseconds)."""
        return self._where(lambda at_I: at_I < time)

    def between(self, start: int, end: int) -> Dataset:
        """The same viewers and videos with only the interactions in [start, end) milliseconds."""
        return self._where(lambda at_I: (at_I >= start) & (at_I < end))

    def _where(self, keep: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Dataset:
        """The same with the interactions at times of some kind."""
        found = GrowingInteractions(self.folder)
        for here in stretches(len(self.interactions)):
            block = self.interactions.part(here)
            found.add(block.where(keep(block.at_I)))
        return replace(self, interactions=found.done())

    def followed_by(self, later: Dataset) -> Dataset:
        """The interactions of both; ``later`` has the same viewers and videos and starts where this one ends."""
        found = GrowingInteractions(self.folder)
        own_U, others_U = self.viewer_offsets(), later.viewer_offsets()
        for here in viewer_blocks(own_U + others_U):
            own, others = (slice(offsets_U[here.start], offsets_U[here.stop]) for offsets_U in (own_U, others_U))
            found.add(self.interactions.part(own).followed_by(later.interactions.part(others)))
        return replace(self, interactions=found.done())

    def some_viewers(self, interactions: int, seed: int) -> NDArray[np.int64]:
        """Viewers drawn by chance who have about so many interactions together, ascending; all where that is all.

        Args:
            interactions: At the most, but for a single viewer's.
            seed: Of the draw.
        """
        if len(self.interactions) <= interactions:
            return np.arange(len(self.viewer_ids))
        drawn_U = np.random.default_rng(seed).permutation(len(self.viewer_ids))
        count_U = np.diff(self.viewer_offsets())[drawn_U].cumsum()
        return np.sort(drawn_U[: max(1, int(np.searchsorted(count_U, interactions, side="right")))])

    def of_viewers(self, viewers_B: NDArray[np.int64]) -> Dataset:
        """The same viewers and videos with only the interactions of some viewers, which ascend."""
        if len(viewers_B) == len(self.viewer_ids):
            return self
        offsets_U = self.viewer_offsets()
        rows = gathered(self.interactions, offsets_U[viewers_B], offsets_U[viewers_B + 1], self.folder)
        return replace(self, interactions=rows)

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


def told_actions(rows: Interactions, *, timed: bool | None = None) -> NDArray[np.bool_]:
    """Of which interactions each action of FLAG_ACTIONS is known to have happened or not: (I, F).

    Whether a video was skipped is not told by an interaction that neither says so nor has a watch time, unless the
    log has no watch times at all. All else that happened is in the log.

    Args:
        rows: Which.
        timed: Whether their log has watch times; None: it is what they are.
    """
    told_IF = np.ones((len(rows), len(FLAG_ACTIONS)), bool)
    if has_watch_times(rows) if timed is None else timed:
        skip = FLAG_ACTIONS.index(Action.SKIP)
        told_IF[:, skip] = ~np.isnan(rows.watch_ratio_I) | rows.actions_IF[:, skip]
    return told_IF


def has_watch_times(rows: Interactions) -> bool:
    """Whether any interaction has one."""
    return any(not np.isnan(rows.watch_ratio_I[here]).all() for here in stretches(len(rows)))


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
