"""What may not be shown at all, whatever it is worth.

Legend of shape suffixes: V = videos on the shelf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Closed:
    """The videos of a shelf that may not be shown, and why.

    row_of: The shelf's. why_V: (V,) int16: 0 where the video may be shown, else one more than the place of its reason
    in ``reasons``; None where all may be.
    """

    row_of: Mapping[str, int] = field(default_factory=dict)
    why_V: NDArray[np.int16] | None = None
    reasons: tuple[str, ...] = ()

    @cached_property
    def open_V(self) -> NDArray[np.bool_] | None:
        """Which may be shown (V,) bool; None where all may be."""
        return None if self.why_V is None or not self.why_V.any() else self.why_V == 0

    def reason(self, video_id: str) -> str | None:
        """Why a video may not be shown, None where it may, or is not on the shelf."""
        if self.open_V is None or self.why_V is None:
            return None
        row = self.row_of.get(video_id)
        why = 0 if row is None else int(self.why_V[row])
        return self.reasons[why - 1] if why else None
