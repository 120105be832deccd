"""Frames at given times, upright and scaled.

Legend of shape suffixes: F = frames, H, W = rows and columns, C = 3 (RGB).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from swipewise.errors import MediaError
from swipewise.media.colour import rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """How a stored picture becomes upright: transpose it first, then flip it."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise turn in degrees, 0, 90, 180 or 270; of a mirrored picture, the turn after mirroring it."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def apply(self, picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture upright; a view where possible."""
        if self.transpose:
            picture_HWC = picture_HWC.swapaxes(0, 1)
        return picture_HWC[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def orientation(frame: av.VideoFrame) -> Orientation:
    """Read the display matrix that phones write; angles between quarter turns go to the nearest."""
    side_data: Any = frame.side_data  # a mapping of buffers, though typed as one of motion vectors alone
    if "DISPLAYMATRIX" not in side_data:
        return Orientation()
    # Rows of fixed-point numbers; a stored point (x, y) is shown at (a x + c y, b x + d y).
    a, b, c, d = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32)[[0, 1, 3, 4]].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation(flip_x=a < 0, flip_y=d < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What was seen of a clip.

    frames_FHWC: uint8 RGB; times_F: when each was first shown, seconds; width and height: upright, before scaling.
    fine_FHWC: the same frames larger, None where not asked for.
    """

    frames_FHWC: NDArray[np.uint8]
    fine_FHWC: NDArray[np.uint8] | None
    times_F: NDArray[np.float64]
    width: int
    height: int


def shown_size(frame: av.VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    """Width and height upright and in square pixels; as in players, the stored width gives way."""
    size = (max(1, round(frame.width * pixel_aspect)), frame.height)
    return size[::-1] if orientation(frame).transpose else size


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse pictures that are too large.

    Raises:
        MediaError: They have more than ``max_pixels``.
    """
    if width * height > max_pixels:
        raise MediaError(
            f"its pictures have {width}x{height} pixels, more than media.max_pixels = {max_pixels:,}: raise that, or "
            "add the clip in a smaller size"
        )


def bounded(frames: Iterable[av.VideoFrame], max_pixels: int) -> Iterator[av.VideoFrame]:
    """The frames, whatever size the header promised.

    Raises:
        MediaError: One has more than ``max_pixels``.
    """
    for frame in frames:
        check_size(frame.width, frame.height, max_pixels)
        yield frame


def in_time(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Without those whose time lies beyond both of their neighbours': damage to the clock, as the rest goes on."""
    before: float | None = None
    held: av.VideoFrame | None = None
    for frame in frames:
        if held is not None and not _strays(before, held.time, frame.time):
            before = held.time
            yield held
        held = frame
    if held is not None:
        yield held


def _strays(before: float | None, time: float | None, after: float | None) -> bool:
    return before is not None and time is not None and after is not None and before <= after < time


def pictures_at(
    frames: Iterable[av.VideoFrame],
    targets_F: NDArray[np.float64],
    max_side: int,
    frame_rate: float,
    pixel_aspect: float = 1.0,
    fine_side: int = 0,
) -> Pictures | None:
    """Pick for each time the frame on screen then; None when there is no frame at all.

    A time before the first frame gets the first, one after the last the last, so that a damaged or very short clip
    yields as many pictures as any other. Reading stops as soon as the last time is served.

    Args:
        frames: Frames in order of presentation.
        targets_F: Times on the same clock as the frames, ascending.
        max_side: Longer side of the pictures; larger frames are scaled, smaller ones left alone.
        frame_rate: Spacing for frames that carry no time.
        pixel_aspect: Width of a stored pixel, in its heights.
        fine_side: Longer side of the same pictures once more, larger; 0: not wanted.
    """
    canvas: Canvas | None = None
    fine: Canvas | None = None
    held: av.VideoFrame | None = None
    held_time = 0.0
    shown: list[tuple[NDArray[np.uint8], float]] = []
    finely: list[tuple[NDArray[np.uint8], float]] = []
    for frame in frames:
        counted = held_time + 1 / frame_rate if held is not None else 0.0
        time = frame.time if frame.pts is not None else counted
        if held is not None and canvas is not None:
            time = max(time, held_time)  # some clocks jump back
            served = int(np.searchsorted(targets_F, time, side="left"))
            finely += _drawn(fine, held, held_time, served - len(shown)) if fine else []
            shown += _drawn(canvas, held, held_time, served - len(shown))
            if served == len(targets_F):
                break
        else:
            canvas = Canvas(frame, max_side, pixel_aspect)
            fine = Canvas(frame, fine_side, pixel_aspect) if fine_side else None
        held, held_time = frame, time
    if held is None or canvas is None:
        return None
    finely += _drawn(fine, held, held_time, len(targets_F) - len(shown)) if fine else []
    shown += _drawn(canvas, held, held_time, len(targets_F) - len(shown))
    return Pictures(
        frames_FHWC=np.stack([picture for picture, _ in shown]),
        fine_FHWC=np.stack([picture for picture, _ in finely]) if finely else None,
        times_F=np.array([time for _, time in shown]),
        width=canvas.shown_size[0],
        height=canvas.shown_size[1],
    )


def _drawn(canvas: Canvas, frame: av.VideoFrame, time: float, times: int) -> list[tuple[NDArray[np.uint8], float]]:
    """The picture and its time, as often as asked; nothing is converted when that is never."""
    return [(canvas.draw(frame), time)] * times if times > 0 else []


class Canvas:
    """Turns frames into upright RGB of square pixels and one size, which the clip's first frame decides."""

    def __init__(self, first: av.VideoFrame, max_side: int, pixel_aspect: float) -> None:
        self._upright = orientation(first)
        self._reformatter = VideoReformatter()
        width, height = first.width * pixel_aspect, first.height
        scale = min(1.0, max_side / max(width, height))
        self._width = max(1, round(width * scale))
        self._height = max(1, round(height * scale))
        self.shown_size = shown_size(first, pixel_aspect)

    def draw(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """The picture (H, W, C)."""
        return self._upright.apply(rgb(self._reformatter, frame, self._width, self._height))
