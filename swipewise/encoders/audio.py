"""The weight-free audio descriptor: log-mel statistics, timbre, pitch and rhythm.

Every block is scaled by fixed constants to values of about one. Loudness enters once; the spectra are taken
relative to it, so that the same sound played softer stays the same sound.

Legend of shape suffixes: S = samples, T = analysis frames, K = frequency bins, M = mel bands.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality

_RATE = 16_000
_SIZE, _HOP = 1024, 320  # 64 ms windows, 50 a second
_PER_SECOND = _RATE / _HOP
_MELS, _LAGS, _BEATS, _PITCHES = 40, 24, 12, 16
_STEADY = 0.03  # deviation of the onset strength (log-mel units) below which there is no rhythm to speak of
_BLOCK = 2048  # windows transformed at a time, which bounds the memory a long clip takes

Floats = NDArray[np.float32]


class AudioDescriptor:
    """Means and deviations of log-mel bands and their changes, spectral shape, chroma, pitch places, tempo."""

    name = "descriptor"
    version = "1"
    batch = 1
    modality = Modality.AUDIO
    dim = 2 * _MELS + _MELS // 2 + 10 + 12 + _PITCHES + _LAGS + _BEATS + 5

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip with sound."""
        return [None if clip.waveform_S is None else _describe(clip.waveform_S) for clip in clips]


def _describe(waveform_S: Floats) -> Floats:
    loudness = float(np.sqrt(np.square(waveform_S, dtype=np.float64).mean())) if len(waveform_S) else 0.0
    levelled_S = waveform_S * np.float32(0.1 / max(loudness, 1e-5))
    levelled_S = np.pad(levelled_S, (0, max(0, 2 * _SIZE - len(levelled_S))))
    mel_TM, shape_T5, chroma_T12, pitch_T, power_T = _analyse(levelled_S)
    flux_T = np.maximum(np.diff(mel_TM, axis=0), 0).mean(axis=1)
    vector = np.concatenate(
        [
            _bands(mel_TM),
            4 * (shape_T5.mean(axis=0) - 0.4),
            6 * shape_T5.std(axis=0),
            3 * chroma_T12.mean(axis=0),
            _pitches(pitch_T, power_T),
            _rhythm(flux_T),
            np.array(
                [
                    np.log10(loudness + 1e-5) + 1,
                    np.log10(power_T + 1e-6).std(),
                    3 * flux_T.mean(),
                    2 * flux_T.std(),
                    flux_T.max() / 2,
                ]
            ),
        ]
    ).astype(np.float32)
    return np.nan_to_num(vector, nan=0.0, posinf=0.0, neginf=0.0)


def _analyse(waveform_S: Floats) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.float64]]:
    """Log-mel bands, spectral shape, chroma, the place of the strongest pitch, and the power of each window."""
    windows_TS = np.lib.stride_tricks.sliding_window_view(waveform_S, _SIZE)[::_HOP]
    parts = [_analyse_block(windows_TS[start : start + _BLOCK]) for start in range(0, len(windows_TS), _BLOCK)]
    mel_TM, shape_T5, chroma_T12, pitch_T, power_T = (np.concatenate(part) for part in zip(*parts, strict=True))
    return mel_TM, shape_T5, chroma_T12, pitch_T, power_T


def _analyse_block(windows_TS: Floats) -> tuple[NDArray[np.generic], ...]:
    spectrum_TK = np.fft.rfft(windows_TS * _FADE, axis=1)[:, 1:]
    power_TK = np.square(spectrum_TK.real) + np.square(spectrum_TK.imag) + np.float32(1e-9)
    total_T = power_TK.sum(axis=1)
    mel_TM = np.log(power_TK @ _MEL_KM + np.float32(1e-6))
    chroma_T12 = np.sqrt(power_TK) @ _CHROMA_K12
    chroma_T12 /= chroma_T12.sum(axis=1, keepdims=True) + np.float32(1e-9)
    return (
        mel_TM,
        _shape(power_TK, total_T),
        chroma_T12,
        _PITCH_K[power_TK.argmax(axis=1)],
        total_T.astype(np.float64),
    )


def _shape(power_TK: Floats, total_T: Floats) -> Floats:
    """Centroid, spread, median, rolloff and flatness, each between 0 and 1 (frequencies on an octave scale)."""
    centroid_T = power_TK @ _OCTAVE_K / total_T
    spread_T = np.sqrt(np.maximum(power_TK @ np.square(_OCTAVE_K) / total_T - np.square(centroid_T), 0))
    reached_TK = np.cumsum(power_TK, axis=1)
    median_T, rolloff_T = (
        _OCTAVE_K[np.minimum((reached_TK < share * total_T[:, None]).sum(axis=1), len(_OCTAVE_K) - 1)]
        for share in (0.5, 0.85)
    )
    flatness_T = np.exp(np.log(power_TK).mean(axis=1)) / (total_T / power_TK.shape[1])
    return np.stack([centroid_T, spread_T, median_T, rolloff_T, np.sqrt(flatness_T)], axis=1)


