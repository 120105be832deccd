"""Synthesise the sound of a clip from an audio theme.

Legend of shape suffixes: S = samples, T = entries of a wave table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.simulate.themes import AudioTheme

_TABLE = 2048
_SCALE = np.array([0, 2, 4, 7, 9])  # pentatonic: any order of these notes sounds like a tune


def render_sound(
    theme: AudioTheme, seconds: float, sample_rate: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A waveform (S,) in [-1, 1] of the theme, with tempo, pitch, timbre, level and noise of its own."""
    total = round(seconds * sample_rate)
    sixteenth = 15.0 / (theme.tempo * rng.uniform(0.88, 1.12))
    shift = rng.uniform(-2.0, 2.0)
    decay = theme.decay * rng.uniform(0.75, 1.3)
    voices = _voices(theme, sample_rate, rng)
    hiss = rng.standard_normal(2 * sample_rate, dtype=np.float32)
    notes = theme.pitches[0] + np.arange(theme.pitches[1] - theme.pitches[0] + 1)
    notes = notes[np.isin((notes - theme.pitches[0]) % 12, _SCALE)]

    sound_S = np.zeros(total, np.float32)
    first = int(rng.integers(0, 4)) * 4  # start on any beat of the bar
    step = 0
    while (start := round(step * sixteenth * sample_rate)) < total:
        if theme.pattern[(first + step) % 16] == "x" and (step == 0 or rng.random() < 0.93):
            length = min(total - start, round(3.0 * decay * sample_rate))
            frequency = 440.0 * 2.0 ** ((rng.choice(notes) + shift - 69) / 12)
            note_S = _note(voices, hiss, theme.breath, frequency / sample_rate, length)
            note_S *= _envelope(length, theme.attack, decay, sample_rate)
            sound_S[start : start + length] += note_S * np.float32(rng.uniform(0.7, 1.0))
        step += 1
    return _master(sound_S, hiss, rng)


def _voices(
    theme: AudioTheme, sample_rate: int, rng: np.random.Generator
) -> list[tuple[float, NDArray[np.float32]]]:
    """Wave tables with their frequency ratios: all whole partials share one, each other has its own."""
    top = 0.45 * sample_rate / (440.0 * 2.0 ** ((theme.pitches[1] + 2 - 69) / 12))
    phase_T = np.arange(_TABLE) * (2 * np.pi / _TABLE)
    harmonic_T = np.zeros(_TABLE)
    voices = []
    for ratio, amplitude in theme.partials:
        if ratio > top:
            continue  # beyond what the sample rate can carry
        level = amplitude * rng.uniform(0.7, 1.3)
        if ratio.is_integer():
            harmonic_T += level * np.sin(ratio * phase_T + rng.uniform(0, 2 * np.pi))
        else:
            voices.append((ratio, (level * np.sin(phase_T)).astype(np.float32)))
    return [(1.0, harmonic_T.astype(np.float32)), *voices]


def _note(
    voices: list[tuple[float, NDArray[np.float32]]],
    hiss: NDArray[np.float32],
    breath: float,
    cycles: float,
    length: int,
) -> NDArray[np.float32]:
    """A note without envelope (S,); ``cycles`` is its frequency in cycles a sample."""
    count_S = np.arange(length, dtype=np.float64)
    note_S = np.zeros(length, np.float32)
    for ratio, table_T in voices:
        note_S += table_T[(count_S * (cycles * ratio * _TABLE)).astype(np.int64) & (_TABLE - 1)]
    if breath:
        note_S *= np.float32(1 - breath)
        note_S += np.float32(breath) * np.resize(hiss, length)
    return note_S


def _envelope(length: int, attack: float, decay: float, sample_rate: int) -> NDArray[np.float32]:
    seconds_S = np.arange(length, dtype=np.float32) / np.float32(sample_rate)
    rise_S = np.minimum(seconds_S / np.float32(attack), np.float32(1))
    fall_S: NDArray[np.float32] = rise_S * np.exp(-seconds_S / np.float32(decay))
    return fall_S


def _master(
    sound_S: NDArray[np.float32], hiss: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Room noise and a loudness of the clip's own."""
    peak = max(float(np.abs(sound_S).max(initial=0.0)), 1e-6)
    sound_S = sound_S / np.float32(peak)
    noise = np.roll(np.resize(hiss, len(sound_S)), int(rng.integers(0, len(hiss))))
    sound_S += np.float32(10 ** rng.uniform(-3.0, -1.8)) * noise
    level = rng.uniform(0.25, 0.9)
    sound_S *= np.float32(level)
    return sound_S.clip(-1.0, 1.0)
