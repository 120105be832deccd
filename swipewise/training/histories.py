"""Behaviour as the network reads it: windows of a viewer's interactions, padded into batches.

Legend of shape suffixes: W = windows, B = windows in a batch, L = events, I = interactions, F = action flags,
P = positives, or profile fields in a history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.model.interest import Events, HistoryInputs
from swipewise.training.dataset import Interactions
from swipewise.training.mapped import Growing, rows_within, stretches, viewer_stretches

_PLACES_TOGETHER = 2048  # that are read in one pass when nothing is learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Stretches of consecutive interactions of one viewer.

    older_W, start_W, end_W: int64 rows of the interactions: those from start to end are read one by one, those from
    older to start as a summary; learn_W: int64, the first place whose prediction counts in training, so that no event
    is a target twice; viewer_W: int64.
    """

    older_W: NDArray[np.int64]
    start_W: NDArray[np.int64]
    end_W: NDArray[np.int64]
    learn_W: NDArray[np.int64]
    viewer_W: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start_W)

    @property
    def length_W(self) -> NDArray[np.int64]:
        """Events in each window."""
        return self.end_W - self.start_W

    def fresh(self, length: int) -> NDArray[np.bool_]:
        """Which events are in no window before, so that each event is fresh once: (W, ``length``), padding never."""
        place_L = np.arange(length)
        fresh_WL: NDArray[np.bool_] = (place_L >= self.learn_W[:, None] - 1) & (place_L < self.length_W[:, None])
        return fresh_WL

    def where(self, chosen: NDArray[np.int64]) -> Windows:
        """The chosen windows."""
        return Windows(**{name: getattr(self, name)[chosen] for name in self.__slots__})


