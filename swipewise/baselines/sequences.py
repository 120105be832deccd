"""Histories as the sequence baselines read them: tokens, windows, and what each place is to predict.

Legend of shape suffixes: W = windows, B = viewers or windows in a batch, L = events, L1 = events and the opening
place, T = targets, I = interactions, U = viewers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.histories import Ahead, Windows, training_windows
from swipewise.training.sampling import WHOLE, Part, draw_batches, length_buckets


class Inputs(StrEnum):
    """What of a history is read."""

    POSITIVES = "positives"
    EXPOSURES = "exposures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Histories in time order, padded at the end.

    video_BL: int64; positive_BL: int64, 1 where the viewer liked the video; valid_BL: bool, False where padded;
    length_B: int64.
    """

    video_BL: Tensor
    positive_BL: Tensor
    valid_BL: Tensor
    length_B: Tensor

    def to(self, device: torch.device) -> Tokens:
        """The same tokens on another device."""
        return Tokens(**{name: getattr(self, name).to(device) for name in self.__slots__})


def read_inputs(dataset: Dataset, inputs: Inputs) -> Interactions:
    """The interactions that are read: all, or only positive ones."""
    rows = dataset.interactions
    return rows.where(rows.positive_I) if inputs == Inputs.POSITIVES else rows


def viewer_offsets(rows: Interactions, viewers: int) -> NDArray[np.int64]:
    """Offsets (viewers + 1,): the interactions of viewer u are the rows offsets[u]:offsets[u + 1]."""
    return np.searchsorted(rows.viewer_I, np.arange(viewers + 1))


def pad_tokens(rows: Interactions, start_W: NDArray[np.int64], end_W: NDArray[np.int64]) -> Tokens:
    """Gather the stretches from ``start_W`` to before ``end_W`` of ``rows``."""
    length_W = end_W - start_W
    place_WL = start_W[:, None] + np.arange(max(1, int(length_W.max(initial=0))))
    valid_WL = place_WL < end_W[:, None]
    place_WL = np.where(valid_WL, place_WL, 0)
    if not len(rows):
        nothing_WL = torch.zeros(place_WL.shape, dtype=torch.int64)
        video_WL, positive_WL = nothing_WL, nothing_WL
    else:
        video_WL = torch.from_numpy(rows.video_I[place_WL])
        positive_WL = torch.from_numpy(rows.positive_I[place_WL].astype(np.int64))
    return Tokens(
        video_BL=video_WL,
        positive_BL=positive_WL,
        valid_BL=torch.from_numpy(valid_WL),
        length_B=torch.from_numpy(length_W),
    )


def latest_tokens(
    rows: Interactions, offsets_U: NDArray[np.int64], viewers_B: NDArray[np.int64], history: int
) -> Tokens:
    """The last ``history`` interactions of each viewer, possibly none."""
    end_B = offsets_U[viewers_B + 1]
    return pad_tokens(rows, np.maximum(offsets_U[viewers_B], end_B - history), end_B)


class NextPositives:
    """What each place of a window is to predict: the viewer's next positive interaction, or one of the next few."""

    def __init__(self, rows: Interactions, ahead: int = 1) -> None:
        self._targets = Ahead.of(rows, rows.positive_I)
        self._ahead = ahead

    def of(
        self, windows: Windows, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Targets of windows that are padded to ``length`` events.

        Returns:
            place_T: rows into the flattened (B, length + 1) places, of which place j knows the first j events; and
            target_T: the interaction that each is to predict.
        """
        place_L1 = np.arange(length + 1)
        known_B1 = windows.length_W[:, None]
        counts_BL1 = (place_L1 <= known_B1) & (place_L1 >= windows.learn_W[:, None])
        place_T = np.flatnonzero(counts_BL1)
        window_T, events_T = np.divmod(place_T, length + 1)
        after_T, viewer_T = windows.start_W[window_T] + events_T, windows.viewer_W[window_T]
        target_T = self._targets.draw(after_T, viewer_T, self._ahead, rng)
        return place_T[target_T >= 0], target_T[target_T >= 0]


class WindowBatches:
    """All windows of a data set in batches of like length, by epoch; a function of the seed alone."""

    def __init__(self, offsets_U: NDArray[np.int64], *, history: int, batch_events: int, seed: int) -> None:
        self._windows = training_windows(offsets_U, history)
        self._batch_events, self._seed = batch_events, seed

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return len(self._buckets(epoch))

    def windows(
        self, epoch: int, start: int, part: Part = WHOLE
    ) -> Iterator[tuple[Windows, np.random.Generator] | None]:
        """The windows of a part of each batch from step ``start`` on, and a generator for whatever is drawn for them.

        None where the part has no window.
        """
        for drawn in draw_batches(self._buckets(epoch), part, self._seed, epoch, start=start):
            yield None if drawn is None else (self._windows.where(drawn[0]), drawn[1])

    def _buckets(self, epoch: int) -> list[NDArray[np.int64]]:
        rng = np.random.default_rng([self._seed, epoch])
        return length_buckets(self._windows.length_W, self._batch_events, rng)
