"""What is popular now, and how fresh a video is.

Legend of shape suffixes: N = candidates, V = videos on the shelf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """How many viewers liked each video lately; a viewer who repeats himself counts once.

    ``ranking`` holds the ids with a count, the greatest first.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    ranking: tuple[str, ...] = ()

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Popularity:
        """Rank counts; equal ones by id, so that the order is the same everywhere.

        >>> Popularity.of({"a": 1, "c": 3, "b": 1}).ranking
        ('c', 'a', 'b')
        """
        return cls(counts=dict(counts), ranking=tuple(sorted(counts, key=lambda video: (-counts[video], video))))

    def of_candidates(self, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """Log counts (N,), so that the hundredth viewer weighs less than the first."""
        counts = [self.counts.get(candidate.video_id, 0) for candidate in candidates]
        return np.log1p(np.array(counts, np.float32))


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
