"""Words that are spoken, by Whisper (arXiv:2212.04356).

Legend of shape suffixes: S = samples, T = steps of a tenth of a second, W = windows, L = tokens.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders.foundation.loading import load_model
from swipewise.encoders.foundation.source import PREFIX, Source, plain_name
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.schema import Clip, Words

_RECIPE = 1
"""Of all that happens here; part of the identity."""

WINDOW_SECONDS: Final = 30
"""What Whisper hears at once."""

_STEP_SECONDS = 0.1
_CUT_SECONDS = 5  # a window ends at the quietest step of its last seconds, so that no word is cut in two
# A window with less sound than this holds no words, whatever the model makes of it.
_QUIET = 10 ** (-50 / 20)  # root mean square of a step, of full scale
_LEAST_LOUD_SECONDS = 0.3
# Both as the authors of Whisper chose them: above the one and below the other, nobody speaks.
_NO_SPEECH, _LOG_PROBABILITY = 0.6, -1.0
# By how much a text can be compressed; above it the model went round in circles. The authors' too.
_REPEATED = 2.4


class SpeechRecognizer:
    """Transcribes speech, greedily, in windows of up to 30 seconds.

    The weights are read when the first clips are heard.

    Args:
        reference: A hub id or a folder.
        settings: ``speech_language`` and those of ``FoundationEncoder`` are used.

    Raises:
        ConfigError: The model is not there, is no Whisper, or does not know the language.
        MissingExtraError: transformers is not installed.
    """

    kind = Words.SPEECH

    def __init__(self, reference: str, settings: EncodersConfig) -> None:
        try:
            import transformers  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(f"the recogniser {PREFIX}{reference}", "foundation") from error
        self._source = Source.find(reference, settings)
        self._settings = settings
        self._asked = _asked(self._source, reference, settings.speech_language)
        self.name = plain_name(self._source.name)
        language = self._asked.get("language", "auto")
        self.version = f"{self._source.revision}-{settings.precision}-{language}-{_RECIPE}"

    def recognize(self, clips: Sequence[Clip]) -> list[str | None]:
        """What is said in each clip; ``settings.batch`` windows, of whichever clips, are heard at a time.

        Args:
            clips: Decoded as ``needs`` says.
        """
        rate = self._parts[1].sampling_rate
        windows = [(row, window_S) for row, clip in enumerate(clips) for window_S in _windows(clip, rate)]
        said: list[list[str]] = [[] for _ in clips]
        for start in range(0, len(windows), self._settings.batch):
            some = windows[start : start + self._settings.batch]
            for (row, _), text in zip(some, self._hear([window_S for _, window_S in some]), strict=True):
                said[row].append(text)
        return [" ".join(filter(None, texts)) or None for texts in said]

    @cached_property
    def _parts(self) -> tuple[Any, Any, Any]:
        from swipewise.encoders.foundation.tensors import extractor_of, tokenizer_of

        model = load_model(self._source, self._settings, "AutoModelForSpeechSeq2Seq")
        return model, extractor_of(self._source), tokenizer_of(self._source)

    def _hear(self, windows: Sequence[NDArray[np.float32]]) -> list[str]:
        import torch

        from swipewise.encoders.foundation.tensors import placed

        model, extractor, tokenizer = self._parts
        inputs = extractor(
            list(windows), sampling_rate=extractor.sampling_rate, return_tensors="pt", padding="max_length"
        )
        with torch.inference_mode():
            tokens_WL = model.generate(
                **placed({"input_features": inputs["input_features"]}, model),
                **self._asked,
                do_sample=False,
                num_beams=1,
                temperature=0.0,
                return_timestamps=False,
                condition_on_prev_tokens=False,
                no_speech_threshold=_NO_SPEECH,
                logprob_threshold=_LOG_PROBABILITY,
            )
        texts = tokenizer.batch_decode(tokens_WL, skip_special_tokens=True)
        return ["" if goes_in_circles(text) else " ".join(text.split()) for text in texts]


def goes_in_circles(text: str) -> bool:
    """Whether a text says the same over and over, as Whisper does of what it does not understand.

    >>> goes_in_circles("thank you " * 20), goes_in_circles("Fry the onions, then add the garlic.")
    (True, False)
    """
    written = text.encode("utf-8", "replace")
    return len(written) > _REPEATED * len(zlib.compress(written))


def _asked(source: Source, reference: str, language: str) -> dict[str, str]:
    """What the model is asked for: the language, unless it tells by itself, and to transcribe it."""
    if source.kind != "whisper":
        raise ConfigError(
            f"{PREFIX}{reference} is of the family {source.kind!r}, which hears no words here: known is whisper, "
            f"such as {PREFIX}openai/whisper-base"
        )
    said = source.json("generation_config.json")
    if "no_timestamps_token_id" not in said:
        raise ConfigError(
            f"{PREFIX}{reference} has no generation_config.json that says how Whisper writes: take all files of it"
        )
    if not said.get("is_multilingual"):
        if language not in ("auto", "en"):
            raise ConfigError(
                f"encoders.speech_language is {language!r}, and {PREFIX}{reference} knows English alone: "
                "set it to 'auto', or take a model without .en in its name"
            )
        return {}
    known = sorted(mark.strip("<|>") for mark in said.get("lang_to_id", ()))
    if language == "auto":
        return {"task": "transcribe"}
    if language not in known:
        close = get_close_matches(language, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"valid are auto, {', '.join(known)}"
        raise ConfigError(
            f"encoders.speech_language is {language!r}, which {PREFIX}{reference} does not know: {hint}"
        )
    return {"task": "transcribe", "language": language}


def _windows(clip: Clip, rate: int) -> list[NDArray[np.float32]]:
    """The parts of a clip's sound in which something can be heard, cut where it is quiet."""
    from swipewise.encoders.foundation.sounds import resampled

    if clip.waveform_S is None or not len(clip.waveform_S):
        return []
    sound_S = resampled(clip.waveform_S, clip.sample_rate, rate)
    step = int(_STEP_SECONDS * rate)
    loudness_T = _loudness(sound_S, step)
    longest, margin = round(WINDOW_SECONDS / _STEP_SECONDS), round(_CUT_SECONDS / _STEP_SECONDS)
    found, start = [], 0
    while start < len(loudness_T):
        end = start + longest
        if end < len(loudness_T):
            end -= margin - 1 - int(np.argmin(loudness_T[end - margin : end]))
        loud = int((loudness_T[start:end] > _QUIET).sum())
        if loud * _STEP_SECONDS >= _LEAST_LOUD_SECONDS:
            found.append(sound_S[start * step : end * step])
        start = end
    return found


def _loudness(sound_S: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """The root mean square of each step (T,); the last one may be shorter."""
    starts = np.arange(0, len(sound_S), step)
    energy_T = np.add.reduceat(sound_S * sound_S, starts) / np.diff(starts, append=len(sound_S))
    loudness_T: NDArray[np.float32] = np.sqrt(energy_T)
    return loudness_T