def training_windows(offsets_U: NDArray[np.int64], length: int, *, memory: int = 0) -> Windows:
    """Cover every viewer's interactions by windows of at most ``length`` events.

    A history that is longer is read again from half a window earlier, and only the second half counts, so that every
    prediction but a viewer's first ones has at least half a window behind it.
    """
    stride = max(1, length // 2)
    first_U, count_U = offsets_U[:-1], np.diff(offsets_U)
    windows_U = np.where(count_U > 0, 1 - np.minimum(0, length - count_U) // stride, 0)
    viewer_W = np.repeat(np.arange(len(count_U)), windows_U)
    number_W = rows_within(np.zeros_like(windows_U), windows_U)
    start_W = first_U[viewer_W] + number_W * stride
    return Windows(
        older_W=np.maximum(first_U[viewer_W], start_W - memory),
        start_W=start_W,
        end_W=np.minimum(start_W + length, offsets_U[1:][viewer_W]),
        learn_W=np.where(number_W > 0, length - stride + 1, 0),
        viewer_W=viewer_W,
    )


def latest_windows(
    offsets_U: NDArray[np.int64], length: int, viewers_B: NDArray[np.int64], *, memory: int = 0
) -> Windows:
    """The last ``length`` interactions of each viewer, possibly none, and ``memory`` before them to be summed up."""
    end_B, first_B = offsets_U[viewers_B + 1], offsets_U[viewers_B]
    start_B = np.maximum(first_B, end_B - length)
    return Windows(
        older_W=np.maximum(first_B, start_B - memory),
        start_W=start_B,
        end_W=end_B,
        learn_W=np.zeros_like(end_B),
        viewer_W=viewers_B,
    )


def like_lengths(length_W: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Divide windows into blocks of like length: rows of ``length_W``; few make one block, in their own order.

    A block has about as many places as fit a processor's cache, with little padding among them.
    """
    order_W = np.argsort(length_W, kind="stable")
    end_W = np.cumsum(length_W[order_W] + 1) - 1
    cuts = np.flatnonzero(np.diff(end_W // _PLACES_TOGETHER)) + 1
    return np.split(order_W, cuts) if len(cuts) else [np.arange(len(length_W))]


def pad(
    rows: Interactions,
    windows: Windows,
    profile_WP: NDArray[np.int64],
    strength_WL1M: NDArray[np.float32] | None = None,
) -> HistoryInputs:
    """Gather windows into padded tensors; ``video_BL`` holds catalogue rows."""
    return HistoryInputs(
        recent=_stretches(rows, windows.start_W, windows.end_W, at_least=1),
        older=_stretches(rows, windows.older_W, windows.start_W, at_least=0),
        profile_BP=torch.from_numpy(profile_WP),
        strength_BL1M=None if strength_WL1M is None else torch.from_numpy(strength_WL1M),
    )


def _stretches(
    rows: Interactions, start_W: NDArray[np.int64], end_W: NDArray[np.int64], *, at_least: int
) -> Events:
    length = max(at_least, int((end_W - start_W).max(initial=0)))
    place_WL = start_W[:, None] + np.arange(length)
    valid_WL = place_WL < end_W[:, None]
    place_WL = np.where(valid_WL, place_WL, 0)

    def gather(values: NDArray[np.generic]) -> Tensor:
        if not len(values):
            return torch.zeros(place_WL.shape + values.shape[1:], dtype=torch.from_numpy(values).dtype)
        return torch.from_numpy(values[place_WL])

    at_WL = gather(rows.at_I).numpy()
    gap_WL = np.diff(at_WL, axis=1, prepend=at_WL[:, :1]) / 1000.0
    return Events(
        video_BL=gather(rows.video_I),
        watch_ratio_BL=gather(rows.watch_ratio_I),
        flags_BLF=gather(rows.actions_IF),
        gap_BL=torch.from_numpy(np.where(valid_WL, gap_WL, 0.0).astype(np.float32)),
        valid_BL=torch.from_numpy(valid_WL),
    )


def is_first(rows: Interactions, folder: Path | None = None) -> NDArray[np.bool_]:
    """Which interactions are the viewer's first with that video: (I,), in memory or in a file in ``folder``.

    Raises:
        StoreError: The file cannot be written.
    """
    found = Growing(folder, bool)
    for here in viewer_stretches(rows.viewer_I):
        block = rows.part(here)
        width = int(block.video_I.max()) + 1
        _, first = np.unique(block.viewer_I * width + block.video_I, return_index=True)
        first_I = np.zeros(len(block), bool)
        first_I[first] = True
        found.add(first_I)
    return found.done()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The interactions of some kind that may be asked for as what comes next.

    row_P: int64, the rows that are targets, ascending; viewer_P: int64, whose they are.
    """

    row_P: NDArray[np.int64]
    viewer_P: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Interactions, target_I: NDArray[np.bool_], folder: Path | None = None) -> Self:
        """Note the rows at which ``target_I`` is True, in memory or in files in ``folder``.

        Raises:
            StoreError: A file cannot be written.
        """
        row_P, viewer_P = Growing(folder, np.int64), Growing(folder, np.int64)
        for here in stretches(len(rows)):
            chosen = here.start + np.flatnonzero(target_I[here])
            row_P.add(chosen)
            viewer_P.add(rows.viewer_I[chosen])
        return cls(row_P=row_P.done(), viewer_P=viewer_P.done())

    def draw(
        self,
        after_T: NDArray[np.int64],
        viewer_T: NDArray[np.int64],
        reach: int,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """For each place one of its viewer's next ``reach`` targets, drawn evenly: rows (T,), -1 where none is left.

        Args:
            after_T: The first row that may be a target.
            viewer_T: Whose.
            reach: How far ahead; 1 takes the next.
            rng: Draws.
        """
        next_T = np.searchsorted(self.row_P, after_T)
        end_T = np.searchsorted(self.viewer_P, viewer_T, side="right")
        room_T = np.minimum(end_T - next_T, reach)
        chosen_T = next_T + (rng.random(len(after_T)) * room_T).astype(np.int64)
        row_T = np.full(len(after_T), -1)
        row_T[room_T > 0] = self.row_P[chosen_T[room_T > 0]]
        return row_T
