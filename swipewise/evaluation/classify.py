"""How good predicted probabilities are: ordering, threshold, likelihood and calibration; plain numpy.

Legend of shape suffixes: I = exposures, G = viewers, S = resamples of viewers, K = bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 15
"""Bins of the calibration error, each with the same number of exposures."""

_FLOOR: Final = 1e-7
"""Probabilities are kept this far from 0 and 1 in a log loss, so that one certain error does not make it infinite."""

_BLOCK_WEIGHTS = 4_000_000


def auc(score_I: NDArray[np.floating], positive_I: NDArray[np.bool_]) -> float:
    """Chance that a positive exposure scores above a negative one, a tie counting half; NaN without both.

    >>> auc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, True, False, True]))
    0.875
    """
    auc_G, _ = auc_by_group(score_I, positive_I, np.zeros(len(score_I), np.int64))
    return float(auc_G[0]) if len(auc_G) else float("nan")


def auc_by_group(
    score_I: NDArray[np.floating], positive_I: NDArray[np.bool_], group_I: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The AUC within each group and the number of exposures in it: (G,), (G,).

    G goes up to the largest group; groups without both a positive and a negative have NaN.
    """
    order = np.lexsort((score_I, group_I))
    score, positive, group = score_I[order], positive_I[order], group_I[order]
    size_G = np.bincount(group)
    positives_G = np.bincount(group, positive).astype(np.int64)
    negatives_G = size_G - positives_G
    # Ranks within the group, from 1; equal scores share their mean rank.
    starts = np.append(True, (group[1:] != group[:-1]) | (score[1:] != score[:-1]))[: len(score)]
    tie_I = starts.cumsum() - 1
    length = np.bincount(tie_I)
    last = length.cumsum()
    rank_I = (last - (length - 1) / 2)[tie_I] - (size_G.cumsum() - size_G)[group]
    ranks_G = np.bincount(group, rank_I * positive)
    wins_G = ranks_G - positives_G * (positives_G + 1) / 2
    pairs_G = positives_G * negatives_G
    auc_G: NDArray[np.float64] = np.divide(wins_G, pairs_G, out=np.full(len(size_G), np.nan), where=pairs_G > 0)
    return auc_G, size_G


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampledAuc:
    """The AUC over all exposures when viewers are drawn with replacement; called with times drawn (S, G): (S,).

    An exposure counts as often as its viewer was drawn. Scores are sorted once for all resamples.

    Args of :meth:`of` are those of :func:`auc_by_group`.
    """

    positive_viewer: NDArray[np.int64]
    negative_viewer: NDArray[np.int64]
    below: NDArray[np.int64]
    not_above: NDArray[np.int64]

    @classmethod
    def of(
        cls, score_I: NDArray[np.floating], positive_I: NDArray[np.bool_], viewer_I: NDArray[np.int64]
    ) -> ResampledAuc:
        """Sort the negatives, and find for each positive how many lie below it and how many not above."""
        order = np.argsort(score_I[~positive_I], kind="stable")
        negatives = score_I[~positive_I][order]
        return cls(
            positive_viewer=viewer_I[positive_I],
            negative_viewer=viewer_I[~positive_I][order],
            below=np.searchsorted(negatives, score_I[positive_I], side="left"),
            not_above=np.searchsorted(negatives, score_I[positive_I], side="right"),
        )

    def __call__(self, times_SG: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN where no positive, or no negative, was drawn."""
        block = max(1, _BLOCK_WEIGHTS // max(len(self.positive_viewer) + len(self.negative_viewer), 1))
        parts = [self._block(times_SG[start : start + block]) for start in range(0, len(times_SG), block)]
        return np.concatenate(parts)

    def _block(self, times_SG: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn = times_SG[:, self.negative_viewer].cumsum(axis=1)
        passed = np.concatenate([np.zeros((len(times_SG), 1)), drawn], axis=1)
        weight = times_SG[:, self.positive_viewer]
        wins_S = (weight * (passed[:, self.below] + passed[:, self.not_above])).sum(axis=1) / 2
        pairs_S = weight.sum(axis=1) * passed[:, -1]
        auc_S: NDArray[np.float64] = np.divide(
            wins_S, pairs_S, out=np.full(len(wins_S), np.nan), where=pairs_S > 0
        )
        return auc_S


def best_f1_threshold(probability_I: NDArray[np.floating], positive_I: NDArray[np.bool_]) -> float:
    """The threshold from which on calling exposures positive gives the highest F1; of equal ones the highest.

    >>> best_f1_threshold(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]))
    0.4
    """
    order = np.argsort(-probability_I, kind="stable")
    sorted_I, hits_I = probability_I[order], positive_I[order].cumsum()
    f1_I = 2 * hits_I / (np.arange(1, len(order) + 1) + hits_I[-1])
    # Only where the value changes can a threshold stand.
    f1_I[:-1][sorted_I[:-1] == sorted_I[1:]] = -1.0
    return float(sorted_I[int(f1_I.argmax())])


def log_loss(probability_I: NDArray[np.floating], positive_I: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Minus the natural logarithm of the probability of what happened, of each exposure: (I,).

    >>> log_loss(np.array([0.25]), np.array([False])).tolist() == [-np.log(0.75)]
    True
    """
    clipped_I = np.clip(probability_I.astype(np.float64), _FLOOR, 1 - _FLOOR)
    loss_I: NDArray[np.float64] = -np.log(np.where(positive_I, clipped_I, 1 - clipped_I))
    return loss_I


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Predicted against observed, exposures in bins of equal size by predicted probability.

    predicted_K, observed_K: (K,) float64, mean prediction and share of positives; count_K: (K,) int64.
    """

    predicted_K: NDArray[np.float64]
    observed_K: NDArray[np.float64]
    count_K: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: |predicted - observed|, mean over exposures."""
        gap_K = np.abs(self.predicted_K - self.observed_K)
        return float((gap_K * self.count_K).sum() / self.count_K.sum())


def reliability(
    probability_I: NDArray[np.floating], positive_I: NDArray[np.bool_], bins: int = BINS
) -> Reliability:
    """Sort by probability and cut into ``bins`` parts whose sizes differ by one at most.

    Equal probabilities that a cut would part are given the share of positives they have together, so that the
    order of the exposures changes nothing.
    """
    order = np.argsort(probability_I, kind="stable")
    sorted_I = probability_I[order].astype(np.float64)
    _, tie_I = np.unique(sorted_I, return_inverse=True)
    observed_I = (np.bincount(tie_I, positive_I[order]) / np.bincount(tie_I))[tie_I]
    parts = [part for part in np.array_split(np.arange(len(order)), bins) if len(part)]
    return Reliability(
        predicted_K=np.array([sorted_I[part].mean() for part in parts]),
        observed_K=np.array([observed_I[part].mean() for part in parts]),
        count_K=np.array([len(part) for part in parts], np.int64),
    )
