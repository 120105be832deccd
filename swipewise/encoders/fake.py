"""Encoders without meaning, for tests: the same content gives the same vector or words, other content others."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality, Words


class FakeEncoder:
    """Hashes the bytes of a modality into a unit vector."""

    name = "fake"
    version = "1"

    def __init__(self, modality: Modality, dim: int = 8) -> None:
        self.modality = modality
        self.dim = dim

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A unit vector for each clip that has the modality."""
        return [self._vector(self._content(clip)) for clip in clips]

    def _content(self, clip: Clip) -> bytes | None:
        if self.modality is Modality.TEXT:
            return clip.caption.encode() if clip.caption else None
        array = clip.frames_FHWC if self.modality is Modality.VISUAL else clip.waveform_S
        return array.tobytes() if array is not None else None

    def _vector(self, content: bytes | None) -> NDArray[np.float32] | None:
        if content is None:
            return None
        seed = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
        vector = np.random.default_rng(seed).standard_normal(self.dim)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeRecognizer:
    """A word that is the hash of the frames or of the sound."""

    name = "fake"
    version = "1"

    def __init__(self, kind: Words) -> None:
        self.kind = kind

    def recognize(self, clips: Sequence[Clip]) -> list[str | None]:
        """A word for each clip that has what is looked at."""
        arrays = [clip.waveform_S if self.kind is Words.SPEECH else clip.frames_FHWC for clip in clips]
        return [None if array is None else blake2b(array.tobytes(), digest_size=4).hexdigest() for array in arrays]
