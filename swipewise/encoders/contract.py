"""What an encoder is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality


class Encoder(Protocol):
    """Turns one modality of a clip into a vector of fixed width.

    ``name`` and ``version`` together say how a vector came about: what changes the vectors changes the version.
    """

    name: str
    version: str
    modality: Modality

    @property
    def dim(self) -> int:
        """The width of its vectors."""
        ...

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A finite vector (dim,) for each clip, in order; None where the clip lacks the modality.

        What an encoder needs to be read first is read by the first call, also one without clips.
        """
        ...


def identity(encoder: Encoder) -> str:
    """The name under which an encoder's vectors are kept, such as ``descriptor@1``."""
    return f"{encoder.name}@{encoder.version}"
