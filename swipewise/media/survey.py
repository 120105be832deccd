"""Read through a clip's packets without decoding any: what is really there, whatever the header says.

Legend of shape suffixes: P = packets of the picture, in the order of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from swipewise.media.container import packets

# Codecs by whose rules no picture shown after a key frame leans on one before it. VP8 is not among them: it notices no
# damage, and a damaged key frame may lean on what came before.
_RESTARTABLE = {"h264", "hevc", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "png"}

# Containers that give each packet its time. Of these mp4 lists its packets, so that damage does not make them vanish.
_LISTED = "mp4"
_TIMED = "matroska"

# Packets are stored in the order of decoding, which never is so far from that of presentation.
_ASTRAY_SECONDS = 5.0

# Kinds of H.264 units: a slice, one that makes a decoder forget all that came before, and what may accompany slices
# without a lasting effect (remarks and delimiters).
_SLICE, _REFRESH, _PASSING = 1, 5, {6, 9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Seconds on the container's clock from the first to the end of the last packet of a stream."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When each packet of the picture is shown, and where decoding may begin.

    pts_P: int64, in units of ``time_base``; shown_P: bool, False where an edit cut the picture off; fresh_P: bool,
    True where a key frame makes the decoder forget all that came before; spare_P: bool, True where no other picture
    leans on this one. All pictures before ``reach`` seconds are among them.
    """

    pts_P: NDArray[np.int64]
    shown_P: NDArray[np.bool_]
    fresh_P: NDArray[np.bool_]
    spare_P: NDArray[np.bool_]
    time_base: Fraction
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the packets say.

    ``spans`` of the streams that have packets, by stream index; ``whole`` when the file was read to its end rather than
    for the seconds asked for; ``timeline`` of the picture, None where packets lack what it takes to skip some of them.
    """

    spans: dict[int, Span]
    whole: bool
    timeline: Timeline | None


def survey(
    container: InputContainer, streams: list[Stream], video: VideoStream | None, max_seconds: float
) -> Survey:
    """Read the packets of the streams, one of which may be the picture, for ``max_seconds`` of each."""
    measured: dict[int, _Measure] = {}
    notes = _Notes(video) if video is not None else None
    whole = True
    for packet in packets(container, *streams):
        if notes is not None and packet.stream_index == notes.stream_index:
            notes.take(packet)
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None or packet.is_discard:
            continue
        measure = measured.setdefault(packet.stream_index, _Measure())
        measure.take(float(ticks * packet.time_base), _length(packet))
        if len(measured) == len(streams) and all(each.seconds > max_seconds for each in measured.values()):
            whole = False
            break
    return Survey(
        spans={index: measure.span() for index, measure in measured.items()},
        whole=whole,
        timeline=notes.timeline(whole) if notes is not None else None,
    )


class _Measure:
    """The span of a stream, without single packets that stand far off while the rest goes on: a damaged clock."""

    def __init__(self) -> None:
        self._start, self._end = math.inf, -math.inf
        self._before: float | None = None
        self._held: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """How much is sure so far; below 0 when nothing is."""
        return self._end - self._start

    def take(self, time: float, length: float) -> None:
        """Heed a packet and how long it lasts, in seconds and in the order of the file."""
        if self._held is not None:
            held, _ = self._held
            before = held if self._before is None else self._before
            alone = min(abs(held - before), abs(held - time)) > _ASTRAY_SECONDS
            if not alone or abs(time - before) > _ASTRAY_SECONDS:
                self._count()
        self._held = (time, length)

    def _count(self) -> None:
        assert self._held is not None
        time, length = self._held
        self._start, self._end = min(self._start, time), max(self._end, time + length)
        self._before = time

    def span(self) -> Span:
        """The span of all that was taken."""
        if self._held is not None:
            self._count()
        return Span(start=self._start, end=self._end)


def _length(packet: Packet[Stream]) -> float:
    if packet.duration:
        return float(packet.duration * packet.time_base)
    stream = packet.stream
    rate = stream.average_rate if isinstance(stream, VideoStream) else None
    return float(1 / rate) if rate else 0.0


def _gaps(pts_P: NDArray[np.int64]) -> bool:
    steps = np.diff(np.sort(pts_P))
    return bool(len(steps)) and steps.max() > 1.5 * np.median(steps)


class _Notes:
    """Writes down the packets of the picture, until one comes that a timeline cannot hold."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream_index = stream.index
        self._codec = stream.codec.canonical_name
        self._extradata = stream.codec_context.extradata or b""
        self._time_base = stream.time_base
        formats = stream.container.format.name.split(",")
        self._listed = _LISTED in formats
        self._usable = self._codec in _RESTARTABLE and (self._listed or _TIMED in formats)
        self._pts: list[int] = []
        self._shown: list[bool] = []
        self._fresh: list[bool] = []
        self._spare: list[bool] = []
        self._last_dts: int | None = None

    def take(self, packet: Packet[Stream]) -> None:
        if not self._usable or (packet.size == 0 and packet.pts is None):  # the reader closes with an empty one
            return
        # New parameters amid the stream would be lost to a decoder that skips their packet.
        changes = bool(self._pts) and packet.has_sidedata("new_extradata")
        units = self._units(packet) if self._codec == "h264" else []
        if packet.pts is None or packet.size == 0 or packet.is_corrupt or changes or units is None:
            self._usable = False
            return
        kinds = {unit & 31 for unit in units}
        # In H.264 the mark of a key frame may also stand where decoding recovers only in time. Elsewhere the decoder
        # tells whether it was one. (That no picture leans on one is marked in HEVC as well, but layers may.)
        fresh = packet.is_keyframe and not packet.is_discard and (self._codec != "h264" or _REFRESH in kinds)
        spare = _SLICE in kinds and kinds <= {_SLICE, *_PASSING}
        self._pts.append(packet.pts)
        self._shown.append(not packet.is_discard)
        self._fresh.append(fresh)
        self._spare.append(spare and all(unit >> 5 == 0 for unit in units if unit & 31 == _SLICE))
        self._last_dts = packet.dts

    def _units(self, packet: Packet[Stream]) -> list[int] | None:
        """First bytes of the packet's H.264 units (kind, and whether others lean on it); None if it is damaged."""
        if self._extradata[:1] != b"\1" or len(self._extradata) < 5:
            return None
        data, prefix, at = memoryview(packet), (self._extradata[4] & 3) + 1, 0
        units: list[int] = []
        while at + prefix < len(data):
            length = int.from_bytes(data[at : at + prefix])
            units.append(data[at + prefix])
            at += prefix + length
        return units if units and at == len(data) else None

    def timeline(self, whole: bool) -> Timeline | None:
        if not self._usable or not any(self._shown) or self._time_base is None:
            return None
        pts_P = np.array(self._pts, np.int64)
        if whole:
            reach = math.inf
        elif self._last_dts is not None:  # whatever follows is shown later than this
            reach = float(self._last_dts * self._time_base)
        else:
            return None
        # What a decoder puts in the place of lost frames hangs on all that it decoded before.
        gaps = _gaps(pts_P[pts_P * float(self._time_base) < reach])
        if gaps and not self._listed:
            return None
        return Timeline(
            pts_P=pts_P,
            shown_P=np.array(self._shown),
            fresh_P=np.array(self._fresh),
            spare_P=np.array(self._spare) & (not gaps),
            time_base=self._time_base,
            reach=reach,
        )
