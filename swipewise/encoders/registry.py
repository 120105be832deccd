"""Build encoders by name. Each is imported when asked for, so that worker processes load only what they use."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from swipewise.config import EncodersConfig
from swipewise.encoders.contract import Encoder
from swipewise.encoders.foundation import PREFIX, FoundationEncoder
from swipewise.errors import ConfigError
from swipewise.schema import CONTENT_MODALITIES, Modality


def _visual() -> Encoder:
    from swipewise.encoders.visual import VisualDescriptor

    return VisualDescriptor()


def _audio() -> Encoder:
    from swipewise.encoders.audio import AudioDescriptor

    return AudioDescriptor()


def _text() -> Encoder:
    from swipewise.encoders.text import TextDescriptor

    return TextDescriptor()


def _minilm() -> Encoder:
    from swipewise.encoders.minilm import MiniLM

    return MiniLM()


def _fake(modality: Modality) -> Callable[[], Encoder]:
    def build() -> Encoder:
        from swipewise.encoders.fake import FakeEncoder

        return FakeEncoder(modality)

    return build


def _given(modality: Modality) -> Callable[[], Encoder]:
    def build() -> Encoder:
        from swipewise.encoders.given import GivenVectors

        return GivenVectors(modality)

    return build


_BUILDERS: dict[Modality, dict[str, Callable[[], Encoder]]] = {
    Modality.VISUAL: {"descriptor": _visual},
    Modality.TEXT: {"descriptor": _text, "minilm": _minilm},
    Modality.AUDIO: {"descriptor": _audio},
}
for _modality, _builders in _BUILDERS.items():
    _builders |= {"fake": _fake(_modality), "dataset": _given(_modality)}


def build_encoder(modality: Modality, name: str, settings: EncodersConfig | None = None) -> Encoder:
    """The encoder of this name for a content modality.

    Args:
        modality: What it encodes.
        name: Of a descriptor, or ``huggingface:`` with a hub id or a folder.
        settings: How models are fetched and run.

    Raises:
        ConfigError: There is none of this name; the message names the nearest.
        MissingExtraError: It needs a package that is not installed.
    """
    if name.startswith(PREFIX):
        return FoundationEncoder(modality, name.removeprefix(PREFIX), settings or EncodersConfig())
    known = _BUILDERS[modality]
    if name not in known:
        valid = [each for each in known if each != "fake"]
        close = [f"{PREFIX}{name}"] if Path(name).is_dir() else get_close_matches(name, valid, n=1, cutoff=0.5)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"valid are {', '.join(valid)}, {PREFIX}<id or folder>, none"
        )
        raise ConfigError(f"encoders.{modality} names an unknown encoder {name!r}: {hint}")
    return known[name]()


def build_encoders(config: EncodersConfig) -> dict[Modality, Encoder]:
    """The configured encoders by modality, without those set to ``none``.

    Raises:
        ConfigError: A name is unknown.
        MissingExtraError: An encoder needs a package that is not installed.
    """
    names = {modality: getattr(config, modality) for modality in CONTENT_MODALITIES}
    return {modality: build_encoder(modality, name, config) for modality, name in names.items() if name != "none"}
