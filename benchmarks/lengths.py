"""Data sets of given lengths: what a training costs depends on them, and not on what was watched.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import FLAG_ACTIONS
from swipewise.training.dataset import ContentFeature, Dataset, Interactions

CONTENT = {"visual": 128, "text": 256, "audio": 128}
"""Widths of the vectors of each modality."""

HOUR_MS = 3_600_000


def lengths_like_kuairand(viewers: int, seed: int = 0) -> NDArray[np.int64]:
    """Lengths of histories as in the part of KuaiRand-Pure that is measured elsewhere: median 34, none above 97."""
    quantiles = np.array([1, 8, 20, 34, 45, 57, 97])  # at 0, 10, 25, 50, 75, 95 and 100%
    drawn_U = np.random.default_rng(seed).random(viewers)
    length_U: NDArray[np.float64] = np.interp(drawn_U, [0, 0.1, 0.25, 0.5, 0.75, 0.95, 1], quantiles)
    return length_U.round().astype(np.int64)


def short_lengths(viewers: int, seed: int = 0) -> NDArray[np.int64]:
    """Lengths of histories with a median of 6 and at most 20."""
    drawn_U = np.random.default_rng(seed).lognormal(np.log(6), 0.7, viewers)
    return np.clip(drawn_U.round(), 2, 20).astype(np.int64)


def made_dataset(length_U: NDArray[np.int64], videos: int, *, content: bool = False, seed: int = 0) -> Dataset:
    """Viewers with so many interactions each, all positive, with videos whose popularity falls off as 1 / rank.

    Args:
        length_U: Interactions of each viewer.
        videos: How many there are.
        content: Whether they have vectors of all modalities, and creators.
        seed: Of every draw.
    """
    rng = np.random.default_rng(seed)
    viewers, rows = len(length_U), int(length_U.sum())
    cumulated_V = np.cumsum(1 / np.arange(1, videos + 1) ** 0.8)
    video_I = np.searchsorted(cumulated_V, rng.random(rows) * cumulated_V[-1])
    place_I = np.arange(rows) - np.repeat(np.cumsum(length_U) - length_U, length_U)
    return Dataset(
        viewer_ids=tuple(f"u{viewer}" for viewer in range(viewers)),
        video_ids=tuple(f"v{video}" for video in range(videos)),
        interactions=Interactions(
            viewer_I=np.repeat(np.arange(viewers), length_U),
            video_I=rng.permutation(videos)[np.minimum(video_I, videos - 1)],
            at_I=HOUR_MS * (1 + place_I),
            watch_ratio_I=rng.random(rows).astype(np.float32),
            actions_IF=np.zeros((rows, len(FLAG_ACTIONS)), bool),
            positive_I=np.ones(rows, bool),
        ),
        uploaded_at_V=np.zeros(videos, np.int64),
        content={
            name: ContentFeature(
                values_VD=rng.standard_normal((videos, width), np.float32), present_V=np.ones(videos, bool)
            )
            for name, width in CONTENT.items()
            if content
        },
        attributes_VA=rng.integers(1, 501, (videos, 1)) if content else np.zeros((videos, 0), np.int64),
        attribute_values=tuple(f"creator=c{creator}" for creator in range(500)) if content else (),
        profile_UP=np.zeros((viewers, 0), np.int64),
        profile_values=(),
    )
