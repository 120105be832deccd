"""How sure a mean over viewers is: bootstrap intervals, paired when recommenders are compared.

Legend of shape suffixes: B = viewers, C = columns (a recommender's metric each), S = resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000

_BLOCK_DRAWS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its 95% interval [low, high]."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Plain values for JSON; an open end is None."""
        return {
            "value": self.value,
            "low": self.low if np.isfinite(self.low) else None,
            "high": self.high if np.isfinite(self.high) else None,
        }


def bootstrap(
    viewers: int,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Any statistic of viewers drawn with replacement: (S, ...).

    Args:
        viewers: How many there are.
        statistic: Given how often each viewer was drawn in each of some resamples (s, B), its values (s, ...).
        resamples: How many times the viewers are drawn.
        seed: Statistics of one seed and one number of viewers see the same draws, and so are paired.
    """
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_DRAWS // max(viewers, 1))
    parts = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, viewers, (size, viewers)) + viewers * np.arange(size)[:, None]
        times_SB = np.bincount(drawn.ravel(), minlength=size * viewers).reshape(size, viewers)
        parts.append(statistic(times_SB.astype(np.float64)))
    return np.concatenate(parts)


def bootstrap_means(
    values_BC: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Means over viewers drawn with replacement: (S, C).

    All columns see the same draws, so that differences and ratios of columns are paired by viewer.
    """
    viewers = len(values_BC)
    return bootstrap(viewers, lambda times_SB: times_SB @ values_BC / viewers, resamples=resamples, seed=seed)


def estimate(value: float, resampled_S: NDArray[np.float64]) -> Estimate:
    """A figure with the central 95% of its resamples; those that are not finite are left out."""
    finite = resampled_S[np.isfinite(resampled_S)]
    if not len(finite):
        return Estimate(value=value, low=float("nan"), high=float("nan"))
    low, high = np.percentile(finite, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high))


def ratio(
    ours: float, theirs: float, ours_S: NDArray[np.float64], theirs_S: NDArray[np.float64]
) -> Estimate | None:
    """Ours divided by theirs, paired by resample; None where theirs is 0 and the ratio says nothing."""
    if theirs <= 0:
        return None
    quotient_S = np.divide(ours_S, theirs_S, out=np.full(len(ours_S), np.nan), where=theirs_S > 0)
    return estimate(ours / theirs, quotient_S)
