"""A clip is known again after it was encoded anew, and no other clip is taken for it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from swipewise.media.fingerprint import (
    NEAR,
    fingerprint,
    motion,
    same_motion,
    same_sound,
    sound_hash,
    visual_distances,
    visual_hash,
)
from swipewise.schema import Clip, Fingerprint
from swipewise.simulate.clips import render_clip
from tests.media.copying import encode_anew
from tests.media.filming import grey, tone

RATE = 16_000
COPIES = {
    "smaller.mp4": {"scale": 0.75, "audio_bits": 24_000, "volume": 0.3},
    "larger.mp4": {"scale": 3.0, "video_bits": 900_000, "audio_bits": 96_000, "volume": 1.5},
    "other codecs.mkv": {"codec": "mpeg4", "audio_codec": "libmp3lame", "volume": 0.7},
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Path]:
    """By theme and number: three clips each of two themes, alike in picture, movement and sound."""
    folder = tmp_path_factory.mktemp("originals")
    clips = {}
    for theme in (1, 3):
        for number in range(3):
            clips[theme, number] = folder / f"{theme}-{number}.mp4"
            rng = np.random.default_rng(10 * theme + number)
            render_clip(clips[theme, number], visual=theme, audio=theme, seconds=2.0, rng=rng)
    return clips


def known_by(path: Path) -> Fingerprint:
    return fingerprint(decode(path, MediaConfig()))


def distance(one: Fingerprint, other: Fingerprint) -> float:
    assert one.visual
    assert other.visual
    one_F, other_F = (np.frombuffer(each, "<u8") for each in (one.visual, other.visual))
    return float(visual_distances(one_F, other_F[None])[0])


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("theme", [1, 3])
def test_a_clip_encoded_anew_is_known_again(
    originals: dict[tuple[int, int], Path], tmp_path: Path, theme: int, copy: str
) -> None:
    first = known_by(originals[theme, 0])
    other = known_by(encode_anew(originals[theme, 0], tmp_path / copy, **COPIES[copy]))  # type: ignore[arg-type]
    assert distance(first, other) < NEAR / 2
    assert same_motion(first.motion or b"", other.motion or b"")
    assert first.audio
    assert other.audio
    assert same_sound(first.audio, other.audio)


def test_other_clips_of_the_same_theme_are_far(originals: dict[tuple[int, int], Path]) -> None:
    prints = {key: known_by(path) for key, path in originals.items()}
    for one, other in combinations(prints.values(), 2):
        assert distance(one, other) > 2 * NEAR
        assert not same_sound(one.audio or b"", other.audio or b"")


def test_flat_pictures_tell_nothing() -> None:
    black = np.stack([grey(0, 72, 64)] * 4)
    assert visual_hash(black) is None
    assert fingerprint_of(black).motion is None
    faint = np.clip(128 + 2 * noise(4, 64, 72, 3), 0, 255).astype(np.uint8)
    assert visual_hash(faint) is None
    rich = np.stack([np.kron(noise(8, 9, seed=n), np.ones((8, 8))) for n in range(4)])[..., None]
    pictures = np.repeat((128 + 40 * rich).clip(0, 255), 3, axis=-1).astype(np.uint8)
    half = visual_hash(np.concatenate([black[:2], pictures[:2]]))
    assert half is not None
    assert (half != 0).tolist() == [False, False, True, True]
    assert visual_hash(np.concatenate([black[:3], pictures[:1]])) is None


def fingerprint_of(frames_FHWC: np.ndarray) -> Fingerprint:
    return fingerprint(Clip(frames_FHWC=frames_FHWC))


def test_a_hash_says_where_a_picture_gets_lighter_to_the_right() -> None:
    # 18 columns on 9 cells: their grey levels rise to the middle and fall after it
    row = np.repeat([0, 10, 20, 30, 40, 30, 20, 10, 0], 2)
    picture_HWC = np.broadcast_to(row[None, :, None], (16, 18, 3)).astype(np.uint8)
    (hash_,) = visual_hash(picture_HWC[None]) or []
    assert hash_ == int.from_bytes(bytes([0b11110000] * 8), "little")


def test_only_frames_that_tell_something_in_both_are_compared() -> None:
    one_F = np.array([0b111, 0b1, 0, 0b1], np.uint64)
    others_NF = np.array([[0b100, 0b1, 0b1, 0], [0, 0, 0b1, 0b1]], np.uint64)
    # two bits in one of two frames; only one frame of four
    assert visual_distances(one_F, others_NF).tolist() == [(2 + 0) / 2, np.inf]


def test_what_moves_otherwise_before_the_same_background_is_told_apart() -> None:
    background = 40 * np.kron(noise(8, 9), np.ones((8, 8)))

    def take(path: list[int], gain: float = 1.0) -> np.ndarray:
        pictures = []
        for row in path:
            picture = background.copy()
            picture[row : row + 6, 20:26] += 40
            pictures.append((128 + gain * picture).clip(0, 255))
        return np.repeat(np.stack(pictures)[..., None], 3, axis=-1).astype(np.uint8)

    rises, sinks = take([40, 30, 20, 10]), take([8, 24, 40, 50])
    one_F, other_F = visual_hash(rises), visual_hash(sinks)
    assert one_F is not None
    assert other_F is not None
    assert visual_distances(one_F, other_F[None])[0] < NEAR
    assert not same_motion(motion(rises).tobytes(), motion(sinks).tobytes())
    assert same_motion(motion(rises).tobytes(), motion(take([40, 30, 20, 10], gain=0.7)).tobytes())
    still = take([40, 40, 40, 40])
    assert not same_motion(motion(rises).tobytes(), motion(still).tobytes())
    assert same_motion(motion(still).tobytes(), motion(still).tobytes())


def test_silence_a_steady_tone_and_a_moment_tell_nothing() -> None:
    assert sound_hash(np.zeros(3 * RATE, np.float32), RATE) is None
    assert sound_hash(tone(3, RATE), RATE) is None
    assert sound_hash(noise(RATE // 10).astype(np.float32), RATE) is None
    assert sound_hash(noise(RATE).astype(np.float32), RATE) is not None


def test_a_pause_tells_nothing_and_what_is_around_it_does() -> None:
    sound_S = (0.1 * noise(3 * RATE)).astype(np.float32)
    sound_S[RATE : 2 * RATE] *= 1e-3  # -60 dB
    word_T = sound_hash(sound_S, RATE)
    assert word_T is not None
    pause = slice(RATE // 512 + 1, (2 * RATE - 4096) // 512 - 1)
    assert not word_T[pause].any()
    assert word_T[: pause.start - 10].all()


def test_a_sound_that_starts_a_little_later_is_the_same() -> None:
    sound_S = (0.1 * noise(3 * RATE)).astype(np.float32)
    late_S = np.concatenate([np.zeros(800, np.float32), sound_S])  # 50 ms
    one, late, other = (
        (sound_hash(each, RATE), each) for each in (sound_S, late_S, noise(3 * RATE, seed=1).astype(np.float32))
    )
    assert one[0] is not None
    assert late[0] is not None
    assert other[0] is not None
    assert same_sound(one[0].tobytes(), late[0].tobytes())
    assert same_sound(late[0].tobytes(), one[0].tobytes())
    assert not same_sound(one[0].tobytes(), other[0].tobytes())


def test_the_same_picture_with_another_sound_is_told_by_the_sound(
    originals: dict[tuple[int, int], Path], tmp_path: Path
) -> None:
    meme = encode_anew(originals[1, 0], tmp_path / "meme.mp4", sound_of=originals[3, 0])
    first, second = known_by(originals[1, 0]), known_by(meme)
    assert distance(first, second) < NEAR
    assert not same_sound(first.audio or b"", second.audio or b"")
