"""The frames on screen at given times, without decoding what lies before the key frames they follow.

Packets are skipped rather than sought: reading one costs a hundredth of decoding it, and no index has to be trusted.

Legend of shape suffixes: P = packets of the picture, F = frames, W = packets whose frames are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass(slots=True, kw_only=True)
class Stretch:
    """Packets [start, stop) that are decoded by themselves, and the times (pts) at which frames of theirs are wanted."""

    start: int
    stop: int
    wanted: set[int] = field(default_factory=set)


def stretches(timeline: Timeline, targets_F: NDArray[np.float64]) -> list[Stretch]:
    """What to decode for the clip's first frame and for the one on screen at each time.

    Decoding goes on from one wanted frame to the next unless a key frame lies between them.

    Raises:
        UnsureError: The timeline does not say which frame is on screen at each time.
    """
    wanted_W = _wanted(timeline, targets_F)
    # A key frame serves if all that was before it is shown before it: nothing that is wanted is then left out.
    pts_P = timeline.pts_P
    latest_P = np.maximum.accumulate(pts_P)
    cuts = 1 + np.flatnonzero(timeline.fresh_P[1:] & (pts_P[1:] > latest_P[:-1]))
    plan: list[Stretch] = []
    for packet in wanted_W.tolist():
        before = int(np.searchsorted(cuts, packet, side="right"))
        cut = int(cuts[before - 1]) if before else 0
        if not plan:
            # Whatever comes first, the decoder sees the beginning: encoders sign there.
            plan.append(Stretch(start=0, stop=0))
        elif cut > plan[-1].stop:
            plan.append(Stretch(start=cut, stop=cut))
        plan[-1].stop = max(plan[-1].stop, packet + 1)
        plan[-1].wanted.add(int(pts_P[packet]))
    return plan


def _wanted(timeline: Timeline, targets_F: NDArray[np.float64]) -> NDArray[np.int64]:
    """Packets in order of presentation: the first one shown and those on screen at the times."""
    shown = np.flatnonzero(timeline.shown_P)
    # Of packets at one time, as VP8 has them, the last: only then has their frame come out.
    shown = shown[np.argsort(timeline.pts_P[shown], kind="stable")]
    pts = timeline.pts_P[shown]
    if targets_F[-1] >= timeline.reach:
        raise UnsureError("frames after the last packet that was read may be shown before it")
    # As frames tell their time, so that a target on the very tick is not missed by a rounding.
    times = pts.astype(np.float64) * timeline.time_base.numerator / timeline.time_base.denominator
    places = np.searchsorted(times, targets_F, side="right") - 1
    return shown[np.unique(np.maximum(places, 0).tolist() + [0])]


def sought_frames(
    container: InputContainer, stream: VideoStream, timeline: Timeline, targets_F: NDArray[np.float64]
) -> Iterator[av.VideoFrame]:
    """Decode the clip's first frame and those on screen at the times (F,) ascending, each once.

    They are to the bit those that decoding everything in order gives.

    Raises:
        UnsureError: It cannot be known, or turns out, that they might not be.
    """
    decoder = _Decoder(stream, timeline)
    reader = enumerate(packet for packet in packets(container, stream) if packet.size)
    for stretch in stretches(timeline, targets_F):
        yield from decoder.frames(reader, stretch)


class _Decoder:
    """Decodes one stretch after another and holds what comes out against the timeline."""

    def __init__(self, stream: VideoStream, timeline: Timeline) -> None:
        self._codec = stream.codec_context
        self._codec.thread_count = 1
        # A damaged frame is patched with what was decoded before it, which may have been skipped here: let it fail.
        self._codec.options = {"err_detect": "explode"}
        # H.264 marks the frames that no other leans on, beyond doubt; in HEVC other layers may lean on them.
        self._unwanted = "NONREF" if stream.codec.canonical_name == "h264" else "DEFAULT"
        self._time_base = stream.time_base
        self._timeline = timeline

    def frames(self, reader: Iterator[tuple[int, Any]], stretch: Stretch) -> Iterator[av.VideoFrame]:
        pts_P = self._timeline.pts_P
        missing = set(stretch.wanted)
        previous: int | None = None
        for frame in self._decoded(reader, stretch):
            if stretch.start and previous is None and not _is_key(frame, int(pts_P[stretch.start])):
                if frame.pts is not None and frame.pts < pts_P[stretch.start]:
                    continue  # leans on frames before the key frame
                raise UnsureError("what was marked as a key frame is none")
            if frame.pts is None or (previous is not None and frame.pts <= previous):
                raise UnsureError("frames without a time or out of order")
            if frame.is_corrupt or frame.interlaced_frame:
                raise UnsureError("frames that are damaged or come in two fields, one of which may have been skipped")
            previous = frame.pts
            if frame.pts in missing:
                missing.remove(frame.pts)
                yield frame
        if missing:
            raise UnsureError("a frame did not come out of its packet")

    def _decoded(self, reader: Iterator[tuple[int, Any]], stretch: Stretch) -> Iterator[av.VideoFrame]:
        self._codec.flush_buffers()
        try:
            for number, packet in reader:
                if number >= len(self._timeline.pts_P) or packet.pts != self._timeline.pts_P[number]:
                    raise UnsureError("the packets are not those that were read before")
                if number >= stretch.start:
                    self._codec.skip_frame = "DEFAULT" if packet.pts in stretch.wanted else self._unwanted
                    yield from self._codec.decode(packet)
                if number + 1 == stretch.stop:
                    break
            for frame in self._codec.decode(None):
                frame.time_base = self._time_base
                yield frame
        except av.FFmpegError as error:
            raise UnsureError("damaged") from error


def _is_key(frame: av.VideoFrame, pts: int) -> bool:
    return frame.pts == pts and bool(frame.key_frame) and frame.pict_type == PictureType.I
