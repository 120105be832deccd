"""Write small clips for tests: exact pictures by a lossless codec, with whatever is wrong asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TICKS = Fraction(1, 1000)


def grey(level: int, width: int = 32, height: int = 16) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def tone(seconds: float, rate: int, hertz: float = 440.0, level: float = 0.5) -> NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def film(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]] = (),
    *,
    rate: int = 10,
    times: Sequence[float] | None = None,
    codec: str = "png",
    pix_fmt: str = "rgb24",
    matrix: Sequence[int] | None = None,
    damaged: Sequence[int] = (),
    sound: NDArray[np.float32] | None = None,
    sound_rate: int = 44_100,
    tracks: int = 1,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    marked: Sequence[int] = (),
    astray: Sequence[int] = (),
    aspect: Fraction | None = None,
) -> Path:
    """Write pictures (at ``rate`` or at ``times`` in seconds) and a sound (S,) or (2, S).

    ``damaged`` packets are overwritten with zeros, ``marked`` ones marked as key frames, ``astray`` ones to be
    shown 1000 seconds late; each of the ``tracks`` is half
    as loud as the one before; ``aspect`` is that of a pixel; ``matrix`` are the four numbers a, b, c, d of a display
    matrix.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        streams = (
            [_video(container, pictures, rate, codec, pix_fmt, matrix, codec_options)] if len(pictures) else []
        )
        if sound is not None:
            layout = "stereo" if sound.ndim == 2 else "mono"
            heard = [container.add_stream("aac", rate=sound_rate, layout=layout) for _ in range(tracks)]
        for video in streams:
            if aspect is not None:
                video.codec_context.sample_aspect_ratio = aspect
            seconds = times if times is not None else [n / rate for n in range(len(pictures))]
            packets = []
            for picture, second in zip(pictures, seconds, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
                frame.time_base, frame.pts = TICKS, round(second * 1000)
                packets += video.encode(frame)
            for number, packet in enumerate([*packets, *video.encode()]):
                packet.is_keyframe |= number in marked
                if number in astray:
                    packet.pts += 1_000_000
                container.mux(_zeroed(packet) if number in damaged else packet)
        if sound is not None:
            for number, audio in enumerate(heard):
                samples = av.AudioFrame.from_ndarray(
                    np.atleast_2d(sound) / np.float32(2**number), format="fltp", layout=layout
                )
                samples.sample_rate = sound_rate
                container.mux([*audio.encode(samples), *audio.encode()])
    return path


def _video(
    container: Any,
    pictures: Sequence[NDArray[np.uint8]],
    rate: int,
    codec: str,
    pix_fmt: str,
    matrix: Sequence[int] | None,
    codec_options: dict[str, str] | None,
) -> Any:
    video = container.add_stream(codec, rate=rate, options=codec_options or {})
    video.height, video.width = pictures[0].shape[:2]
    video.pix_fmt = pix_fmt
    video.codec_context.time_base = TICKS
    if matrix is not None:
        a, b, c, d = (number << 16 for number in matrix)
        video.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
    return video


def _zeroed(packet: av.Packet[Any]) -> av.Packet[Any]:
    blank = av.Packet(bytes(packet.size))
    blank.stream, blank.time_base = packet.stream, packet.time_base
    blank.pts, blank.dts, blank.duration = packet.pts, packet.dts, packet.duration
    return blank
