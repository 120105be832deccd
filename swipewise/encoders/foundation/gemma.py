"""EmbeddingGemma 2, which reads frames and sound as soft tokens among words; vectors are compared by cosine.

Its published processor wants torchvision for videos. Here frames are given as a row of pictures instead, in the same
words that it would put around them, and only its parts for pictures, sound and words are used.

Legend of shape suffixes: B = clips, L = tokens, D = width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tensors import (
    extractor_of,
    image_processor_of,
    masked_mean,
    placed,
    tokenizer_of,
)
from swipewise.schema import Clip

PIECE_SECONDS = 30.0
"""The longest sound that it reads at once."""


class GemmaFrames:
    """All frames of a clip in one row."""

    def __init__(self, model: Any, source: Source) -> None:
        self._model = model
        self._processor, self._tokenizer = image_processor_of(source), tokenizer_of(source)

    def content(self, clip: Clip) -> NDArray[np.uint8] | None:
        """The frames."""
        return clip.frames_FHWC

    def embed(self, contents: Sequence[NDArray[np.uint8]]) -> Tensor:
        """(B, D)."""
        frames = [frame_HWC for frames_FHWC in contents for frame_HWC in frames_FHWC]
        inputs = dict(self._processor(images=frames, return_tensors="pt"))
        tokenizer, counts = self._tokenizer, inputs.pop("num_soft_tokens_per_image").tolist()
        shown = [f"{tokenizer.boi_token}{tokenizer.image_token * count}{tokenizer.eoi_token}" for count in counts]
        ends = accumulate(map(len, contents), initial=0)
        texts = [" ".join(shown[start:end]) for start, end in pairwise(ends)]
        return read(self._model, tokenizer, texts, inputs)


class GemmaSound:
    """Pieces of sound."""

    def __init__(self, model: Any, source: Source) -> None:
        self._model = model
        self._extractor, self._tokenizer = extractor_of(source), tokenizer_of(source)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self._extractor.sampling_rate)

    def listen(self, pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        """(P, D)."""
        inputs = dict(self._extractor(list(pieces), sampling_rate=self.rate, return_tensors="pt"))
        tokenizer = self._tokenizer
        counts = [_soft_tokens(mask_L) for mask_L in inputs["input_features_mask"]]
        texts = [f"{tokenizer.boa_token}{tokenizer.audio_token * count}{tokenizer.eoa_token}" for count in counts]
        return read(self._model, tokenizer, texts, inputs)


def read(model: Any, tokenizer: Any, texts: list[str], inputs: Mapping[str, Tensor]) -> Tensor:
    """The mean over a text's tokens, soft ones among them, L2-normalised: (B, D)."""
    words = tokenizer(texts, padding=True, return_tensors="pt")
    mask_BL = words["attention_mask"]
    asked = {"input_ids": words["input_ids"], "attention_mask": mask_BL, **inputs}
    states_BLD = model(**placed(asked, model)).last_hidden_state
    return normalize(masked_mean(states_BLD, mask_BL.to(states_BLD.device)).float(), dim=1)


def _soft_tokens(mask_L: Tensor) -> int:
    """How many soft tokens the rows of a spectrogram become: every second row, twice."""
    kept_L = mask_L.to(torch.bool)
    for _ in range(2):
        kept_L = kept_L[::2][: (len(kept_L) - 1) // 2 + 1]
    return int(kept_L.sum())
