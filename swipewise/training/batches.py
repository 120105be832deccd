"""Training batches: windows of like length together, targets and shared negatives.

Legend of shape suffixes: W = windows, B = windows in a batch, T = targets, N = negatives, I = interactions, V = videos,
K = distinct videos of a batch, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.errors import DataError
from swipewise.model.interest import HistoryInputs
from swipewise.training.dataset import Dataset
from swipewise.training.histories import Windows, next_positive, pad, training_windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's data. All video numbers but ``videos_K`` are rows of ``videos_K``, which holds catalogue rows.

    place_T: int64 rows into the flattened (B, L + 1) places whose next positive is target_T; excluded_TN: bool, a
    negative that must not count; the logq vectors are log expected counts of the proposal.
    """

    history: HistoryInputs
    videos_K: Tensor
    place_T: Tensor
    target_T: Tensor
    negative_N: Tensor
    target_logq_T: Tensor
    negative_logq_N: Tensor
    excluded_TN: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        tensors = {name: getattr(self, name).to(device) for name in self.__slots__ if name != "history"}
        history = {name: getattr(self.history, name).to(device) for name in HistoryInputs.__slots__}
        return Batch(history=HistoryInputs(**history), **tensors)


class Batches:
    """All batches of a data set, by epoch; a function of the seed alone, so that a resumed run sees the same ones."""

    def __init__(
        self,
        dataset: Dataset,
        profile_UP: NDArray[np.int64],
        *,
        history: int,
        batch_events: int,
        negatives: int,
        seed: int,
    ) -> None:
        self._rows = dataset.interactions
        self._uploaded_at_V = dataset.uploaded_at_V
        self._profile_UP = profile_UP
        self._batch_events = batch_events
        self._negatives = negatives
        self._seed = seed
        self._next_I = next_positive(self._rows)
        self._windows = training_windows(dataset.viewer_offsets(), history)
        if not self._rows.positive_I.any():
            raise DataError(
                f"none of the {len(self._rows)} interactions in the training period is positive: "
                "see [events] in swipewise.toml for what counts as positive"
            )
        self._candidates_N, self._chance_N = _proposal(dataset)
        self._logq_V = np.full(len(dataset.video_ids), -np.inf)
        self._logq_V[self._candidates_N] = np.log(negatives * self._chance_N)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The windows of each batch of an epoch, shuffled; windows of one batch are of like length."""
        rng = np.random.default_rng([self._seed, number])
        length_W = self._windows.length_W
        # A little noise on the length changes from epoch to epoch who shares a batch with whom.
        order_W = np.argsort(length_W + rng.uniform(0, 0.15 * (length_W + 10)), kind="stable")
        batches: list[NDArray[np.int64]] = []
        current: list[int] = []
        longest = 0
        for window in order_W:
            longest_then = max(longest, int(length_W[window]) + 1)
            if current and (len(current) + 1) * longest_then > self._batch_events:
                batches.append(np.array(current))
                current, longest_then = [], int(length_W[window]) + 1
            current.append(int(window))
            longest = longest_then
        batches.append(np.array(current))
        return [batches[place] for place in rng.permutation(len(batches))]

    def steps(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step ``start`` on."""
        for step, windows_B in enumerate(self.epoch(epoch)):
            if step >= start and (
                batch := self._batch(windows_B, np.random.default_rng([self._seed, epoch, step]))
            ):
                yield batch

    def _batch(self, windows_B: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        windows = Windows(**{name: getattr(self._windows, name)[windows_B] for name in Windows.__slots__})
        history = pad(self._rows, windows, self._profile_UP[windows.viewer_W])
        place_T, target_T = self._targets(windows, history.video_BL.shape[1])
        target_video_T, target_at_T = self._rows.video_I[target_T], self._rows.at_I[target_T]
        negative_N = rng.choice(self._candidates_N, self._negatives, p=self._chance_N)
        # A video that was not there yet could not have been chosen: as a negative it would teach that new is bad.
        unborn_TN = self._uploaded_at_V[negative_N] > target_at_T[:, None]
        excluded_TN = unborn_TN | (negative_N == target_video_T[:, None])
        videos_K, rows = np.unique(
            np.concatenate([history.video_BL.numpy().ravel(), target_video_T, negative_N]), return_inverse=True
        )
        cells = history.video_BL.numel()
        return Batch(
            history=replace(history, video_BL=torch.from_numpy(rows[:cells]).view(history.video_BL.shape)),
            videos_K=torch.from_numpy(videos_K),
            place_T=torch.from_numpy(place_T),
            target_T=torch.from_numpy(rows[cells : cells + len(target_T)]),
            negative_N=torch.from_numpy(rows[cells + len(target_T) :]),
            target_logq_T=torch.from_numpy(self._logq_V[target_video_T].astype(np.float32)),
            negative_logq_N=torch.from_numpy(self._logq_V[negative_N].astype(np.float32)),
            excluded_TN=torch.from_numpy(excluded_TN),
        )

    def _targets(self, windows: Windows, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Flattened places and the interaction rows that they are to predict."""
        place_BL1 = np.arange(length + 1)
        row_BL1 = windows.start_W[:, None] + place_BL1 - 1  # the last event that a place knows
        first_B = windows.start_W
        opening_B = np.where(self._rows.positive_I[first_B], first_B, self._next_I[first_B])
        target_BL1 = np.where(
            place_BL1 == 0, opening_B[:, None], self._next_I[np.clip(row_BL1, 0, len(self._rows) - 1)]
        )
        counts_BL1 = (
            (row_BL1 < windows.end_W[:, None]) & (place_BL1 >= windows.learn_W[:, None]) & (target_BL1 >= 0)
        )
        return np.flatnonzero(counts_BL1), target_BL1[counts_BL1]


def _proposal(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Negatives are drawn half evenly from the videos training knows, half by how often they were liked."""
    rows = dataset.interactions
    seen = np.unique(rows.video_I)
    liked = np.bincount(rows.video_I[rows.positive_I], minlength=len(dataset.video_ids))[seen].astype(np.float64)
    return seen, 0.5 / len(seen) + 0.5 * liked / liked.sum()
