import numpy as np
import pytest

from swipewise.config import ENCODER_NAMES, EncodersConfig
from swipewise.encoders import batch_of, build_encoder, build_encoders, build_recognizers, identity, needs_of
from swipewise.encoders.registry import _BUILDERS
from swipewise.encoders.words import shortened
from swipewise.errors import ConfigError
from swipewise.schema import CONTENT_MODALITIES, Clip, Modality, Needs, Words

BOTH = EncodersConfig(text="descriptor", speech="fake", screen="fake")


def test_the_identity_of_a_text_encoder_says_whose_words_it_reads() -> None:
    def named(**settings: str) -> str:
        return identity(build_encoders(EncodersConfig(**settings))[Modality.TEXT])

    assert named() == "descriptor@1"
    assert named(speech="fake") == "descriptor@1+speech=fake@1"
    assert named(speech="fake", screen="fake") == "descriptor@1+speech=fake@1+screen=fake@1"
    assert named(text="dataset", speech="fake") == "dataset@1"


def test_caption_spoken_and_shown_words_are_read_in_this_order() -> None:
    encoder, plain = build_encoders(BOTH)[Modality.TEXT], build_encoder(Modality.TEXT, "descriptor")
    clips = [
        Clip(caption="a dog", speech="runs home", screen_text="today"),
        Clip(caption=" ", speech="runs home"),
        Clip(screen_text="today"),
        Clip(),
    ]
    read = [Clip(caption=text) for text in ("a dog\nruns home\ntoday", "runs home", "today", None)]
    for one, other in zip(encoder.encode(clips), plain.encode(read), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one, other)
    assert encoder.dim == plain.dim


def test_words_that_are_not_looked_for_are_not_read() -> None:
    encoder = build_encoders(EncodersConfig(text="fake", speech="fake"))[Modality.TEXT]
    (one,) = encoder.encode([Clip(caption="a", speech="b", screen_text="c")])
    (other,) = encoder.encode([Clip(caption="a", speech="b")])
    assert one is not None
    np.testing.assert_array_equal(one, other)


def test_a_long_speech_leaves_room_for_what_is_shown() -> None:
    encoder, plain = build_encoders(BOTH)[Modality.TEXT], build_encoder(Modality.TEXT, "descriptor")
    (one,) = encoder.encode([Clip(speech="word " * 5000, screen_text="recipe")])
    (other,) = plain.encode([Clip(caption=shortened("word " * 5000, 1000) + "\nrecipe")])
    np.testing.assert_array_equal(one, other)  # type: ignore[arg-type]
    assert shortened("你好" * 10, 5) == "你好你好你"


def test_what_clips_have_to_bring_is_the_most_that_anybody_needs() -> None:
    class Wants:
        name, version, modality, dim = "wants", "1", Modality.AUDIO, 1

        def __init__(self, needs: Needs) -> None:
            self.needs = needs

        def encode(self, clips: object) -> list[None]:
            return []

    wanting = [Wants(Needs(frame_side=960)), Wants(Needs(frame_side=300, sample_rate=48_000))]
    assert needs_of([build_encoder(Modality.AUDIO, "descriptor"), *wanting]) == Needs(
        frame_side=960, sample_rate=48_000
    )
    assert needs_of([]) == Needs()


def test_clips_wait_for_each_other_where_it_is_of_use_to_somebody() -> None:
    descriptors = build_encoders(EncodersConfig()).values()
    model = build_encoder(Modality.VISUAL, "fake")  # which says nothing of it, as most
    assert batch_of(descriptors, 8) == 1
    assert batch_of([*descriptors, model], 8) == 8
    assert batch_of([model], 3) == 3
    model.batch = 5  # type: ignore[attr-defined]
    assert [batch_of([*descriptors, model], most) for most in (8, 4)] == [5, 4]
    assert batch_of([], 8) == 1


def test_the_names_that_the_configuration_takes_are_those_that_can_be_built() -> None:
    for modality in CONTENT_MODALITIES:
        assert {*ENCODER_NAMES[modality], "fake"} == set(_BUILDERS[modality])
    assert set(ENCODER_NAMES) == {*CONTENT_MODALITIES, *Words}


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("screen", "rapid-ocr", "did you mean 'rapidocr'"),
        ("screen", "huggingface:a/b", "valid are rapidocr, none"),
        ("speech", "whisper", "valid are huggingface:<id or folder>, none"),
    ],
)
def test_an_unknown_recogniser_is_an_error_that_names_the_nearest(kind: str, name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"encoders\.{kind} names an unknown encoder '{name}': {hint}"):
        build_recognizers(EncodersConfig(**{kind: name}))