def _bands(mel_TM: Floats) -> NDArray[np.floating]:
    """The mean of each band against the clip's, how much it varies, and how fast (pairs of bands)."""
    mean_M, spread_M = mel_TM.mean(axis=0), mel_TM.std(axis=0)
    pace_M = np.abs(np.diff(mel_TM, axis=0)).mean(axis=0)
    return np.concatenate(
        [(mean_M - mean_M.mean()) / 3, spread_M / 1.5 - 1, 3 * np.sqrt(pace_M.reshape(-1, 2).mean(axis=1)) - 2]
    )


def _pitches(pitch_T: Floats, power_T: NDArray[np.float64]) -> NDArray[np.floating]:
    """Where the strongest frequencies lie, by power; each is shared by the two nearest places."""
    low_T = pitch_T.astype(np.int64)
    part_T = pitch_T - low_T
    counts = np.bincount(low_T, power_T * (1 - part_T), _PITCHES + 1)
    counts += np.bincount(low_T + 1, power_T * part_T, _PITCHES + 1)
    roots: NDArray[np.float64] = np.sqrt(counts[:_PITCHES] / power_T.sum())
    return 2 * roots


def _rhythm(flux_T: Floats) -> NDArray[np.floating]:
    """How onsets repeat: their autocorrelation at lags of 0.1 to 2 s, their modulation from 0.5 to 16 Hz."""
    size = 2 * int(2 * _PER_SECOND)
    centred_T = np.pad(flux_T - flux_T.mean(), (0, max(0, size - len(flux_T))))
    wave = np.fft.rfft(centred_T, 2 * len(centred_T))
    power = np.square(np.abs(wave))
    similarity = np.fft.irfft(power)[: size // 2 + 1]
    # A steady sound has no onsets; without a floor its rounding errors would count as a rhythm.
    floor = _STEADY**2 * len(flux_T)
    similarity /= similarity[0] + floor
    lags = np.geomspace(0.1 * _PER_SECOND, 2 * _PER_SECOND + 1, _LAGS + 1).round().astype(int)
    repeats = [similarity[low : max(high, low + 1)].max() for low, high in itertools.pairwise(lags)]
    hertz = np.fft.rfftfreq(2 * len(centred_T), 1 / _PER_SECOND)
    edges = np.geomspace(0.5, 16.0, _BEATS + 1)
    place = np.searchsorted(edges, hertz, side="right") - 1
    inside = (place >= 0) & (place < _BEATS)
    beats = np.bincount(place[inside], power[inside], _BEATS)
    shares = beats / (beats.sum() + floor * len(centred_T))
    return np.concatenate([2 * np.array(repeats), 2 * np.sqrt(shares)])


def _mel_bank() -> Floats:
    """Triangles evenly spaced on the mel scale from 40 Hz to 7.6 kHz, as (K, M); each sums to one."""
    bottom, top = 2595 * np.log10(1 + np.array([40.0, 7600.0]) / 700)
    mel = np.linspace(bottom, top, _MELS + 2)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    low, centre, high = hertz[:-2], hertz[1:-1], hertz[2:]
    rise_KM = (_HERTZ_K[:, None] - low) / (centre - low)
    fall_KM = (high - _HERTZ_K[:, None]) / (high - centre)
    bank_KM = np.maximum(np.minimum(rise_KM, fall_KM), 0)
    bank_KM /= np.maximum(bank_KM.sum(axis=0), 1e-9)
    return bank_KM.astype(np.float32)


_HERTZ_K = np.arange(1, _SIZE // 2 + 1) * (_RATE / _SIZE)
_FADE = (np.hanning(_SIZE) / (np.hanning(_SIZE).sum() / 2)).astype(np.float32)
_OCTAVE_K = (np.log2(_HERTZ_K / _HERTZ_K[0]) / np.log2(_HERTZ_K[-1] / _HERTZ_K[0])).astype(np.float32)
_MEL_KM = _mel_bank()
_HEARD_K = (_HERTZ_K > 100) & (_HERTZ_K < 4000)
_CLASS_K = np.round(12 * np.log2(_HERTZ_K / 440.0)).astype(np.int64) % 12
_CHROMA_K12 = (np.eye(12)[_CLASS_K] * _HEARD_K[:, None]).astype(np.float32)
_PITCH_K = np.clip(np.log2(_HERTZ_K / 50.0) * (_PITCHES / 7), 0, _PITCHES - 1).astype(np.float32)
