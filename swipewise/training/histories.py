"""Behaviour as the network reads it: windows of a viewer's interactions, padded into batches.

Legend of shape suffixes: W = windows, B = windows in a batch, L = events, I = interactions, F = action flags,
P = positives, or profile fields in a history.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.model.interest import HistoryInputs
from swipewise.training.dataset import Interactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Stretches of consecutive interactions of one viewer.

    start_W, end_W: int64 rows of the interactions; learn_W: int64, the first place whose prediction counts in
    training, so that no event is a target twice; viewer_W: int64.
    """

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


def training_windows(offsets_U: NDArray[np.int64], length: int) -> Windows:
    """Cover every viewer's interactions by windows of at most ``length`` events.

    A history that is longer is read again from half a window earlier, and only the second half counts, so that every
    prediction but a viewer's first ones has at least half a window behind it.
    """
    stride = max(1, length // 2)
    rows = []
    for viewer, (first, last) in enumerate(pairwise(offsets_U)):
        start, learn = int(first), 0
        while start < last:
            end = min(start + length, int(last))
            rows.append((start, end, learn, viewer))
            if end == last:
                break
            start, learn = end - (length - stride), length - stride + 1
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Windows(start_W=table[:, 0], end_W=table[:, 1], learn_W=table[:, 2], viewer_W=table[:, 3])


def latest_windows(offsets_U: NDArray[np.int64], length: int, viewers_B: NDArray[np.int64]) -> Windows:
    """The last ``length`` interactions of each viewer, possibly none."""
    end_B = offsets_U[viewers_B + 1]
    start_B = np.maximum(offsets_U[viewers_B], end_B - length)
    return Windows(start_W=start_B, end_W=end_B, learn_W=np.zeros_like(end_B), viewer_W=viewers_B)


def pad(rows: Interactions, windows: Windows, profile_WP: NDArray[np.int64]) -> HistoryInputs:
    """Gather windows into padded tensors; ``video_BL`` holds catalogue rows."""
    length = max(1, int(windows.length_W.max(initial=0)))
    place_WL = windows.start_W[:, None] + np.arange(length)
    valid_WL = place_WL < windows.end_W[:, None]
    place_WL = np.where(valid_WL, place_WL, 0)
    at_WL = rows.at_I[place_WL] if len(rows) else np.zeros_like(place_WL)
    gap_WL = np.diff(at_WL, axis=1, prepend=at_WL[:, :1]) / 1000.0

    def gather(values: NDArray[np.generic]) -> Tensor:
        if not len(values):
            return torch.zeros(place_WL.shape + values.shape[1:], dtype=torch.from_numpy(values).dtype)
        return torch.from_numpy(values[place_WL])

    return HistoryInputs(
        video_BL=gather(rows.video_I),
        watch_ratio_BL=gather(rows.watch_ratio_I),
        flags_BLF=gather(rows.actions_IF),
        gap_BL=torch.from_numpy(np.where(valid_WL, gap_WL, 0.0).astype(np.float32)),
        valid_BL=torch.from_numpy(valid_WL),
        profile_BP=torch.from_numpy(profile_WP),
    )


def next_positive(rows: Interactions) -> NDArray[np.int64]:
    """For each interaction the row of the same viewer's next positive one after it, -1 where there is none."""
    positive_P = np.append(np.flatnonzero(rows.positive_I), -1)
    after_I = positive_P[np.searchsorted(positive_P[:-1], np.arange(len(rows)), side="right")]
    return np.where((after_I >= 0) & (rows.viewer_I[after_I] == rows.viewer_I), after_I, -1)
