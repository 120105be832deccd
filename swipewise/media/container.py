"""Open clips, choose their streams and read packets, whatever state the file is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, overload

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from swipewise.errors import MediaError

# Playlists and other files that make the reader open further files or addresses are left out on purpose: an upload
# must not be able to read what lies beside it.
_FORMATS = (
    "mov,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ogg,asf,gif,ivf,mxf,nut,dv,amr,wav,mp3,aac,flac"
)

# A reader that keeps failing at one place of a damaged file would never come to its end.
_READ_ERRORS = 100


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a clip for reading.

    Raises:
        MediaError: It is missing, empty, unreadable or not a video or audio file.
    """
    try:
        size = path.stat().st_size
        regular = path.is_file()
    except OSError as error:
        raise MediaError(f"the file cannot be read: {error.strerror}") from error
    if not regular:
        raise MediaError("not a regular file")
    if size == 0:
        raise MediaError("the file is empty")
    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        # Without the prefix a colon in the name would read as a protocol.
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(
            f"not a video or audio file that can be read ({_said(error)}): if it should be one, it is damaged or "
            "incomplete, so fetch or export it again"
        ) from error
    with container:
        yield container


def _said(error: av.FFmpegError) -> str:
    return (error.strerror or type(error).__name__).lower()


def video_stream(container: InputContainer) -> VideoStream | None:
    """The stream a player would show; cover art is not a picture of the clip."""
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    usable = [stream for stream in moving if stream.codec_context is not None]
    if not usable:
        return None
    # FFmpeg's choice where it is one that can be decoded, else the first that can.
    best = container.streams.best("video")
    return next((stream for stream in usable if best is not None and stream.index == best.index), usable[0])


def pixel_aspect(stream: VideoStream) -> float:
    """Width of a pixel in its heights; 1 where the clip does not tell."""
    return float(stream.sample_aspect_ratio or 1)


def audio_stream(container: InputContainer, track: int) -> AudioStream | None:
    """The audio track of that number, counted from 0 among those that can be decoded; None in a clip without sound.

    Raises:
        MediaError: It has sound, but not so many tracks.
    """
    usable = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if usable and track >= len(usable):
        tracks = "1 audio track" if len(usable) == 1 else f"{len(usable)} audio tracks"
        raise MediaError(
            f"it has {tracks}, so there is no track {track} (the first is 0): set media.audio_track lower"
        )
    return usable[track] if usable else None


def packets(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """The packets of the streams to the end of the file, reading on past damaged places."""
    for _ in range(_READ_ERRORS):
        try:
            yield from container.demux(*streams)
        except (av.FFmpegError, IndexError):  # the latter where damage looks like a stream that nobody announced
            continue
        return


@overload
def frames(container: InputContainer, stream: VideoStream, failures: list[str]) -> Iterator[av.VideoFrame]: ...
@overload
def frames(container: InputContainer, stream: AudioStream, failures: list[str]) -> Iterator[av.AudioFrame]: ...
def frames(
    container: InputContainer, stream: VideoStream | AudioStream, failures: list[str]
) -> Iterator[av.VideoFrame] | Iterator[av.AudioFrame]:
    """Decode a stream in order; a packet that fails is skipped and its error added to ``failures``."""
    return _decoded(container, stream, failures)


def _decoded(container: InputContainer, stream: Stream, failures: list[str]) -> Iterator[Any]:
    # The pool that decodes many clips at once takes a core each.
    stream.codec_context.thread_count = 1
    for packet in packets(container, stream):
        try:
            yield from packet.decode()
        except MemoryError:  # which FFmpeg's is as well
            raise
        except av.FFmpegError as error:
            failures.append(_said(error))
