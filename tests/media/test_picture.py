from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from swipewise.media.container import packets
from swipewise.media.picture import pictures_at
from tests.media.filming import grey


def frame(level: int, seconds: float | None) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(grey(level), format="rgb24")
    made.time_base = Fraction(1, 10)
    made.pts = None if seconds is None else round(seconds * 10)
    return made


@pytest.mark.parametrize(
    ("clock", "shown"),
    [
        ([0.0, 1.0, 2.0, 3.0], [0, 1, 2, 3]),
        ([None, None, None, None], [0, 1, 2, 3]),  # counted at one frame a second
        ([0.0, 1.0, 2.0, 0.2, 3.5], [0, 1, 3, 4]),  # a jump back: the newest frame is what is on screen
        ([1.0, 1.5, 2.0, 3.0], [0, 1, 2, 3]),  # nothing at the first moment yet: the first frame
    ],
)
def test_the_frame_on_screen_is_told_by_the_clock_even_a_broken_one(
    clock: list[float | None], shown: list[int]
) -> None:
    frames = [frame(level, seconds) for level, seconds in enumerate(clock)]
    found = pictures_at(frames, np.array([0.5, 1.5, 2.5, 3.5]), max_side=256, frame_rate=1.0)
    assert found is not None
    assert found.frames_FHWC[:, 0, 0, 0].tolist() == shown
    assert (np.diff(found.times_F) >= 0).all()


def test_reading_stops_once_the_last_time_is_served() -> None:
    read = []

    def frames() -> Iterator[av.VideoFrame]:
        for second in range(100):
            read.append(second)
            yield frame(second, float(second))

    assert pictures_at(frames(), np.array([1.5, 2.5]), max_side=256, frame_rate=1.0) is not None
    assert read == [0, 1, 2, 3]


def test_no_frame_at_all_is_no_picture() -> None:
    assert pictures_at([], np.array([0.5]), max_side=256, frame_rate=1.0) is None


def test_frames_of_changing_size_come_out_as_one() -> None:
    small = av.VideoFrame.from_ndarray(grey(1, 8, 8), format="rgb24")
    small.time_base, small.pts = Fraction(1), 1
    found = pictures_at([frame(0, 0.0), small], np.array([0.5, 1.5]), max_side=256, frame_rate=1.0)
    assert found is not None
    assert found.frames_FHWC.shape == (2, 16, 32, 3)


class Scratched:
    """Stands for a container whose reader fails at some places; each call reads on after the last."""

    def __init__(self, *reads: int | IndexError | None) -> None:
        self._reads = iter(reads)

    def demux(self, *streams: Any) -> Iterator[Any]:
        for read in self._reads:
            if isinstance(read, IndexError):
                raise read
            if read is None:
                raise av.InvalidDataError(1094995529, "Invalid data found")
            yield SimpleNamespace(pts=read)


def test_reading_goes_on_after_damaged_places_but_not_for_ever() -> None:
    scratched: Any = Scratched(1, 2, None, 3, None, None, 4)
    assert [packet.pts for packet in packets(scratched)] == [1, 2, 3, 4]
    unannounced: Any = Scratched(1, IndexError(), 2)
    assert [packet.pts for packet in packets(unannounced)] == [1, 2]
    hopeless: Any = Scratched(1, *[None] * 100_000, 2)
    assert [packet.pts for packet in packets(hopeless)] == [1]
