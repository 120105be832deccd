from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media import decode, probe
from swipewise.schema import Clip
from tests.media.filming import film, grey, tone

FOUR = MediaConfig(frames=4)


def levels(clip: Clip) -> list[int]:
    """The grey level of each picture of a clip whose pictures are plain."""
    assert clip.frames_FHWC is not None
    return [int(level) for level in clip.frames_FHWC[:, 0, 0, 0]]


def times(clip: Clip) -> list[float]:
    assert clip.frame_times_F is not None
    return clip.frame_times_F.round(3).tolist()


def test_frames_are_those_on_screen_at_the_centres_of_equal_spans(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(n) for n in range(40)], rate=10)
    clip = decode(path, FOUR)  # 4 seconds: spans of 1 s with centres at 0.5, 1.5, 2.5 and 3.5 s
    assert levels(clip) == [5, 15, 25, 35]
    assert times(clip) == [0.5, 1.5, 2.5, 3.5]
    assert clip.frames_FHWC is not None
    assert clip.frames_FHWC.shape == (4, 16, 32, 3)
    assert clip.frames_FHWC.dtype == np.uint8
    assert (clip.width, clip.height, clip.duration_seconds) == (32, 16, pytest.approx(4.0))
    assert clip.waveform_S is None


def test_with_a_variable_rate_time_counts_and_not_the_number_of_frames(tmp_path: Path) -> None:
    shown_at = [0.0, 0.1, 0.2, 0.3, 3.0, 3.9]
    path = film(tmp_path / "clip.mov", [grey(10 * n) for n in range(6)], times=shown_at, rate=10)
    assert times(decode(path, FOUR)) == [0.3, 0.3, 0.3, 3.0]  # on screen at 0.5, 1.5, 2.5 and 3.5 s


def test_a_clip_shorter_than_the_frames_asked_for_repeats_them(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(1), grey(2)])
    assert levels(decode(path, FOUR)) == [1, 1, 2, 2]


def test_only_the_first_seconds_are_looked_at(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(n) for n in range(40)], sound=tone(4.0, 44_100))
    clip = decode(path, MediaConfig(frames=4, max_seconds=2.0))
    assert times(clip) == [0.2, 0.7, 1.2, 1.7]  # on screen at 0.25, 0.75, 1.25 and 1.75 s
    assert clip.waveform_S is not None
    assert len(clip.waveform_S) == 2 * 16_000
    assert clip.duration_seconds == pytest.approx(4.0, abs=0.1)


# A stored picture with a bright corner at its top left; where that corner must come out for each matrix.
TURNS = {
    "upright": ((1, 0, 0, 1), 0, (0, 0), False),
    "quarter turn clockwise": ((0, 1, -1, 0), 90, (0, -1), True),
    "half turn": ((-1, 0, 0, -1), 180, (-1, -1), False),
    "quarter turn anticlockwise": ((0, -1, 1, 0), 270, (-1, 0), True),
    "mirrored": ((-1, 0, 0, 1), 0, (0, -1), False),
}


@pytest.mark.parametrize("turn", TURNS)
def test_pictures_come_upright_whatever_the_phone_wrote(tmp_path: Path, turn: str) -> None:
    matrix, degrees, corner, turned = TURNS[turn]
    picture = grey(0, width=32, height=16)
    picture[:4, :4] = 255
    path = film(tmp_path / "clip.mov", [picture] * 4, matrix=matrix)
    clip = decode(path, FOUR)
    assert clip.frames_FHWC is not None
    corners = {(row, column): clip.frames_FHWC[0, row, column, 0] for row in (0, -1) for column in (0, -1)}
    assert [place for place, level in corners.items() if level == 255] == [corner]
    assert (clip.width, clip.height) == ((16, 32) if turned else (32, 16))
    info = probe(path)
    assert (info.width, info.height, info.rotation) == (clip.width, clip.height, degrees)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(7680, 4320, (144, 256)), (1, 1, (1, 1)), (2, 2000, (256, 1)), (100, 60, (60, 100))],
)
def test_large_pictures_are_scaled_and_small_ones_left_alone(
    tmp_path: Path, width: int, height: int, shape: tuple[int, int]
) -> None:
    path = film(tmp_path / "clip.mov", [grey(90, width, height)])
    clip = decode(path, MediaConfig(frames=1, max_frame_side=256))
    assert clip.frames_FHWC is not None
    assert clip.frames_FHWC.shape == (1, *shape, 3)
    assert (clip.frames_FHWC == 90).all()
    assert (clip.width, clip.height) == (width, height)


