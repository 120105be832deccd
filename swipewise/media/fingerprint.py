"""Fingerprints by which a clip is known again after it was encoded anew, at another size, bitrate or volume.

A difference hash a frame says what is seen, the changes of coarse pictures say how it moves, and the signs of
differences between band energies (Haitsma and Kalker, ISMIR 2002) say what is heard.

Legend of shape suffixes: F = frames, H, W = rows and columns, C = 3 (RGB), N = fingerprints, G = cells of a coarse
picture (64), S = samples, T = steps of the sound, K = bands (33).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Fingerprint

NEAR = 5.0
"""Below this mean distance, in bits of 64 a frame, two clips may be the same picture.

Measured: 64 re-encodes of simulated clips at other sizes, codecs and bitrates are 0.25 apart in the median and 4.4 at
most, real ones 0 to 2.9. Of 125,000 pairs of different simulated clips the nearest are 6.8 apart. Real takes of one
person before one camera are as near as 0.9: those are told apart by how they move.
"""

_SIDE = 8
_LUMA_C = np.array([0.299, 0.587, 0.114], np.float32)
# A difference of less than one grey level is the codec's, not the picture's.
_VISIBLE = 1.0
_TELLING_BITS = 32

# Half grey levels fit a byte and are finer than what a codec leaves of a cell's mean.
_MOTION_STEP = 0.5
_STILL = 1.0
# Correlations of re-encodes: 0.86 to 1; of different takes before one camera: at most 0.47.
_SAME_MOTION = 0.7

_WINDOW_SECONDS, _HOP_SECONDS = 0.256, 0.032
_BAND_EDGES_HZ = (300.0, 3000.0)
_BITS = 32
_MOST_SECONDS = 30.0
_QUIET = 1e-5  # of the loudest step's energy: -50 dB
_STEADY = 1e-5  # of a step's energy: smaller changes are noise
_TELLING_STEPS = 4
# Containers and codecs shift the sound by up to this many steps.
_SHIFT = 2
# Re-encodes: at most 0.29 of the bits; different sounds: at least 0.43 where they last longer than a second.
_SAME_SOUND = 0.35


def fingerprint(clip: Clip) -> Fingerprint:
    """The fingerprint of a decoded clip; a part that tells too little to know it by is None."""
    hash_F = visual_hash(clip.frames_FHWC) if clip.frames_FHWC is not None else None
    motion_FG = motion(clip.frames_FHWC) if clip.frames_FHWC is not None and hash_F is not None else None
    sound_T = sound_hash(clip.waveform_S, clip.sample_rate) if clip.waveform_S is not None else None
    return Fingerprint(
        visual=None if hash_F is None else hash_F.tobytes(),
        motion=None if motion_FG is None else motion_FG.tobytes(),
        audio=None if sound_T is None else sound_T.tobytes(),
    )


def visual_hash(frames_FHWC: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    """The difference hash of every frame: (F,) uint64, 0 for one that is too flat to tell anything.

    Bit by bit: whether a cell of 8 rows and 9 columns is darker than its right neighbour. None where more than half
    of the frames tell nothing.
    """
    step_FG = np.diff(_coarse(frames_FHWC, _SIDE, _SIDE + 1), axis=2).reshape(len(frames_FHWC), -1)
    telling_F = (np.abs(step_FG) >= _VISIBLE).sum(axis=1) >= _TELLING_BITS
    hash_F = np.packbits(step_FG > 0, axis=1).view("<u8")[:, 0] * telling_F
    return hash_F if 2 * np.count_nonzero(hash_F) >= len(hash_F) else None


def motion(frames_FHWC: NDArray[np.uint8]) -> NDArray[np.int8]:
    """How much lighter each cell of each frame is than the cell's mean over the clip: (F, G) int8, half grey levels."""
    grey_FG = _coarse(frames_FHWC, _SIDE, _SIDE).reshape(len(frames_FHWC), -1)
    steps_FG = np.rint((grey_FG - grey_FG.mean(axis=0)) / _MOTION_STEP)
    moved_FG: NDArray[np.int8] = steps_FG.clip(-127, 127).astype(np.int8)
    return moved_FG


