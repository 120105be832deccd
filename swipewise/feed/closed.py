"""What may not be shown at all, whatever it is worth.

Legend of shape suffixes: V = videos on the shelf, N = some videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Closed:
    """The videos of a shelf that may not be shown, and why.

    why_V: (V,) int16: 0 where the video may be shown or has left the shelf, else one more than the place of its reason
    in ``reasons``; None where all may be.
    """

    why_V: NDArray[np.int16] | None = None
    reasons: tuple[str, ...] = ()

    @cached_property
    def open_V(self) -> NDArray[np.bool_] | None:
        """Which may be shown (V,) bool; None where all may be."""
        return None if self.why_V is None or not self.why_V.any() else self.why_V == 0

    def why(self, numbers_N: NDArray[np.int64]) -> NDArray[np.int16]:
        """Of videos that may not be shown one more than the place of the reason, 0 of others: (N,).

        Args:
            numbers_N: Rows of the shelf; what lies beyond it is not closed.
        """
        why_N = np.zeros(len(numbers_N), np.int16)
        if self.why_V is not None:
            held_N = numbers_N < len(self.why_V)
            why_N[held_N] = self.why_V[numbers_N[held_N]]
        return why_N

    def by(self, reason: str, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which may not be shown for this reason: (N,)."""
        # Two rules may give the same reason.
        codes = [place for place, each in enumerate(self.reasons, 1) if each == reason]
        return np.isin(self.why(numbers_N), codes) if codes else np.zeros(len(numbers_N), np.bool_)
