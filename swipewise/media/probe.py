"""Look into a clip without decoding more than its first picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from swipewise.media.container import audio_stream, frames, opened, pixel_aspect, video_stream
from swipewise.media.picture import orientation, shown_size


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream of a file; ``rate`` is frames or samples a second, ``codec`` None where no decoder knows it."""

    index: int
    kind: str
    codec: str | None
    rate: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a file says it holds.

    ``duration_seconds`` is the header's claim, None where it makes none; ``width`` and ``height`` are upright and in
    square pixels, and ``rotation`` the clockwise turn, in degrees, that makes them so; ``video`` and ``audio`` are the
    indices of the streams that decoding would take.
    """

    container: str
    duration_seconds: float | None
    streams: tuple[StreamInfo, ...]
    video: int | None
    audio: int | None
    width: int | None
    height: int | None
    rotation: int


def probe(path: Path, audio_track: int = 0) -> MediaInfo:
    """Describe a clip, of whose audio tracks decoding would take that one.

    Args:
        path: A file on this machine.
        audio_track: Counted from 0.

    Returns:
        What the container says: duration, size, sound.

    Raises:
        MediaError: It is missing, empty, unreadable or not a video or audio file, or has sound but no such track.
    """
    with opened(path) as container:
        video, audio = video_stream(container), audio_stream(container, audio_track)
        width, height, rotation = _size(container, video)
        return MediaInfo(
            container=container.format.name,
            duration_seconds=container.duration / 1_000_000 if container.duration else None,
            streams=tuple(_describe(stream) for stream in container.streams),
            video=video.index if video is not None else None,
            audio=audio.index if audio is not None else None,
            width=width,
            height=height,
            rotation=rotation,
        )


def _describe(stream: Stream) -> StreamInfo:
    codec = stream.codec_context
    rate = stream.average_rate if stream.type == "video" else getattr(codec, "sample_rate", None)
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec.name if codec is not None else None,
        rate=float(rate) if rate else None,
        language=stream.language,
    )


def _size(container: InputContainer, video: VideoStream | None) -> tuple[int | None, int | None, int]:
    """Upright width and height, and the rotation; the display matrix comes with the first picture."""
    if video is None:
        return None, None, 0
    first = next(frames(container, video, []), None)
    if first is None:
        return video.width or None, video.height or None, 0
    return *shown_size(first, pixel_aspect(video)), orientation(first).degrees
