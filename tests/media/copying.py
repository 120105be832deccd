"""Copies of clips as they go round: encoded anew at another size, bitrate, codec or volume, or with another sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray


def encode_anew(
    source: Path,
    path: Path,
    *,
    scale: float = 1.0,
    codec: str = "libx264",
    audio_codec: str = "aac",
    video_bits: int = 200_000,
    audio_bits: int = 32_000,
    volume: float = 1.0,
    sound_of: Path | None = None,
) -> Path:
    """Decode ``source`` and encode it to ``path``, with the sound of another clip where one is named."""
    rate, sound_S = _sound(sound_of or source)
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = old.streams.video[0]
        video = new.add_stream(codec, rate=stream.average_rate, bit_rate=video_bits)
        video.width, video.height = (2 * round(side * scale / 2) for side in (stream.width, stream.height))
        video.pix_fmt = "yuv420p"
        audio = (
            new.add_stream(audio_codec, rate=rate, layout="mono", bit_rate=audio_bits) if len(sound_S) else None
        )
        for frame in old.decode(stream):
            picture = frame.reformat(video.width, video.height, "yuv420p")
            picture.pict_type = 0
            new.mux(video.encode(picture))
        new.mux(video.encode())
        if audio is not None:
            louder_S = (volume * sound_S).clip(-1, 1).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(louder_S[None], format="fltp", layout="mono")
            samples.sample_rate = rate
            new.mux([*audio.encode(samples), *audio.encode()])
    return path


def _sound(path: Path) -> tuple[int, NDArray[np.float32]]:
    """Samples a second and the samples, none where there is no sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return 0, np.empty(0, np.float32)
        stream = container.streams.audio[0]
        mono = AudioResampler(format="fltp", layout="mono", rate=stream.rate)
        pieces = [piece.to_ndarray()[0] for frame in container.decode(stream) for piece in mono.resample(frame)]
        return stream.rate, np.concatenate(pieces)
