"""Whisper as a recogniser, on a tiny checkpoint that writes other words for other sounds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders import build_recognizers, identity
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.schema import Clip, Words

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

import transformers as hf

from swipewise.encoders.foundation import PREFIX, SpeechRecognizer, speech
from tests.encoders.foundation.checkpoints import make, transcriber

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transcriber(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def recognizer(folder: Path, **settings: Any) -> SpeechRecognizer:
    return SpeechRecognizer(str(folder), EncodersConfig(**settings))


def sound(seed: int, seconds: float) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def clips(*sounds: NDArray[np.float32]) -> list[Clip]:
    return [Clip(waveform_S=each) for each in sounds]


@pytest.mark.parametrize("language", ["auto", "de"])
def test_words_are_those_of_the_librarys_own_way_to_them(folder: Path, language: str) -> None:
    model = hf.AutoModelForSpeechSeq2Seq.from_pretrained(folder)
    processor = hf.AutoProcessor.from_pretrained(folder)
    inputs = processor(sound(1, 2), sampling_rate=RATE, return_tensors="pt")
    asked = {"task": "transcribe"} | ({} if language == "auto" else {"language": language})
    tokens = model.generate(inputs.input_features, do_sample=False, num_beams=1, **asked)
    (expected,) = processor.batch_decode(tokens, skip_special_tokens=True)
    assert len(expected.split()) > 2
    assert recognizer(folder, speech_language=language).recognize(clips(sound(1, 2))) == [expected.strip()]


def test_words_are_the_same_every_time_and_whatever_shares_the_batch(folder: Path) -> None:
    some = [*clips(sound(1, 2), sound(2, 3)), Clip(), *clips(sound(3, 1))]
    together = recognizer(folder).recognize(some)
    assert together == recognizer(folder, batch=1).recognize(some)
    assert together == [recognizer(folder).recognize([clip])[0] for clip in some]
    assert together[2] is None
    assert len(set(together)) >= 3


def test_longer_sound_is_heard_in_windows_that_end_where_it_is_quiet(folder: Path) -> None:
    pause = np.zeros(RATE, np.float32)
    parts = [sound(1, 26.0), pause, sound(2, 10.0)]
    heard = speech._windows(Clip(waveform_S=np.concatenate(parts)), RATE)
    assert len(heard) == 2
    assert 26 * RATE <= len(heard[0]) <= 27 * RATE
    assert sum(map(len, heard)) == sum(map(len, parts))
    said = recognizer(folder).recognize(clips(np.concatenate(parts)))
    each = recognizer(folder).recognize(clips(*heard))
    assert said == [" ".join(filter(None, each))]
    assert None not in each


@pytest.mark.parametrize(
    "quiet",
    [
        np.zeros(RATE, np.float32),
        np.zeros(0, np.float32),
        sound(1, 40) * 0.01,
        np.concatenate([sound(1, 0.1), np.zeros(3 * RATE, np.float32)]),
    ],
    ids=["silence", "nothing", "hiss", "a click"],
)
def test_in_silence_nobody_speaks_and_no_model_is_asked(
    folder: Path, quiet: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SpeechRecognizer, "_hear", lambda *_: pytest.fail("asked the model"))
    assert recognizer(folder).recognize([Clip(waveform_S=quiet), Clip()]) == [None, None]


def test_what_the_model_takes_for_no_speech_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recognizer(folder).recognize(clips(sound(1, 2))) != [None]
    monkeypatch.setattr(speech, "_NO_SPEECH", -1.0)  # any chance of silence is enough
    monkeypatch.setattr(speech, "_LOG_PROBABILITY", 1.0)  # and no text is likely enough
    assert recognizer(folder).recognize(clips(sound(1, 2))) == [None]


def test_what_goes_in_circles_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "_REPEATED", 0.1)
    assert recognizer(folder).recognize(clips(sound(1, 2))) == [None]


def test_the_identity_names_model_precision_and_language_and_needs_no_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.encoders.foundation.loading._load", lambda *_: pytest.fail("read the weights"))
    built = build_recognizers(EncodersConfig(speech=f"{PREFIX}{folder}"))
    assert identity(built[Words.SPEECH]).startswith("tiny@")
    assert identity(built[Words.SPEECH]).endswith("-float32-auto-1")
    chosen = recognizer(folder, precision="bfloat16", speech_language="zh")
    assert chosen.version.endswith("-bfloat16-zh-1")


def test_half_precision_hears_words_too(folder: Path) -> None:
    (said,) = recognizer(folder, precision="bfloat16").recognize(clips(sound(1, 2)))
    assert said


def test_an_english_model_is_not_asked_for_a_language(tmp_path: Path) -> None:
    english = transcriber(tmp_path / "tiny.en", multilingual=False)
    assert recognizer(english, speech_language="en").recognize(clips(sound(1, 2))) != [None]
    with pytest.raises(
        ConfigError, match=r"speech_language is 'de', and .*tiny.en knows English alone: set it to"
    ):
        recognizer(english, speech_language="de")


@pytest.mark.parametrize(
    ("language", "hint"), [("zhh", "did you mean 'zh'"), ("klingon", "valid are auto, de, en, zh")]
)
def test_a_language_that_the_model_does_not_know_is_refused(folder: Path, language: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"speech_language is '{language}', which .*tiny does not know: {hint}"):
        recognizer(folder, speech_language=language)


def test_other_models_are_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="is of the family 'hubert', which hears no words here: known is whisper"
    ):
        recognizer(make("hubert", tmp_path / "hubert"))
    (copy / "generation_config.json").write_text(json.dumps({"max_length": 24}))
    with pytest.raises(ConfigError, match=r"has no generation_config\.json that says how Whisper writes"):
        recognizer(copy)


def test_weights_that_cannot_be_read_fail_before_the_first_clip(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ConfigError, match=r"the model in .*model cannot be loaded"):
        recognizer(copy).recognize([])


def test_without_the_extra_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'swipewise\[foundation\]'"):
        recognizer(folder)
