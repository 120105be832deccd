"""An encoder of one's own: how bright a clip is, and how that changes from frame to frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality


class Brightness:
    """Turns pictures into 8 numbers. What changes the vectors has to change ``version``."""

    name = "brightness"
    version = "1"
    modality = Modality.VISUAL
    dim = 8

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip, None where it has no picture."""
        return [None if clip.frames_FHWC is None else self._vector(clip.frames_FHWC) for clip in clips]

    def _vector(self, frames_FHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        light_F = frames_FHWC.mean(axis=(1, 2, 3)) / 255
        colour_C = frames_FHWC.mean(axis=(0, 1, 2)) / 255
        steps_F = np.diff(light_F, prepend=light_F[:1])
        parts = [light_F.mean(), light_F.std(), np.abs(steps_F).mean(), steps_F.max(), *colour_C, light_F[-1]]
        return np.array(parts, np.float32)
