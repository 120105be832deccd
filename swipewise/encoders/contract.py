"""What an encoder is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality, Needs, Words


class Encoder(Protocol):
    """Turns one modality of a clip into a vector of fixed width.

    ``name`` and ``version`` together say how a vector came about: what changes the vectors changes the version.
    One that wants larger frames or more of the sound than others has an attribute ``needs``; one to which more clips at
    a time are of no use has the most that are, ``batch``.
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

        Args:
            clips: Decoded as the encoder needs them.
        """
        ...


class Recognizer(Protocol):
    """Finds the words that are spoken or shown in a clip; what an encoder may say of itself, it may too."""

    name: str
    version: str
    kind: Words

    def recognize(self, clips: Sequence[Clip]) -> list[str | None]:
        """The words of each clip, in order; None where there are none. The first call reads what is needed.

        Args:
            clips: Decoded as it needs them.
        """
        ...


def identity(encoder: Encoder | Recognizer) -> str:
    """The name under which an encoder's vectors are kept, such as ``descriptor@1``.

    Args:
        encoder: An encoder or a recogniser.
    """
    return f"{encoder.name}@{encoder.version}"


def needs_of(encoders: Iterable[Encoder | Recognizer]) -> Needs:
    """What clips have to bring so that each of them has what it needs.

    Args:
        encoders: Encoders and recognisers.
    """
    wanted = [getattr(encoder, "needs", Needs()) for encoder in encoders]
    return Needs(
        frame_side=max((each.frame_side for each in wanted), default=0),
        sample_rate=max((each.sample_rate for each in wanted), default=0),
    )


def batch_of(encoders: Iterable[Encoder | Recognizer], most: int) -> int:
    """How many clips at a time are of use to any of them, 1 to ``most``.

    Args:
        encoders: Encoders and recognisers.
        most: How many clips are at hand at most.
    """
    wanted = [getattr(encoder, "batch", most) for encoder in encoders]
    return min(most, max(wanted, default=1))
