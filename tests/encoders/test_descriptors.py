"""What the descriptors notice, and what they are meant not to notice."""

import numpy as np
from numpy.typing import NDArray

from swipewise.encoders import build_encoder
from swipewise.schema import Clip, Modality

RATE = 16_000


def describe(modality: Modality, *clips: Clip) -> list[NDArray[np.float32]]:
    vectors = build_encoder(modality, "descriptor").encode(clips)
    assert all(vector is not None for vector in vectors)
    return [vector for vector in vectors if vector is not None]


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a - b))


def plain(red: int, green: int, blue: int) -> NDArray[np.uint8]:
    return np.full((4, 64, 48, 3), (red, green, blue), np.uint8)


def stripes(width: int, *, shift: int = 0, upright: bool = True) -> NDArray[np.uint8]:
    """Four frames of black and white stripes that move on by ``shift`` pixels a frame."""
    place = np.arange(64)
    frames = [np.where((place + n * shift) // width % 2, 200, 40) for n in range(4)]
    pictures = [
        np.broadcast_to(row, (64, 64)) if upright else np.broadcast_to(row[:, None], (64, 64)) for row in frames
    ]
    return np.stack(pictures)[..., None].repeat(3, axis=3).astype(np.uint8)


def sound(wave: NDArray[np.float64]) -> Clip:
    return Clip(waveform_S=wave.astype(np.float32))


def sine(hertz: float, seconds: float = 2.0) -> NDArray[np.float64]:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def clicks(per_second: float, seconds: float = 4.0) -> NDArray[np.float64]:
    """Short decaying noises at an even pace."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    return 0.3 * noise * np.exp(-40 * (time % (1 / per_second)))


def test_hue_counts_and_a_shade_of_the_same_hue_is_nearer_than_another_hue() -> None:
    red, rust, blue = describe(
        Modality.VISUAL, *(Clip(frames_FHWC=plain(*rgb)) for rgb in ((200, 30, 30), (180, 40, 30), (30, 30, 200)))
    )
    assert distance(red, rust) < distance(red, blue) / 2


def test_direction_and_width_of_stripes_count() -> None:
    upright, moved, lying, wide = describe(
        Modality.VISUAL,
        Clip(frames_FHWC=stripes(4)),
        Clip(frames_FHWC=np.roll(stripes(4), 2, axis=2)),
        Clip(frames_FHWC=stripes(4, upright=False)),
        Clip(frames_FHWC=stripes(16)),
    )
    assert distance(upright, moved) < distance(upright, lying) / 2
    assert distance(upright, moved) < distance(upright, wide) / 2


def test_motion_counts_but_a_frame_shown_twice_is_no_standstill() -> None:
    moving = stripes(8, shift=3)
    still, moved, doubled = describe(
        Modality.VISUAL,
        Clip(frames_FHWC=moving[[0, 0, 0, 0]], frame_times_F=np.arange(4.0)),
        Clip(frames_FHWC=moving, frame_times_F=np.arange(4.0)),
        Clip(frames_FHWC=moving.repeat(2, axis=0), frame_times_F=np.arange(4.0).repeat(2)),
    )
    assert distance(still, moved) > 1
    np.testing.assert_allclose(doubled, moved, atol=1e-5)


def test_a_flicker_is_told_from_steady_light() -> None:
    steady = plain(120, 120, 120)
    flicker = steady.copy()
    flicker[1::2] = 60
    middle = plain(90, 90, 90)
    a, b, c = describe(Modality.VISUAL, *(Clip(frames_FHWC=frames) for frames in (steady, flicker, middle)))
    motion = slice(-14, None)
    assert distance(a[motion], c[motion]) < 1e-4
    assert distance(a[motion], b[motion]) > 1


def test_loudness_is_one_number_and_the_rest_is_the_same_sound() -> None:
    loud, soft = describe(Modality.AUDIO, sound(clicks(3)), sound(clicks(3) / 10))
    assert (np.abs(loud - soft) > 0.01).sum() == 1


def test_pitch_timbre_and_pace_count() -> None:
    time = np.arange(2 * RATE) / RATE
    rough = 0.3 * np.sign(np.sin(2 * np.pi * 300 * time))
    low, slightly, high, other = describe(
        Modality.AUDIO, sound(sine(300)), sound(sine(305)), sound(sine(2400)), sound(rough)
    )
    assert distance(low, slightly) < min(distance(low, high), distance(low, other)) / 2
    slow, slower, fast = describe(Modality.AUDIO, sound(clicks(2)), sound(clicks(1.9)), sound(clicks(7)))
    assert distance(slow, slower) < distance(slow, fast) / 2


def test_captions_that_share_words_are_nearer_than_those_that_do_not() -> None:
    cake, cakes, goal = describe(
        Modality.TEXT,
        *(
            Clip(caption=text)
            for text in ("Baking a lemon cake", "baking lemon cakes!", "What a goal, what a match")
        ),
    )
    assert cake @ cakes > 0.5 > cake @ goal
    assert abs(float(cake @ cake) - 1) < 1e-6


def test_case_width_and_punctuation_do_not_matter_but_emoji_do() -> None:
    a, b, c = describe(
        Modality.TEXT,
        *(Clip(caption=text) for text in ("Hot SAUCE #yum", "hot, ｓａｕｃｅ... yum", "hot sauce yum 🔥")),
    )
    np.testing.assert_array_equal(a, b)
    assert distance(a, c) > 0.1


def test_hashes_do_not_change_between_processes_or_versions() -> None:
    (vector,) = describe(Modality.TEXT, Clip(caption="cake"))
    # crc32(b"cake") = 0xFA13_015D: place 0x5D of the 256 for words, positive as its top bit is 1.
    words = vector[:256]
    assert np.flatnonzero(words).tolist() == [0x5D]
    assert words[0x5D] > 0


def test_a_caption_without_words_is_no_text() -> None:
    assert build_encoder(Modality.TEXT, "descriptor").encode([Clip(caption=" ...!? "), Clip(caption="")]) == [
        None,
        None,
    ]
