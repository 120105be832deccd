"""Seeking gives to the bit what decoding every frame in order gives, and spares work where it can."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from swipewise.media.container import frames, opened, video_stream
from swipewise.media.seeking import UnsureError, sought_frames, start_packets, wanted_packets
from swipewise.media.survey import Timeline, survey
from tests.media.filming import film

DECODING: Any = sys.modules["swipewise.media.decode"]  # the name in the package is the function's
X264 = {"codec": "libx264", "pix_fmt": "yuv420p"}
LONG = 90


def moving(count: int = LONG) -> list[np.ndarray]:
    """Pictures of which no two are alike, so that a frame taken for another shows."""
    scene = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    return [
        np.ascontiguousarray(scene[n % 80 : n % 80 + 64, (2 * n) % 140 : (2 * n) % 140 + 96]) for n in range(count)
    ]


@dataclass
class Watched:
    """Which way a decode went."""

    frames: int = 0
    doubts: list[str] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched()

    def watch(*arguments: Any) -> Iterator[Any]:
        try:
            for frame in sought_frames(*arguments):
                seen.frames += 1
                yield frame
        except UnsureError as error:
            seen.doubts.append(str(error))
            raise

    monkeypatch.setattr(DECODING, "sought_frames", watch)
    return seen


def assert_same(path: Path, monkeypatch: pytest.MonkeyPatch, config: MediaConfig) -> None:
    quick = decode(path, config)
    with monkeypatch.context() as patch:
        patch.setattr(DECODING, "sought_frames", refuse)
        plain = decode(path, config)
    assert quick.frames_FHWC is not None
    assert np.array_equal(quick.frames_FHWC, plain.frames_FHWC)
    assert np.array_equal(quick.frame_times_F, plain.frame_times_F)
    assert (quick.width, quick.height) == (plain.width, plain.height)


def refuse(*arguments: Any) -> Iterator[Any]:
    raise UnsureError


def x264(gop: int, b_frames: int = 0, more: str = "") -> dict[str, Any]:
    options = (
        {"g": str(gop), "bf": str(b_frames), "x264-params": more} if more else {"g": str(gop), "bf": str(b_frames)}
    )
    return X264 | {"codec_options": options | {"preset": "veryfast"}}


JITTER = np.random.default_rng(1).integers(10, 90, LONG).cumsum() / 1000
KEPT_START = {"options": {"avoid_negative_ts": "disabled", "use_editlist": "1"}}
MAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "key frames only": ("mp4", x264(1)),
    "short groups": ("mp4", x264(12)),
    "groups of a second": ("mp4", x264(30)),
    "one group": ("mp4", x264(250)),
    "B-frames": ("mp4", x264(12, 3)),
    "many references": ("mp4", x264(30, 8, "ref=6:b-pyramid=normal")),
    "several slices": ("mp4", x264(12, 2, "slices=4")),
    "open groups": ("mp4", x264(12, 3, "open-gop=1")),
    "HEVC, open groups": ("mp4", {"codec": "libx265", "pix_fmt": "yuv420p", "codec_options": {
        "x265-params": "keyint=12:min-keyint=12:bframes=3:open-gop=1:log-level=none"}}),
    "MPEG-4": ("mp4", {"codec": "mpeg4", "pix_fmt": "yuv420p", "codec_options": {"g": "12", "bf": "2"}}),
    "VP9": ("webm", {"codec": "libvpx-vp9", "pix_fmt": "yuv420p", "codec_options": {
        "g": "12", "deadline": "realtime", "cpu-used": "8"}}),
    "PNG": ("mov", {}),
    "Matroska": ("mkv", x264(12, 2)),
    "variable rate": ("mp4", x264(12, 2) | {"times": JITTER.tolist()}),
    "a late start": ("mp4", x264(12, 2) | {"times": [7 + n / 30 for n in range(LONG)]}),
    "a negative start": ("mp4", x264(12, 2) | KEPT_START | {"times": [n / 30 - 1 for n in range(LONG)]}),
    "recovery in time": ("mp4", x264(12, 0, "intra-refresh=1")),
    "all marked as key frames": ("mp4", x264(12) | {"marked": range(LONG)}),
}  # fmt: skip


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_seeking_agrees_with_decoding_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, make: str, count: int
) -> None:
    kind, how = MAKES[make]
    path = film(tmp_path / f"clip.{kind}", moving(), **{"rate": 30, **how})
    assert_same(path, monkeypatch, MediaConfig(frames=count))
    assert watched.frames
    assert not watched.doubts
    assert_same(path, monkeypatch, MediaConfig(frames=count, max_seconds=1.5))


DOUBTFUL: dict[str, tuple[str, dict[str, Any]]] = {
    "MPEG-4 frames marked as key frames": ("mp4", {
        "codec": "mpeg4", "pix_fmt": "yuv420p", "codec_options": {"g": "12"}, "marked": range(LONG)}),
    "two fields": ("mp4", x264(12, 2, "interlaced=1")),
    "no times of its own": ("avi", x264(12, 2)),
    "no list of frames and times": ("ts", x264(12, 2)),
    "frames that may be lost": ("mkv", x264(12, 2) | {"times": [n / 30 + (n > 50) for n in range(LONG)]}),
    "VP8": ("webm", {"codec": "libvpx", "pix_fmt": "yuv420p", "codec_options": {"g": "12", "deadline": "realtime"}}),
}  # fmt: skip


@pytest.mark.parametrize("make", DOUBTFUL)
def test_where_seeking_might_not_agree_everything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, make: str
) -> None:
    kind, how = DOUBTFUL[make]
    path = film(tmp_path / f"clip.{kind}", moving(), **{"rate": 30, **how})
    assert_same(path, monkeypatch, MediaConfig(frames=3))
    assert watched.doubts or not watched.frames


@pytest.mark.parametrize("damaged", [[0], [1], [12], [14, 15], [48], [44, 45, 46], [60], range(70, LONG)])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_damage_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: list[int], b_frames: int
) -> None:
    path = film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **x264(12, b_frames), "damaged": damaged})
    assert_same(path, monkeypatch, MediaConfig(frames=3))
    assert_same(path, monkeypatch, MediaConfig(frames=8))


def scratch(path: Path, data: bytes, *, middle: bool) -> None:
    """Overwrite the middle, or else the start, of every key frame but the first."""
    with av.open(str(path)) as container:
        keys = [packet for packet in container.demux(video=0) if packet.is_keyframe and packet.pts]
        places = [packet.pos + (packet.size // 2 if middle else 0) for packet in keys if packet.pos is not None]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place : place + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize("make", ["short groups", "MPEG-4"])
def test_a_key_frame_that_is_patched_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, make: str
) -> None:
    path = film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **MAKES[make][1]})
    scratch(path, b"\xff" * 100, middle=True)
    assert_same(path, monkeypatch, MediaConfig(frames=3))
    assert watched.doubts


@pytest.mark.parametrize("length", [0, 5])
def test_packets_that_do_not_add_up_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, length: int
) -> None:
    path = film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **x264(12)})
    scratch(path, length.to_bytes(4), middle=False)
    assert_same(path, monkeypatch, MediaConfig(frames=3))
    assert not watched.frames


def test_where_frames_may_be_lost_none_is_skipped_as_spare(tmp_path: Path, watched: Watched) -> None:
    times = [n / 30 + (n > 80) for n in range(LONG)]
    path = film(
        tmp_path / "clip.mp4", moving(), **{"rate": 30, **x264(250, 3, "b-pyramid=none:b-adapt=0")}, times=times
    )
    decode(path, MediaConfig(frames=1))
    assert watched.frames > 45


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_and_a_cut_end_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    how = x264(12, 2) | {"options": {"movflags": "faststart"}}
    data = bytearray(film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **how}).read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(data.index(b"mdat") + 2000, len(data), 6).tolist():
        data[place] ^= 1 << int(rng.integers(8))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data[: len(data) - int(rng.integers(len(data) // 3))])
    assert_same(path, monkeypatch, MediaConfig(frames=5))


def test_a_clip_of_short_groups_is_decoded_in_part(tmp_path: Path, watched: Watched) -> None:
    path = film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **x264(10)})
    decode(path, MediaConfig(frames=3))
    # Targets at 0.5, 1.5 and 2.5 s are the frames 15, 45 and 75; key frames are every tenth. The first frame and the
    # next, then each from its key frame to the one that shows it is over.
    assert watched.frames == 2 + 3 * len(range(0, 6 + 1))
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        assert len(list(frames(container, stream, []))) == LONG


def test_in_a_long_group_frames_that_no_other_leans_on_are_skipped(tmp_path: Path, watched: Watched) -> None:
    path = film(tmp_path / "clip.mp4", moving(), **{"rate": 30, **x264(250, 3, "b-pyramid=none:b-adapt=0")})
    decode(path, MediaConfig(frames=1))  # frame 45 of 90; three in four are B-frames
    assert 45 / 4 < watched.frames < 45 / 3


def timeline(pts: list[int], fresh: list[int], *, hidden: tuple[int, ...] = (), reach: float = 100.0) -> Timeline:
    number_P = np.arange(len(pts))
    return Timeline(
        pts_P=np.array(pts),
        shown_P=~np.isin(number_P, hidden),
        fresh_P=np.isin(number_P, fresh),
        spare_P=np.zeros(len(pts), bool),
        time_base=Fraction(1, 10),
        reach=reach,
    )


def test_what_is_wanted_is_the_first_frame_and_those_on_screen() -> None:
    # In the order of the file; shown at 0.0, 0.1, 0.2 and so on.
    seen = timeline([0, 3, 1, 2, 6, 4, 5], fresh=[0])
    assert wanted_packets(seen, np.array([0.1, 0.39, 0.41])).tolist() == [0, 2, 1, 5]
    assert wanted_packets(seen, np.array([-1.0, 9.0])).tolist() == [0, 4]
    assert wanted_packets(timeline([0, 1, 2], fresh=[0], hidden=(0,)), np.array([0.05])).tolist() == [1]


def test_decoding_starts_at_the_latest_key_frame_that_leaves_nothing_out() -> None:
    # The key frame 4, shown at 0.6, has two before it in time and after it in the file.
    seen = timeline([0, 1, 2, 3, 6, 4, 5, 7, 8], fresh=[0, 4])
    assert start_packets(seen, np.array([0, 6, 4, 8])).tolist() == [0, 0, 4, 4]
    # What is shown later lies before the key frame 3.
    late = timeline([0, 1, 9, 4, 5], fresh=[0, 3])
    assert start_packets(late, np.array([0, 4])).tolist() == [0, 0]


def test_a_timeline_that_does_not_tell_is_not_trusted() -> None:
    with pytest.raises(UnsureError, match="two frames at one time"):
        wanted_packets(timeline([0, 1, 1], fresh=[0]), np.array([0.1]))
    with pytest.raises(UnsureError, match="after the last packet"):
        wanted_packets(timeline([0, 1, 2], fresh=[0], reach=0.2), np.array([0.2]))


def test_a_file_that_changed_since_it_was_surveyed_is_not_trusted(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", moving(30), **{"rate": 30, **x264(10)})
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        found = survey(container, [stream], stream, 10.0).timeline
    assert found is not None
    found.pts_P[5] += 1
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        with pytest.raises(UnsureError, match="not those that were read before"):
            list(sought_frames(container, stream, found, np.array([0.9])))
