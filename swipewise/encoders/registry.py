"""Build encoders by name. Each is imported when asked for, so that worker processes load only what they use."""

from __future__ import annotations

from collections.abc import Callable

from swipewise.config import PYTHON, EncodersConfig, unknown_encoder
from swipewise.encoders.contract import Encoder, Recognizer
from swipewise.encoders.custom import custom_encoder
from swipewise.encoders.foundation import PREFIX, FoundationEncoder, SpeechRecognizer
from swipewise.encoders.words import with_words
from swipewise.errors import ConfigError
from swipewise.schema import CONTENT_MODALITIES, GIVEN_ENCODER, Modality, Words


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
    _builders |= {"fake": _fake(_modality), GIVEN_ENCODER: _given(_modality)}


def build_encoder(modality: Modality, name: str, settings: EncodersConfig | None = None) -> Encoder:
    """The encoder of this name for a content modality.

    Args:
        modality: What it encodes.
        name: Of a descriptor, ``huggingface:`` with a hub id or a folder, or ``python:`` with a module and a class.
        settings: How models are fetched and run.

    Raises:
        ConfigError: There is none of this name; the message names the nearest.
        MissingExtraError: It needs a package that is not installed.
    """
    _check(modality, name)
    if name.startswith(PREFIX):
        return FoundationEncoder(modality, name.removeprefix(PREFIX), settings or EncodersConfig())
    if name.startswith(PYTHON):
        return custom_encoder(modality, name.removeprefix(PYTHON))
    return _BUILDERS[modality][name]()


def build_encoders(config: EncodersConfig) -> dict[Modality, Encoder]:
    """The configured encoders by modality, without those set to ``none``; text is read with the words looked for.

    Args:
        config: The section ``[encoders]``.

    Raises:
        ConfigError: A name is unknown.
        MissingExtraError: An encoder needs a package that is not installed.
    """
    names = {modality: getattr(config, modality) for modality in CONTENT_MODALITIES}
    built = {modality: build_encoder(modality, name, config) for modality, name in names.items() if name != "none"}
    if Modality.TEXT in built and config.text != GIVEN_ENCODER:
        built[Modality.TEXT] = with_words(built[Modality.TEXT], build_recognizers(config))
    return built


def build_recognizers(config: EncodersConfig) -> dict[Words, Recognizer]:
    """What looks for words, by their kind, without those set to ``none``.

    Args:
        config: The section ``[encoders]``.

    Raises:
        ConfigError: A name is unknown.
        MissingExtraError: A recogniser needs a package that is not installed.
    """
    names = {kind: getattr(config, kind) for kind in Words}
    return {kind: _recognizer(kind, name, config) for kind, name in names.items() if name != "none"}


def _recognizer(kind: Words, name: str, settings: EncodersConfig) -> Recognizer:
    _check(kind, name)
    if name == "fake":
        from swipewise.encoders.fake import FakeRecognizer

        return FakeRecognizer(kind)
    if kind is Words.SPEECH:
        return SpeechRecognizer(name.removeprefix(PREFIX), settings)
    from swipewise.encoders.screen import ScreenText

    return ScreenText()


def _check(key: str, name: str) -> None:
    if fault := unknown_encoder(key, name):
        raise ConfigError(f"encoders.{key} {fault}")