@pytest.mark.parametrize(
    ("aspect", "matrix", "size"),
    [
        (Fraction(2), None, (64, 16)),
        (Fraction(1, 2), None, (16, 16)),
        (Fraction(2), (0, 1, -1, 0), (16, 64)),  # a stored pixel is wide, the upright one high
    ],
)
def test_pixels_come_square(
    tmp_path: Path, aspect: Fraction, matrix: tuple[int, ...] | None, size: tuple[int, int]
) -> None:
    path = film(tmp_path / "clip.mov", [grey(90)] * 4, aspect=aspect, matrix=matrix)
    clip, info = decode(path, FOUR), probe(path)
    assert clip.frames_FHWC is not None
    assert clip.frames_FHWC.shape == (4, *size[::-1], 3)
    assert (clip.width, clip.height) == (info.width, info.height) == size
    small = decode(path, MediaConfig(frames=1, max_frame_side=16)).frames_FHWC
    assert small is not None
    assert max(small.shape) == 16
    assert (clip.frames_FHWC == 90).all()


def test_the_audio_track_asked_for_is_heard(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(9)] * 10, sound=tone(1.0, 44_100, level=0.8), tracks=2)
    peaks = []
    for track in (0, 1):
        wave = decode(path, MediaConfig(frames=1, audio_track=track)).waveform_S
        assert wave is not None
        peaks.append(np.abs(wave[4000:12_000]).max())
    assert peaks == pytest.approx([0.8, 0.4], abs=0.05)
    assert [probe(path, track).audio for track in (0, 1)] == [1, 2]
    with pytest.raises(MediaError, match=r"it has 2 audio tracks, so there is no track 2 \(the first is 0\)"):
        decode(path, MediaConfig(audio_track=2))


def test_a_clip_without_sound_has_no_track_to_lack(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(9)] * 10)
    assert decode(path, MediaConfig(frames=1, audio_track=1)).waveform_S is None


def test_sound_becomes_mono_at_16_khz(tmp_path: Path) -> None:
    left = tone(2.0, 44_100, hertz=1000.0)
    path = film(tmp_path / "clip.m4a", sound=np.stack([left, np.zeros_like(left)]), sound_rate=44_100)
    clip = decode(path, FOUR)
    assert clip.frames_FHWC is None
    assert clip.width is None
    wave = clip.waveform_S
    assert wave is not None
    assert (wave.dtype, wave.ndim, clip.sample_rate) == (np.float32, 1, 16_000)
    assert len(wave) == pytest.approx(2 * 16_000, abs=2_000)
    assert np.abs(np.fft.rfft(wave[4000:20_000])).argmax() == 1000  # 16,000 samples: one bin a hertz
    # One of two channels at half of full scale: the mean of both is a quarter.
    assert np.abs(wave[4000:20_000]).max() == pytest.approx(0.25, abs=0.03)


def test_a_silent_track_is_no_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(9)] * 10, sound=np.zeros(44_100, np.float32))
    assert decode(path, FOUR).waveform_S is None
    silence = film(tmp_path / "silence.m4a", sound=np.zeros(44_100, np.float32))
    with pytest.raises(MediaError, match="only silence and no picture"):
        decode(silence, FOUR)


