"""What is popular now, and how fresh a video is.

Legend of shape suffixes: N = videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """How many viewers liked each video lately; a viewer who repeats himself counts once.

    ``ranking`` holds the ids with a count, the greatest first. ``exposures`` tell how many viewers were shown each
    video in the same time, ``rises`` how far the likes of the last hours exceed what the time before lets expect, of
    those that do; ``rising`` has the greatest of these first.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    ranking: tuple[str, ...] = ()
    exposures: Mapping[str, int] = field(default_factory=dict)
    rises: Mapping[str, float] = field(default_factory=dict)
    rising: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        counts: Mapping[str, int],
        *,
        exposures: Mapping[str, int] | None = None,
        rises: Mapping[str, float] | None = None,
    ) -> Popularity:
        """Rank counts and rises; equal ones by id, so that the order is the same everywhere.

        >>> Popularity.of({"a": 1, "c": 3, "b": 1}).ranking
        ('c', 'a', 'b')
        """
        return cls(
            counts=dict(counts),
            ranking=_ranked(counts),
            exposures=dict(exposures or {}),
            rises=dict(rises or {}),
            rising=_ranked(rises or {}),
        )


def _ranked(values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(values, key=lambda video: (-values[video], video)))


def freshness(uploaded_at_N: NDArray[np.float64], now: datetime, half_life_days: float) -> NDArray[np.float32]:
    """1 for a video uploaded now, halved with each half-life, 0 where the upload time is unknown.

    >>> from datetime import UTC
    >>> now = datetime(2025, 1, 8, tzinfo=UTC)
    >>> week_ago = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    >>> freshness(np.array([now.timestamp(), week_ago, np.nan]), now, half_life_days=7).tolist()
    [1.0, 0.5, 0.0]
    """
    age_days_N = np.maximum(now.timestamp() - uploaded_at_N, 0) / timedelta(days=1).total_seconds()
    # A window of 0 days would divide by zero; an hour is as good as none.
    fresh_N = 0.5 ** (age_days_N / max(half_life_days, 1 / 24))
    return np.nan_to_num(fresh_N, nan=0.0).astype(np.float32)
