"""Frames spread over shots: every shot that lasts has one, and where there is no cut they are spread evenly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from swipewise.media.shots import cut_times, shot_times
from swipewise.schema import Clip
from tests.media.copying import encode_anew
from tests.media.filming import film
from tests.media.test_seeking import moving

X264 = {"codec": "libx264", "pix_fmt": "yuv420p", "rate": 10}


def shots(path: Path, seconds: Sequence[float]) -> Path:
    """A clip of shots of different colours, each with something moving in it."""
    rng = np.random.default_rng(0)
    pictures = []
    for number, length in enumerate(seconds):
        colour = np.array([(60, 60, 200), (200, 170, 60), (60, 190, 90), (190, 70, 180)][number % 4])
        ground = (colour + rng.integers(-20, 20, (64, 96, 1))).clip(0, 255).astype(np.uint8)
        for step in range(round(10 * length)):
            picture = ground.copy()
            picture[20:36, (4 * step) % 80 : (4 * step) % 80 + 16] = 255 - colour
            pictures.append(picture)
    return film(path, pictures, **X264)


def places(clip: Clip, seconds: Sequence[float]) -> list[int]:
    """Which shot each frame is of."""
    assert clip.frame_times_F is not None
    return np.searchsorted(np.cumsum(seconds), clip.frame_times_F + 1e-6, side="right").tolist()


LENGTHS = (6.0, 1.2, 1.4, 1.2, 5.2)


def test_every_shot_that_lasts_gets_a_frame_and_the_longest_get_more(tmp_path: Path) -> None:
    path = shots(tmp_path / "clip.mp4", LENGTHS)
    even = decode(path, MediaConfig(frames=6))
    spread = decode(path, MediaConfig(frames=6, sampling="shots"))
    assert len(set(places(even, LENGTHS))) < 5
    assert places(spread, LENGTHS) == [0, 0, 1, 2, 3, 4]
    assert spread.frames_FHWC is not None
    assert spread.frames_FHWC.shape == (6, 64, 96, 3)
    again = decode(path, MediaConfig(frames=6, sampling="shots"))
    assert np.array_equal(again.frames_FHWC, spread.frames_FHWC)


def test_of_more_shots_than_frames_the_longest_are_seen(tmp_path: Path) -> None:
    path = shots(tmp_path / "clip.mp4", LENGTHS)
    assert places(decode(path, MediaConfig(frames=2, sampling="shots")), LENGTHS) == [0, 4]


def test_a_clip_without_cuts_is_sampled_evenly(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", moving(60), **X264)
    even, spread = (decode(path, MediaConfig(frames=5, sampling=name)) for name in ("even", "shots"))
    assert np.array_equal(even.frames_FHWC, spread.frames_FHWC)
    assert np.array_equal(even.frame_times_F, spread.frame_times_F)


def test_a_copy_of_a_clip_has_its_frames_at_the_same_times(tmp_path: Path) -> None:
    path = shots(tmp_path / "clip.mp4", LENGTHS)
    copy = encode_anew(path, tmp_path / "copy.mp4", scale=0.75, video_bits=60_000)
    first, second = (decode(each, MediaConfig(frames=6, sampling="shots")).frame_times_F for each in (path, copy))
    assert first is not None
    assert second is not None
    assert second.tolist() == pytest.approx(first.tolist(), abs=0.11)


def test_sound_alone_and_damage_are_no_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (16, 32, 3), dtype=np.uint8) for _ in range(40)]
    path = film(tmp_path / "clip.mov", pictures, damaged=[*range(5), *range(20, 30)])
    clip = decode(path, MediaConfig(frames=4, sampling="shots"))
    assert clip.frames_FHWC is not None
    assert len(clip.frames_FHWC) == 4


def test_where_all_changes_all_the_time_nothing_is_a_cut() -> None:
    rng = np.random.default_rng(0)
    flashing = np.stack([np.full((8, 8, 3), rng.integers(0, 255, 3), np.uint8) for _ in range(20)])
    assert cut_times(flashing, np.arange(20.0)) == []


@pytest.mark.parametrize(
    ("cuts", "frames", "times"),
    [
        ([], 4, [1.0, 3.0, 5.0, 7.0]),  # of 8 seconds
        ([4.0], 2, [2.0, 6.0]),
        ([6.0], 3, [1.5, 4.5, 7.0]),
        ([6.0, 6.5], 2, [3.0, 7.25]),  # half a second is no shot that must be seen
        ([6.0], 1, [3.0]),
    ],
)
def test_times_by_hand(cuts: list[float], frames: int, times: list[float]) -> None:
    assert shot_times(0.0, 8.0, cuts, frames).tolist() == times
    assert shot_times(100.0, 8.0, [100 + cut for cut in cuts], frames).tolist() == [100 + time for time in times]