def test_damaged_packets_are_skipped_and_the_rest_recovered(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(n) for n in range(40)], damaged=[0, 5, *range(20, 30)])
    # Frame 5 gives way to the one before it, 25 to the last one before the damage.
    assert levels(decode(path, FOUR)) == [4, 15, 19, 35]


def test_a_clip_damaged_throughout_is_an_error(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(n) for n in range(10)], damaged=range(10))
    with pytest.raises(MediaError, match="none of it can be decoded: 10 damaged packets"):
        decode(path, FOUR)


def test_a_clip_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [np.where(rng.random((16, 32, 1)) < 0.5, n, 200).astype(np.uint8).repeat(3, 2) for n in range(40)]
    whole = film(tmp_path / "whole.mp4", pictures, options={"movflags": "faststart"}).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    clip = decode(path, FOUR)
    assert clip.duration_seconds is not None
    assert 1.0 < clip.duration_seconds < 3.0
    assert len(set(times(clip))) == 4
    assert times(clip)[-1] < clip.duration_seconds


def test_a_recording_without_a_duration_gets_the_measured_one(tmp_path: Path) -> None:
    pictures = [grey(n) for n in range(40)]
    path = film(tmp_path / "live.mkv", pictures, codec="ffv1", pix_fmt="bgr0", options={"live": "1"})
    assert probe(path).duration_seconds is None
    clip = decode(path, FOUR)
    assert clip.duration_seconds == pytest.approx(4.0, abs=0.11)
    assert levels(clip) == [5, 15, 25, 35]


def test_what_an_edit_cut_off_the_start_is_not_part_of_the_clip(tmp_path: Path) -> None:
    # Pictures before time 0 stay in the file, as the later ones are coded against them, but are not to be shown.
    path = film(
        tmp_path / "clip.mp4",
        [grey(100 + n) for n in range(40)],  # little change, so that few are coded by themselves
        times=[n / 10 - 1.0 for n in range(40)],
        codec="mpeg4",
        pix_fmt="yuv420p",
        options={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    clip = decode(path, MediaConfig(frames=3))
    assert times(clip) == [0.5, 1.5, 2.5]
    assert levels(clip) == pytest.approx([115, 125, 135], abs=5)
    assert clip.duration_seconds == pytest.approx(3.0)


@pytest.mark.parametrize("name", ["a:b.mov", "http:x.mov", "100%d.mov", "größe 🔥.mov", "-i.mov"])
def test_a_file_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    film(tmp_path / "x.mov", [grey(7)]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert levels(decode(Path(name), FOUR)) == [7, 7, 7, 7]


def test_notes_in_an_odd_encoding_do_not_matter(tmp_path: Path) -> None:
    data = film(tmp_path / "whole.avi", [grey(7)]).read_bytes()
    assert b"Lavf" in data
    path = tmp_path / "clip.avi"
    path.write_bytes(data.replace(b"Lavf", b"La\xf6f"))
    assert levels(decode(path, FOUR)) == [7, 7, 7, 7]


def test_probe_says_what_is_in_a_file(tmp_path: Path) -> None:
    path = film(
        tmp_path / "clip.mov", [grey(n) for n in range(20)], rate=10, sound=tone(2.0, 22_050), sound_rate=22_050
    )
    info = probe(path)
    assert "mov" in info.container
    assert [(stream.kind, stream.codec) for stream in info.streams] == [("video", "png"), ("audio", "aac")]
    assert [stream.rate for stream in info.streams] == [10.0, 22_050.0]
    assert (info.video, info.audio, info.width, info.height, info.rotation) == (0, 1, 32, 16, 0)
    assert info.duration_seconds == pytest.approx(2.0, abs=0.1)


def test_probe_of_a_sound_file_has_no_size(tmp_path: Path) -> None:
    info = probe(film(tmp_path / "clip.m4a", sound=tone(1.0, 44_100)))
    assert (info.video, info.audio, info.width, info.height) == (None, 0, None, None)
