"""Frames spread over the shots of a clip rather than evenly over its time.

Cuts are found by the colours of small pictures taken every half second, so a shot may be that much longer or shorter
than is told, and fades are no cuts.

Legend of shape suffixes: F = frames wanted, G = small pictures, S = shots, H, W = rows and columns, C = 3 (RGB).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

COARSE_SIDE: Final = 48
"""Longer side of the small pictures, pixels."""

LEAST_SHOT_SECONDS: Final = 1.0
"""Every shot of at least this length gets a frame, as far as there are frames."""

_STEP_SECONDS = 0.5
_MOST_PICTURES = 480
_LEVELS = 4
# Two pictures share less than this of their colours at a cut: those of one shot mostly share more than 0.9.
_SHARED = 0.65
# Where everything changes all the time a cut has to stand out from its clip.
_STANDS_OUT = 3.0


def coarse_times(start: float, seconds: float) -> NDArray[np.float64]:
    """When to look for cuts (G,)."""
    count = max(2, min(math.ceil(seconds / _STEP_SECONDS), _MOST_PICTURES))
    return even_times(start, seconds, count)


def even_times(start: float, seconds: float, count: int) -> NDArray[np.float64]:
    """The centres of equal spans (F,)."""
    return start + (np.arange(count, dtype=np.float64) + 0.5) * (seconds / count)


def cut_times(pictures_GHWC: NDArray[np.uint8], times_G: NDArray[np.float64]) -> list[float]:
    """When one shot ends and the next begins, halfway between two small pictures taken at these times."""
    colours_GK = np.stack([_colours(picture_HWC) for picture_HWC in pictures_GHWC])
    change_G = 1 - np.minimum(colours_GK[1:], colours_GK[:-1]).sum(axis=1)
    least = max(1 - _SHARED, _STANDS_OUT * float(np.median(change_G)))
    return [float(times_G[place : place + 2].mean()) for place in np.flatnonzero(change_G > least)]


def shot_times(start: float, seconds: float, cuts: list[float], frames: int) -> NDArray[np.float64]:
    """When to take frames (F,) ascending: evenly within each shot, more in longer ones; evenly where there is no cut.

    The longest shots come first until each of at least a second has a frame; each further frame goes to the shot whose
    frames stand for most time.
    """
    edges = np.array([start, *cuts, start + seconds])
    seconds_S = np.diff(edges)
    frames_S = np.zeros(len(seconds_S), int)
    for _ in range(frames):
        waiting_S = np.where((frames_S == 0) & (seconds_S >= LEAST_SHOT_SECONDS), seconds_S, 0.0)
        worth_S = waiting_S if waiting_S.any() else seconds_S / (frames_S + 0.5)
        frames_S[int(np.argmax(worth_S))] += 1
    taken = [even_times(edges[shot], seconds_S[shot], frames_S[shot]) for shot in np.flatnonzero(frames_S)]
    return np.concatenate(taken)


def _colours(picture_HWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The share of pixels of each of 64 colours (K,)."""
    level_HWC = picture_HWC.astype(np.int64) * _LEVELS // 256
    colour_HW = (level_HWC[..., 0] * _LEVELS + level_HWC[..., 1]) * _LEVELS + level_HWC[..., 2]
    return np.bincount(colour_HW.ravel(), minlength=_LEVELS**3) / colour_HW.size
