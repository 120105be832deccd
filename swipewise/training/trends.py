"""What everybody made of each video lately: how much it is shown, and how well it is received.

Legend of shape suffixes: V = videos, I = interactions, S = statistics, G = moments at which they were taken,
T = times asked for, W = windows, E = edges of windows, C = what lies between one edge and the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Interactions
from swipewise.training.mapped import stretches

DAY_MS: Final = 86_400_000

WINDOWS_DAYS: Final = (1.0, 3.0, None)
"""Windows over which a video is watched; None: of all time."""

STATISTICS: Final = 2 * len(WINDOWS_DAYS)
"""Numbers a video: for each window how much it was shown and how well it was received."""

_SHOWN_PRIOR = 0.3
_LIKED_PRIOR = 8.0
_MOST_MOMENTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Statistics of every video at moments a day apart, each from what happened strictly before it.

    For every window two numbers: the log of the exposures against those of an average video that had been there as
    long, and the log of its share of positive exposures against everybody's. Both are smoothed and 0 for a video of
    which nothing is known, so that a new upload stands where an average video does.

    moments_G: int64 milliseconds, ascending; values_GVS: float32.
    """

    moments_G: NDArray[np.int64]
    values_GVS: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Interactions, uploaded_at_V: NDArray[np.int64], *, last_only: bool = False) -> Self:
        """Take the statistics of a log.

        Args:
            rows: What happened.
            uploaded_at_V: (V,) int64 milliseconds.
            last_only: Only at the end of the log, as ranking from there on needs it.
        """
        videos = len(uploaded_at_V)
        if not len(rows):
            return cls(moments_G=np.zeros(1, np.int64), values_GVS=np.zeros((1, videos, STATISTICS), np.float32))
        first, end = int(rows.at_I.min()), int(rows.at_I.max()) + 1
        step = max(DAY_MS, -(-(end - first) // _MOST_MOMENTS))
        moments_G = np.array([end]) if last_only else np.append(np.arange(first, end, step), end)
        starts_GW = np.array([[_opening(first, int(g), days) for days in WINDOWS_DAYS] for g in moments_G])
        edges_E = np.unique(np.concatenate([moments_G, starts_GW.ravel()]))
        shown_CV, liked_CV = _counts(rows, edges_E, videos)
        values_GVS = np.zeros((len(moments_G), videos, STATISTICS), np.float32)
        for g, moment in enumerate(moments_G):
            for w, start in enumerate(starts_GW[g]):
                here = slice(*np.searchsorted(edges_E, [start, moment]))
                there_V = np.clip((moment - np.maximum(uploaded_at_V, start)) / max(1, moment - start), 0.0, 1.0)
                values_GVS[g, :, 2 * w : 2 * w + 2] = _statistics(
                    shown_CV[here].sum(axis=0, dtype=np.int64), liked_CV[here].sum(axis=0, dtype=np.int64), there_V
                )
        return cls(moments_G=moments_G, values_GVS=values_GVS)

    @property
    def latest_VS(self) -> NDArray[np.float32]:
        """The statistics at the last moment."""
        latest_VS: NDArray[np.float32] = self.values_GVS[-1]
        return latest_VS

    def places(self, at_T: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each time the row of the last moment at or before it: (T,); times before all moments get the first."""
        return np.maximum(np.searchsorted(self.moments_G, at_T, side="right") - 1, 0)


def _opening(first: int, moment: int, days: float | None) -> int:
    """When a window that ends at a moment begins, in a log that begins at ``first``."""
    return first if days is None else max(first, int(moment - days * DAY_MS))


def _counts(
    rows: Interactions, edges_E: NDArray[np.int64], videos: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """How often each video was shown, and liked, between one edge and the next: two of (E - 1, V)."""
    shown_CV, liked_CV = (np.zeros((max(0, len(edges_E) - 1), videos), np.int32) for _ in range(2))
    for here in stretches(len(rows)):
        block = rows.part(here)
        cell_I = np.searchsorted(edges_E, block.at_I, side="right") - 1
        place_I = cell_I * videos + block.video_I
        np.add.at(shown_CV.reshape(-1), place_I, 1)
        np.add.at(liked_CV.reshape(-1), place_I[block.positive_I], 1)
    return shown_CV, liked_CV


def _statistics(
    shown_V: NDArray[np.int64], liked_V: NDArray[np.int64], there_V: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Two statistics of each video over one window: (V, 2); ``there_V`` is the share of it that a video existed."""
    expected_V = there_V * shown_V.sum() / max(there_V.sum(), 1e-9)
    share = liked_V.sum() / max(1, shown_V.sum())
    shown = np.log((shown_V + _SHOWN_PRIOR) / (expected_V + _SHOWN_PRIOR))
    liked = np.log((liked_V + _LIKED_PRIOR * share + 1e-3) / ((shown_V + _LIKED_PRIOR) * share + 1e-3))
    return np.stack([shown, liked], axis=1)
