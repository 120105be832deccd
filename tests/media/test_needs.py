"""What encoders want beside what every one of them gets, which stays as it is to the bit."""

from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from swipewise.schema import Needs
from tests.media.filming import film, grey, tone

SMALL = MediaConfig(frames=3, max_frame_side=32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [grey(0, 128, 64) for _ in range(12)]
    for number, picture in enumerate(pictures):
        picture[::2, number::8] = 200
    sound = 0.5 * (tone(1.2, 48_000, 440) + tone(1.2, 48_000, 12_000))
    return film(tmp_path_factory.mktemp("film") / "clip.mov", pictures, rate=10, sound=sound, sound_rate=48_000)


def test_nothing_more_comes_where_nothing_more_is_needed(path: Path) -> None:
    for needs in (Needs(), Needs(frame_side=32, sample_rate=16_000)):
        clip = decode(path, SMALL, needs)
        assert (clip.fine_frames_FHWC, clip.fine_waveform_S, clip.fine_rate) == (None, None, 0)


def test_larger_frames_come_beside_the_others(path: Path) -> None:
    plain, clip = decode(path, SMALL), decode(path, SMALL, Needs(frame_side=96))
    assert clip.frames_FHWC is not None
    assert clip.fine_frames_FHWC is not None
    np.testing.assert_array_equal(clip.frames_FHWC, plain.frames_FHWC)  # type: ignore[arg-type]
    assert clip.frames_FHWC.shape == (3, 16, 32, 3)
    assert clip.fine_frames_FHWC.shape == (3, 48, 96, 3)
    alone = decode(path, MediaConfig(frames=3, max_frame_side=96))
    np.testing.assert_array_equal(clip.fine_frames_FHWC, alone.frames_FHWC)  # type: ignore[arg-type]


def test_no_frame_is_made_larger_than_it_is(path: Path) -> None:
    clip = decode(path, SMALL, Needs(frame_side=960))
    assert clip.fine_frames_FHWC is not None
    assert clip.fine_frames_FHWC.shape == (3, 64, 128, 3)


def test_sound_comes_at_a_higher_rate_beside_the_other(path: Path) -> None:
    plain, clip = decode(path, SMALL), decode(path, SMALL, Needs(sample_rate=48_000))
    assert clip.waveform_S is not None
    assert clip.fine_waveform_S is not None
    np.testing.assert_array_equal(clip.waveform_S, plain.waveform_S)  # type: ignore[arg-type]
    assert clip.fine_rate == 48_000
    assert len(clip.fine_waveform_S) == pytest.approx(3 * len(clip.waveform_S), rel=0.01)
    loudest = np.fft.rfftfreq(len(clip.fine_waveform_S), 1 / 48_000)[
        np.abs(np.fft.rfft(clip.fine_waveform_S)) > 0.2 * len(clip.fine_waveform_S) / 8
    ]
    assert loudest.max() == pytest.approx(12_000, rel=0.01)  # what 16 kHz cannot carry
