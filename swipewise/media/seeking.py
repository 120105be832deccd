"""The frames on screen at given times, without decoding what lies before the key frames they follow.

Packets are skipped rather than sought: reading one costs a hundredth of decoding it, and no index has to be trusted.

Legend of shape suffixes: P = packets of the picture, F = frames, W = frames that are wanted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from swipewise.media.container import packets
from swipewise.media.survey import Timeline


class UnsureError(Exception):
    """The clip is not what its packets promised: only decoding all of it in order is sure to be right."""


def sought_frames(
    container: InputContainer, stream: VideoStream, timeline: Timeline, targets_F: NDArray[np.float64]
) -> Iterator[av.VideoFrame]:
    """Decode the clip's first frame, those on screen at the times (F,) ascending, and some between them.

    Decoding goes on from one to the next unless a key frame lies between them. Each is to the bit what decoding
    everything in order gives, and the next frame after it shows that nothing else was on screen.

    Raises:
        UnsureError: It cannot be known, or turns out, that decoding everything might give others.
    """
    wanted_W = wanted_packets(timeline, targets_F)
    starts_W = start_packets(timeline, wanted_W)
    pts_W = timeline.pts_P[wanted_W]
    decoder = _Decoder(container, stream, timeline, frozenset(pts_W.tolist()))
    latest = -math.inf
    for pts, start in zip(pts_W.tolist(), starts_W.tolist(), strict=True):
        if start > decoder.position:
            decoder.restart(start)
        found = latest == pts
        while latest <= pts and (frame := decoder.next_frame()) is not None:
            if frame.pts is None or frame.pts <= latest:
                raise UnsureError("frames without a time or out of order")
            latest = frame.pts
            found |= latest == pts
            yield frame
        if not found:
            raise UnsureError("a frame did not come out of its packet")


def wanted_packets(timeline: Timeline, targets_F: NDArray[np.float64]) -> NDArray[np.int64]:
    """Packets (W,) of the first frame and of those on screen at the times (F,), in order of presentation.

    Raises:
        UnsureError: The timeline does not tell.
    """
    shown = np.flatnonzero(timeline.shown_P)
    shown = shown[np.argsort(timeline.pts_P[shown])]
    pts = timeline.pts_P[shown]
    if (np.diff(pts) == 0).any():
        raise UnsureError("two frames at one time")
    if targets_F[-1] >= timeline.reach:
        raise UnsureError("frames after the last packet that was read may be shown before it")
    # As frames tell their time, so that a target on the very tick is not missed by a rounding.
    times = pts.astype(np.float64) * timeline.time_base.numerator / timeline.time_base.denominator
    places = np.searchsorted(times, targets_F, side="right") - 1
    wanted_W: NDArray[np.int64] = shown[np.unique([0, *places.clip(0).tolist()])]
    return wanted_W


def start_packets(timeline: Timeline, wanted_W: NDArray[np.int64]) -> NDArray[np.int64]:
    """The latest packet (W,) from which each wanted one can be decoded; the first from the start of the clip."""
    # A key frame serves if all that was before it is shown before it: then what is shown later comes after it.
    pts_P = timeline.pts_P
    cuts = 1 + np.flatnonzero(timeline.fresh_P[1:] & (pts_P[1:] > np.maximum.accumulate(pts_P)[:-1]))
    cuts = np.concatenate([[0], cuts])
    starts_W: NDArray[np.int64] = cuts[np.searchsorted(pts_P[cuts], pts_P[wanted_W], side="right").clip(1) - 1]
    starts_W[0] = 0  # the decoder sees the beginning whatever is cut off there: encoders sign in it
    return starts_W


class _Decoder:
    """Decodes a clip in order, with leaps to key frames.

    Attributes:
        position: The next packet to be read.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, timeline: Timeline, wanted: frozenset[int]
    ) -> None:
        self.position = 0
        self._reader = (packet for packet in packets(container, stream) if packet.size)
        self._codec = stream.codec_context
        self._codec.thread_count = 1
        # A damaged frame is patched with what was decoded before it, which may have been skipped here: let it fail.
        self._codec.options = {"err_detect": "explode"}
        self._time_base = stream.time_base
        self._timeline = timeline
        self._wanted = wanted
        self._ready: deque[av.VideoFrame] = deque()
        self._ended = False

    def restart(self, packet: int) -> None:
        """Leap forward to a key frame.

        Raises:
            UnsureError: It is none.
        """
        while self.position < packet and self._read() is not None:
            pass
        self._codec.flush_buffers()
        self._ready.clear()
        pts = self._timeline.pts_P[packet]
        # Frames shown before the key frame lean on what was skipped.
        while (frame := self.next_frame()) is not None and frame.pts is not None and frame.pts < pts:
            pass
        if frame is None or frame.pts != pts or not frame.key_frame or frame.pict_type != PictureType.I:
            raise UnsureError("what was marked as a key frame is none")
        self._ready.appendleft(frame)

    def next_frame(self) -> av.VideoFrame | None:
        """The next frame; None at the end of the clip."""
        try:
            while not self._ready and not self._ended:
                packet = self._read()
                self._ended = packet is None
                if packet is None or packet.pts in self._wanted or not self._is_spare():
                    self._ready += self._codec.decode(packet)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            raise UnsureError("damaged") from error
        if not self._ready:
            return None
        frame = self._ready.popleft()
        if frame.is_corrupt or frame.interlaced_frame:
            raise UnsureError("damaged, or in two fields of which one may have been skipped")
        if self._ended:
            frame.time_base = self._time_base  # the last frames come without
        return frame

    def _is_spare(self) -> bool:
        """Whether the packet last read has a frame that no other leans on."""
        known = self._timeline.spare_P
        return self.position <= len(known) and bool(known[self.position - 1])

    def _read(self) -> Any:
        packet = next(self._reader, None)
        known = self._timeline.pts_P
        if packet is not None and self.position < len(known) and packet.pts != known[self.position]:
            raise UnsureError("the packets are not those that were read before")
        self.position += packet is not None
        return packet
