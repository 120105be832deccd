"""A foundation model as an encoder of one modality."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders.foundation.source import PREFIX, Source
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.schema import Clip, Modality

_RECIPE = 1
"""Of all pooling and preprocessing here; part of every identity, so that a change of it makes new columns."""


class Embedder(Protocol):
    """One family of models, at work on one modality."""

    def content(self, clip: Clip) -> Sized | None:
        """What of a clip it looks at; None where the clip lacks that."""
        ...

    def embed(self, contents: Sequence[Any]) -> Any:
        """A tensor (B, D) for B contents."""
        ...


class FoundationEncoder:
    """A published model behind the contract of every encoder.

    The weights are read when the first clip is encoded, not when the encoder is built, so that its identity can be
    had for little. Encoding nothing reads them too.

    Args:
        modality: What is encoded.
        reference: A hub id or a folder.
        settings: ``hub``, ``device``, ``precision``, ``batch`` and ``noncommercial`` are used.

    Raises:
        ConfigError: The model is not there, or its family has no such modality.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, modality: Modality, reference: str, settings: EncodersConfig) -> None:
        self.modality = modality
        self._source = Source.find(reference, settings)
        self._settings = settings
        self._build = _family(modality, self._source, reference)
        # A dot would name a part of a column, where it is not one.
        self.name = re.sub(r"[^\w/-]", "_", self._source.name)
        self.version = f"{self._source.revision}-{settings.precision}-{_RECIPE}"

    @property
    def dim(self) -> int:
        """The width of its vectors; reads the weights."""
        return int(self._run([self._embedder.content(_example(self.modality))]).shape[1])

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip that has the modality; ``settings.batch`` clips go through the model at a time."""
        embedder = self._embedder
        found: list[NDArray[np.float32] | None] = [None] * len(clips)
        contents: dict[int, Sized] = {}
        for row, clip in enumerate(clips):
            if (content := embedder.content(clip)) is not None:
                contents[row] = content
        # Contents of like length share a batch, so that little is padding.
        rows = sorted(contents, key=lambda row: len(contents[row]))
        for start in range(0, len(rows), self._settings.batch):
            chosen = rows[start : start + self._settings.batch]
            for row, vector in zip(chosen, self._run([contents[row] for row in chosen]), strict=True):
                found[row] = vector
        return found

    @cached_property
    def _embedder(self) -> Embedder:
        model = _load(self._source.folder, _device(self._settings.device), self._settings.precision)
        return self._build(model, self._source)

    def _run(self, contents: Sequence[Any]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._embedder.embed(contents).float().cpu().numpy()
        return vectors


@lru_cache(maxsize=8)
def _load(folder: Path, device: str, precision: str) -> Any:
    """The model, once a process, though several modalities ask for it."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel

    with quietly():
        try:
            model = AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=getattr(torch, precision),
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ConfigError(f"the model in {folder} cannot be loaded ({str(error).splitlines()[0]})") from error
    return model.eval().to(device)


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def _family(modality: Modality, source: Source, reference: str) -> Callable[[Any, Source], Embedder]:
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"the encoder {PREFIX}{reference}", "foundation") from error
    from swipewise.encoders.foundation.pictures import PICTURES
    from swipewise.encoders.foundation.sentences import SENTENCES, sentence_encoder
    from swipewise.encoders.foundation.sounds import SOUNDS

    tables: Mapping[Modality, Mapping[str, Callable[[Any, Source], Embedder]]] = {
        Modality.VISUAL: PICTURES,
        Modality.TEXT: SENTENCES,
        Modality.AUDIO: SOUNDS,
    }
    known = tables[modality]
    if source.kind in known:
        return known[source.kind]
    elsewhere = [str(other) for other, table in tables.items() if source.kind in table]
    if modality is Modality.TEXT and not elsewhere:
        return sentence_encoder
    hint = f"it encodes {' and '.join(elsewhere)}" if elsewhere else f"known are {', '.join(sorted(known))}"
    raise ConfigError(
        f"{PREFIX}{reference} is of the family {source.kind!r}, which has no {modality} here: {hint}"
    )


def _example(modality: Modality) -> Clip:
    if modality is Modality.TEXT:
        return Clip(caption="a")
    if modality is Modality.AUDIO:
        return Clip(waveform_S=np.zeros(16_000, np.float32))
    return Clip(frames_FHWC=np.zeros((2, 64, 64, 3), np.uint8))


@contextmanager
def quietly() -> Iterator[None]:
    """Without the bar that transformers draws while it loads: the caller has a progress display of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
