"""A foundation model as an encoder of one modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders.foundation.loading import load_model
from swipewise.encoders.foundation.source import PREFIX, Source, plain_name
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.schema import Clip, Modality, Needs

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
        self.name = plain_name(self._source.name)
        self.needs = _needs(modality, self._source)
        heard = f"-{self.needs.sample_rate}" if self.needs.sample_rate else ""
        self.version = f"{self._source.revision}-{settings.precision}-{_RECIPE}{heard}"

    @property
    def dim(self) -> int:
        """The width of its vectors; reads the weights."""
        return int(self._run([self._embedder.content(_example(self.modality))]).shape[1])

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip that has the modality; ``settings.batch`` clips go through the model at a time.

        Args:
            clips: Decoded as ``needs`` says.
        """
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
        return self._build(load_model(self._source, self._settings), self._source)

    def _run(self, contents: Sequence[Any]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._embedder.embed(contents).float().cpu().numpy()
        return vectors


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


def _needs(modality: Modality, source: Source) -> Needs:
    """A model of sound that was trained on more than every encoder gets needs it."""
    rate = int(source.prepares("feature_extractor").get("sampling_rate") or 0)
    plain = Clip().sample_rate
    return Needs(sample_rate=rate) if modality is Modality.AUDIO and rate > plain else Needs()


def _example(modality: Modality) -> Clip:
    if modality is Modality.TEXT:
        return Clip(caption="a")
    if modality is Modality.AUDIO:
        return Clip(waveform_S=np.zeros(16_000, np.float32))
    return Clip(frames_FHWC=np.zeros((2, 64, 64, 3), np.uint8))