def sound_hash(waveform_S: NDArray[np.float32], sample_rate: int) -> NDArray[np.uint32] | None:
    """A word a step of 32 ms: (T,) uint32, 0 where it is quiet or steady; None where too few steps tell anything.

    Bit by bit: whether the difference in energy between a band and the next grows from one step to the next. Only the
    first 30 seconds are heard.
    """
    energy_TK = _band_energies(waveform_S[: int(_MOST_SECONDS * sample_rate)], sample_rate)
    if len(energy_TK) < 2:
        return None
    loudness_T = energy_TK.sum(axis=1)
    change_TB = np.diff(np.diff(energy_TK, axis=1), axis=0)
    moving_T = (np.abs(change_TB) > _STEADY * loudness_T[1:, None]).sum(axis=1) >= _BITS // 4
    telling_T = moving_T & (loudness_T[1:] > _QUIET * loudness_T.max())
    word_T = np.packbits(change_TB > 0, axis=1).view("<u4")[:, 0] * telling_T
    return word_T if np.count_nonzero(word_T) >= _TELLING_STEPS else None


def visual_distances(hash_F: NDArray[np.uint64], hashes_NF: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Mean bits of 64 by which frames differ, (N,), over those that tell something in both.

    Infinite where that is less than half of them.
    """
    both_NF = (hash_F != 0) & (hashes_NF != 0)
    frames_N = both_NF.sum(axis=1)
    bits_N = (np.bitwise_count(hash_F ^ hashes_NF) * both_NF).sum(axis=1)
    return np.where(2 * frames_N >= len(hash_F), bits_N / np.maximum(frames_N, 1), np.inf)


def same_motion(one: bytes, other: bytes) -> bool:
    """Whether two clips of as many frames move alike, or both stand still."""
    one_G, other_G = (np.frombuffer(each, np.int8).astype(np.float64) for each in (one, other))
    energies = one_G @ one_G, other_G @ other_G
    still = len(one_G) * (_STILL / _MOTION_STEP) ** 2
    if max(energies) < still:
        return True
    return bool(one_G @ other_G > _SAME_MOTION * np.sqrt(energies[0] * energies[1]))


def same_sound(one: bytes, other: bytes) -> bool:
    """Whether two sounds agree, shifted a little where that helps; also where too little of them can be compared."""
    one_T, other_T = (np.frombuffer(each, "<u4") for each in (one, other))
    shifted = [(one_T[shift:], other_T) for shift in range(_SHIFT + 1)]
    shifted += [(one_T, other_T[shift:]) for shift in range(1, _SHIFT + 1)]
    shares = [share for share in (_differing(*pair) for pair in shifted) if share is not None]
    return not shares or min(shares) < _SAME_SOUND


def _differing(one_T: NDArray[np.uint32], other_T: NDArray[np.uint32]) -> float | None:
    """The share of bits in which words differ, None where too few of them tell something in both."""
    shared = min(len(one_T), len(other_T))
    one_T, other_T = one_T[:shared], other_T[:shared]
    both_T = (one_T != 0) & (other_T != 0)
    if both_T.sum() < _TELLING_STEPS:
        return None
    return float(np.bitwise_count(one_T ^ other_T)[both_T].mean()) / _BITS


def _coarse(frames_FHWC: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float32]:
    """Mean grey levels of the cells of a grid: (F, rows, columns); cells may cut through pixels."""
    grey_FHW = frames_FHWC @ _LUMA_C
    return _cells(grey_FHW.shape[1], rows) @ grey_FHW @ _cells(grey_FHW.shape[2], columns).T


def _cells(pixels: int, cells: int) -> NDArray[np.float32]:
    """The share that each pixel of a line has in each of ``cells`` equal parts of it: (cells, pixels)."""
    edges = np.linspace(0, pixels, cells + 1)
    place = np.arange(pixels)
    covered = np.minimum(edges[1:, None], place + 1) - np.maximum(edges[:-1, None], place)
    return (covered.clip(0, None) * (cells / pixels)).astype(np.float32)


def _band_energies(waveform_S: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Energies of bands that are equally wide to the ear: (T, K); no step where the sound is shorter than a window."""
    window, hop = round(_WINDOW_SECONDS * sample_rate), round(_HOP_SECONDS * sample_rate)
    edges_K = np.round(np.geomspace(*_BAND_EDGES_HZ, _BITS + 2) * _WINDOW_SECONDS).astype(int)
    if len(waveform_S) < window:
        return np.empty((0, len(edges_K) - 1), np.float32)
    shape_S = np.hanning(window).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(waveform_S, window)[::hop]
    power = np.abs(np.fft.rfft(windows * shape_S, axis=1)[:, : edges_K[-1]]) ** 2
    energy_TK: NDArray[np.float32] = (np.add.reduceat(power, edges_K[:-1], axis=1) / np.diff(edges_K)).astype(
        np.float32
    )
    return energy_TK
