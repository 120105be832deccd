"""What the packets say of files whose headers or clocks are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from swipewise.media.container import opened, video_stream
from swipewise.media.picture import in_time
from swipewise.media.survey import Survey, survey
from tests.media.filming import TICKS, film, grey, tone

X264 = {"codec": "libx264", "pix_fmt": "yuv420p"}
FOUR = MediaConfig(frames=4)


def surveyed(path: Path) -> Survey:
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        return survey(container, [stream], stream, 600.0)


def test_sound_of_unknown_length_has_none(tmp_path: Path) -> None:
    """Where FLV's description of the sound is damaged, its packets do not say how long they last."""
    path = film(
        tmp_path / "clip.flv", [grey(n) for n in range(20)], codec="flv", pix_fmt="yuv420p", sound=tone(2, 44_100)
    )
    data = path.read_bytes()
    at = data.index(b"\xaf\x00")
    path.write_bytes(data[: at + 2] + bytes(2) + data[at + 4 :])
    clip = decode(path, FOUR)
    assert clip.frames_FHWC is not None
    assert clip.duration_seconds == pytest.approx(2.0, abs=0.1)


def shortened(length: int) -> Callable[[bytes], bytes]:
    """The description of an H.264 stream cut to so many bytes, in its atom of the old size."""

    def damage(data: bytes) -> bytes:
        at = data.index(b"avcC") - 4
        size = int.from_bytes(data[at : at + 4])
        head, rest = data[at + 8 : at + 8 + length], size - 8 - length
        filler = rest.to_bytes(4) + b"free" + bytes(rest - 8)
        return data[:at] + (8 + length).to_bytes(4) + b"avcC" + head + filler + data[at + size :]

    return damage


@pytest.mark.parametrize("length", [1, 4])
def test_a_description_of_h264_that_is_cut_short_leaves_nothing_to_skip_by(tmp_path: Path, length: int) -> None:
    path = film(tmp_path / "clip.mp4", [grey(5 * n) for n in range(40)], **X264)
    assert surveyed(path).timeline is not None
    path.write_bytes(shortened(length)(path.read_bytes()))
    with opened(path) as container:
        assert len(container.streams.video[0].codec_context.extradata or b"") == length
    assert surveyed(path).timeline is None
    assert surveyed(path).spans[0].end == pytest.approx(4.0)


@pytest.mark.parametrize("astray", [[5], [38], [5, 20]])
def test_single_packets_far_off_do_not_stretch_a_clip(tmp_path: Path, astray: list[int]) -> None:
    path = film(
        tmp_path / "clip.mp4", [grey(5 * n) for n in range(40)], astray=astray, codec="mpeg4", pix_fmt="yuv420p"
    )
    span = surveyed(path).spans[0]
    assert (span.start, span.end) == pytest.approx((0.0, 4.0), abs=0.01)
    clip = decode(path, FOUR)
    assert clip.duration_seconds == pytest.approx(4.0, abs=0.11)
    assert clip.frame_times_F is not None
    shown_at = [0.4 if 5 in astray else 0.5, 1.5, 2.5, 3.5]
    assert clip.frame_times_F.tolist() == pytest.approx(shown_at)


def test_a_clip_that_goes_on_after_a_long_pause_has_all_of_it(tmp_path: Path) -> None:
    times = [n / 10 + (500.0 if n >= 20 else 0.0) for n in range(40)]
    path = film(tmp_path / "clip.mov", [grey(n) for n in range(40)], times=times)
    assert surveyed(path).spans[0].end == pytest.approx(504.0)
    last = film(tmp_path / "last.mov", [grey(n) for n in range(3)], times=[0.0, 0.1, 30.0])
    assert surveyed(last).spans[0].end == pytest.approx(30.1, abs=0.2)


def frame(milliseconds: int) -> av.VideoFrame:
    made = av.VideoFrame(2, 2, "rgb24")
    made.time_base, made.pts = TICKS, milliseconds
    return made


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 1, 900, 2, 3], [0, 1, 2, 3]),  # one strays
        ([5, 6, 1, 2, 3], [5, 6, 1, 2, 3]),  # the clock starts anew
        ([0, 0, 0], [0, 0, 0]),
        ([7], [7]),
        ([], []),
    ],
)
def test_frames_whose_time_strays_are_left_out(times: list[int], kept: list[int]) -> None:
    assert [each.pts for each in in_time(frame(time) for time in times)] == kept
