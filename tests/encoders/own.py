"""Encoders as somebody might write them, some with mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality


class Brightness:
    """The mean of each channel."""

    name = "brightness"
    version = "1"
    modality = Modality.VISUAL
    dim = 3

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        return [
            None if clip.frames_FHWC is None else clip.frames_FHWC.mean(axis=(0, 1, 2)).astype(np.float32)
            for clip in clips
        ]


class Nameless(Brightness):
    name = "two words"


class Taken(Brightness):
    name = "descriptor"


class Broken(Brightness):
    def __init__(self) -> None:
        raise OSError("no weights")


class NoEncoder:
    name = "nothing"
