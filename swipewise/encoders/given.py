"""Stands for vectors that came with a data set: it says whose they are, and makes none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import GIVEN_ENCODER, Clip, Modality


class GivenVectors:
    """The encoder ``dataset``: no clip has its modality, so videos that are added later go without it."""

    name = GIVEN_ENCODER
    version = "1"
    dim = 0

    def __init__(self, modality: Modality) -> None:
        self.modality = modality

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """None for every clip."""
        return [None] * len(clips)
