"""Whether a difference between two recommenders may be chance: paired permutation tests, corrected for their number.

Legend of shape suffixes: B = viewers, C = comparisons, S = random assignments of signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

FLIPS: Final = 10_000
"""Random assignments of signs; where so few viewers differ that there are no more than these, all are tried."""

LEVEL: Final = 0.05
"""A p-value below this is read as more than chance."""

_BLOCK_SIGNS = 4_000_000


def sign_flip_p(differences_BC: NDArray[np.float64], *, flips: int = FLIPS, seed: int = 0) -> NDArray[np.float64]:
    """Two-sided p-values of the paired permutation test on each column's mean: (C,) in (0, 1].

    If two recommenders were equally good, a viewer's difference could as well have had the other sign. p is the
    share of assignments of signs under which the mean is at least as far from 0 as it is, the observed one
    included, so that it is never 0. All columns see the same signs.

    Five viewers who all differ the same way leave 2 of 32 assignments as extreme as what was seen:

    >>> sign_flip_p(np.array([[1.0], [2.0], [1.0], [3.0], [2.0]])).tolist()
    [0.0625]
    """
    differ_BC = differences_BC[(differences_BC != 0).any(axis=1)]  # a difference of 0 has no sign
    observed_C = np.abs(differ_BC.sum(axis=0))
    # Sums that are equal but for the order of adding count as equal.
    bar_C = observed_C - 1e-9 * np.abs(differ_BC).sum(axis=0)
    every = len(differ_BC) < 63 and 2 ** len(differ_BC) <= flips
    signs = _all_signs(len(differ_BC)) if every else _random_signs(len(differ_BC), flips, seed)
    extreme_C, tried = np.zeros(differences_BC.shape[1]), 0
    for up_SB in signs:
        # Signs are 2 * up - 1, so that the sum under them is this:
        sums_SC = 2 * (up_SB @ differ_BC) - differ_BC.sum(axis=0)
        extreme_C += (np.abs(sums_SC) >= bar_C).sum(axis=0)
        tried += len(up_SB)
    shares_C: NDArray[np.float64] = extreme_C / tried if every else (extreme_C + 1) / (tried + 1)
    return shares_C


def _all_signs(viewers: int) -> Iterator[NDArray[np.float64]]:
    """Each assignment once: (2**B, B), 1 where the sign is kept."""
    yield (np.arange(2**viewers)[:, None] >> np.arange(viewers) & 1).astype(np.float64)


def _random_signs(viewers: int, flips: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Blocks (S, B), 1 where the sign is kept."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_SIGNS // viewers)
    for start in range(0, flips, block):
        size = min(block, flips - start)
        bits = np.frombuffer(rng.bytes(-(-size * viewers // 8)), np.uint8)
        yield np.unpackbits(bits, count=size * viewers).reshape(size, viewers).astype(np.float64)


def holm(p_C: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values corrected for testing them together, after Holm (1979): (C,) in [0, 1].

    Calling significant whatever stays below 0.05 errs in any comparison of the family once in 20 times at most.

    >>> holm(np.array([0.04, 0.01, 0.03])).tolist()
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_C, kind="stable")
    stepped_C = np.maximum.accumulate(p_C[order] * np.arange(len(p_C), 0, -1))
    corrected_C = np.empty(len(p_C))
    corrected_C[order] = np.minimum(stepped_C, 1.0)
    return corrected_C
