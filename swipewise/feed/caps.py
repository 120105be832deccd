"""Caps: at most so many videos of one creator, or of one topic, in a feed or in any few places of it.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


class Cap:
    """Which candidates still fit, as a feed is filled place by place.

    Args:
        labels: Of each candidate (N) what is counted, such as its creator or its topics; one without any always fits.
        most: Places that may have the same label.
        window: Successive places among which they are counted; 0: the whole feed.
        reason: What the answer says of candidates that were kept out.
    """

    def __init__(self, labels: Sequence[Iterable[str]], *, most: int, window: int, reason: str) -> None:
        self.reason = reason
        self._labels = [tuple(set(each)) for each in labels]
        self._most, self._window = most, window
        self._with: dict[str, list[int]] = {}
        for position, names in enumerate(self._labels):
            for name in names:
                self._with.setdefault(name, []).append(position)
        self._shown: list[int] = []
        self._count: Counter[str] = Counter()
        self._used_up_N = np.zeros(len(self._labels), np.int64)

    @property
    def fits_N(self) -> NDArray[np.bool_]:
        """(N,), True where the candidate may have the next place."""
        fits_N: NDArray[np.bool_] = self._used_up_N == 0
        return fits_N

    def take(self, position: int) -> None:
        """The candidate has the next place, whether it fits or not."""
        self._shown.append(position)
        for name in self._labels[position]:
            self._count[name] += 1
            if self._count[name] == self._most:
                self._used_up_N[self._with[name]] += 1
        # The next place shares a window with the last window - 1 places.
        if 0 < self._window <= len(self._shown):
            self._leave(self._shown[-self._window])

    def _leave(self, position: int) -> None:
        for name in self._labels[position]:
            if self._count[name] == self._most:
                self._used_up_N[self._with[name]] -= 1
            self._count[name] -= 1
