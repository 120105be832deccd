"""Caps: at most so many videos of one creator, or of one topic, in a feed.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

ENOUGH_OF_CREATOR = "enough of this creator"
ENOUGH_OF_TOPIC = "enough of this topic"


class Cap:
    """Which candidates still fit while a feed is filled.

    Args:
        labels: Of each candidate (N) what is counted, such as its creator or its topics; one without any always fits.
        most: Videos of a feed that may share a label, at least 1.
        reason: What the answer says of candidates that were kept out.
    """

    def __init__(self, labels: Sequence[Iterable[str]], *, most: int, reason: str) -> None:
        self.reason = reason
        self.fits_N: NDArray[np.bool_] = np.ones(len(labels), bool)
        """(N,), True where the candidate may have the next place."""
        self._labels = [frozenset(each) for each in labels]
        self._with: dict[str, list[int]] = {}
        for position, names in enumerate(self._labels):
            for name in names:
                self._with.setdefault(name, []).append(position)
        self._most = most
        self._count: Counter[str] = Counter()

    def take(self, position: int) -> None:
        """The candidate has a place, whether it fits or not."""
        for name in self._labels[position]:
            self._count[name] += 1
            if self._count[name] == self._most:
                self.fits_N[self._with[name]] = False


def fitting(open_N: NDArray[np.bool_], caps: Sequence[Cap]) -> NDArray[np.bool_]:
    """Those of the open candidates (N,) that fit all caps; where none does, the last cap gives way, then the next."""
    for kept in range(len(caps), 0, -1):
        fitting_N = open_N.copy()
        for cap in caps[:kept]:
            fitting_N &= cap.fits_N
        if fitting_N.any():
            return fitting_N
    return open_N
