"""The sound of a clip as one mono waveform.

Legend of shape suffixes: S = samples.
"""

from __future__ import annotations

from collections.abc import Iterable

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

# -80 dB of full scale: a track this quiet is there for the player's sake, not the listener's.
_SILENCE = 1e-4


def waveform(
    frames: Iterable[av.AudioFrame], max_seconds: float, rate: int = SAMPLE_RATE
) -> NDArray[np.float32] | None:
    """Mix to mono, resample to ``rate`` Hz and join: (S,) float32 in [-1, 1]; None without a sound to be heard."""
    wanted = int(max_seconds * rate)
    pieces: list[NDArray[np.float32]] = []
    collected, setup, resampler = 0, None, None
    for frame in frames:
        if setup != (setup := (frame.format.name, frame.layout.name, frame.sample_rate)):
            # A resampler serves one kind of input; broadcasts and edited clips change it midway.
            pieces += _resampled(resampler, None)
            resampler = AudioResampler(format="fltp", layout=frame.layout, rate=rate)
        frame.pts = None  # gaps in the clock are not gaps in the sound
        new = _resampled(resampler, frame)
        pieces += new
        collected += sum(map(len, new))
        if collected >= wanted:
            break
    pieces += _resampled(resampler, None)
    if not pieces:
        return None
    sound_S = np.nan_to_num(np.concatenate(pieces)[:wanted], nan=0.0, posinf=1.0, neginf=-1.0).clip(-1.0, 1.0)
    return sound_S if np.abs(sound_S).max(initial=0.0) > _SILENCE else None


def _resampled(resampler: AudioResampler | None, frame: av.AudioFrame | None) -> list[NDArray[np.float32]]:
    if resampler is None:
        return []
    # The mean of the channels: FFmpeg's own mono is louder and clips where the channels agree.
    return [piece.to_ndarray().mean(axis=0, dtype=np.float32) for piece in resampler.resample(frame)]
