"""The weight-free visual descriptor: colour, layout, texture, edges and motion.

Every block is scaled by fixed constants to values of about one, so that no block drowns another.

Legend of shape suffixes: F = frames, H, W = rows and columns, C = 3 (RGB), N = pixels of all frames, S = side of
the spectrum's window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality

_LONGEST_SIDE = 160
_SHORTEST_SIDE = 16
_WINDOW = 64
_HUES, _LIGHTS, _CHROMAS, _ORIENTATIONS, _RINGS, _SECTORS = 16, 8, 6, 6, 10, 6
_GRID = (4, 2)

Floats = NDArray[np.float32]


class VisualDescriptor:
    """Colour histograms and layout, gradients on three scales, local binary patterns, spectrum, motion."""

    name = "descriptor"
    version = "1"
    batch = 1
    modality = Modality.VISUAL
    dim = (
        (_HUES + _LIGHTS + _CHROMAS + 6)  # colour
        + 3 * _GRID[0] * _GRID[1]  # layout
        + 3 * (_ORIENTATIONS + 2)  # gradients
        + 10  # local binary patterns
        + (_RINGS + _SECTORS)  # spectrum
        + 14  # motion
    )

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip with pictures."""
        return [None if clip.frames_FHWC is None else _describe(clip) for clip in clips]


def _describe(clip: Clip) -> Floats:
    assert clip.frames_FHWC is not None
    frames_FHWC = _workable(clip.frames_FHWC)
    luma_FHW = frames_FHWC @ np.array([0.299, 0.587, 0.114], np.float32)
    half_FHW = _halved(luma_FHW)
    waves_FSS = _spectra(half_FHW if min(half_FHW.shape[1:]) >= 1.5 * _WINDOW else luma_FHW)
    vector = np.concatenate(
        [
            _colour(frames_FHWC[:, ::2, ::2]),
            *_gradients(luma_FHW, half_FHW),
            _binary_patterns(luma_FHW),
            _texture_spectrum(waves_FSS),
            _motion(half_FHW, waves_FSS, _moved(clip)),
        ]
    ).astype(np.float32)
    return np.nan_to_num(vector, nan=0.0, posinf=0.0, neginf=0.0)


def _workable(frames_FHWC: NDArray[np.uint8]) -> Floats:
    """RGB in [0, 1] of a size the measurements below can work with: large ones halved, tiny ones padded."""
    image_FHWC = frames_FHWC.astype(np.float32) * np.float32(1 / 255)
    while max(image_FHWC.shape[1:3]) > _LONGEST_SIDE:
        image_FHWC = _halved(image_FHWC)
    lack = [max(0, _SHORTEST_SIDE - side) for side in image_FHWC.shape[1:3]]
    if any(lack):
        image_FHWC = np.pad(image_FHWC, ((0, 0), (0, lack[0]), (0, lack[1]), (0, 0)), mode="edge")
    return image_FHWC


def _halved(image: Floats) -> Floats:
    """Means of 2 x 2 pixels of (F, H, W) or (F, H, W, C); a row or column alone stays as it is."""
    rows, columns = (side // 2 * 2 or 1 for side in image.shape[1:3])
    image = image[:, :rows, :columns]
    if rows > 1:
        image = (image[:, ::2] + image[:, 1::2]) * np.float32(0.5)
    if columns > 1:
        image = (image[:, :, ::2] + image[:, :, 1::2]) * np.float32(0.5)
    return image


def _colour(frames_FHWC: Floats) -> Floats:
    """Histograms of hue (weighted by chroma), lightness and chroma; moments; mean colours on a grid."""
    red, green, blue = np.moveaxis(frames_FHWC, 3, 0)
    light_FHW = (red + green + blue) / 3
    # Opponent axes: their angle is the hue, their length the chroma.
    warm_FHW, green_FHW = red - (green + blue) / 2, (green - blue) * np.float32(np.sqrt(3) / 2)
    chroma_FHW = np.hypot(warm_FHW, green_FHW)
    turn_FHW = np.arctan2(green_FHW, warm_FHW) * np.float32(_HUES / (2 * np.pi))
    channels = (light_FHW, warm_FHW, green_FHW)
    moments = [channel.mean() for channel in channels] + [channel.std() for channel in channels]
    return np.concatenate(
        [
            2 * np.sqrt(_histogram(turn_FHW, _HUES, weights=chroma_FHW, cyclic=True)),
            2 * np.sqrt(_histogram(light_FHW * (_LIGHTS - 1), _LIGHTS)),
            2 * np.sqrt(_histogram(np.minimum(chroma_FHW, 1) * (_CHROMAS - 1), _CHROMAS)),
            3 * np.array(moments),
            *(3 * _grid_means(channel) for channel in channels),
        ]
    )


def _histogram(
    places_FHW: Floats, bins: int, *, weights: Floats | None = None, cyclic: bool = False
) -> NDArray[np.float64]:
    """A histogram over all pixels, each shared by the two nearest bins; it sums to the mean weight."""
    low_FHW = np.floor(places_FHW)
    part_FHW = places_FHW - low_FHW
    index_N = low_FHW.astype(np.int64).ravel()
    next_N = index_N + 1
    if cyclic:
        index_N, next_N = index_N % bins, next_N % bins
    share_N = (part_FHW if weights is None else part_FHW * weights).ravel()
    rest_N = (1 - part_FHW if weights is None else weights - part_FHW * weights).ravel()
    counts = np.bincount(index_N, rest_N, bins + 1) + np.bincount(next_N, share_N, bins + 1)
    return counts[:bins] / len(index_N)


def _grid_means(channel_FHW: Floats) -> NDArray[np.float64]:
    mean_HW = channel_FHW.mean(axis=0)
    rows = np.array_split(mean_HW, _GRID[0], axis=0)
    return np.array([cell.mean() for row in rows for cell in np.array_split(row, _GRID[1], axis=1)])


def _gradients(luma_FHW: Floats, half_FHW: Floats) -> list[NDArray[np.float64]]:
    """On three scales: the share of each orientation, the strength, and how concentrated it is."""
    angles = np.arange(_ORIENTATIONS) * (np.pi / _ORIENTATIONS)
    blocks = []
    for image_FHW in (luma_FHW, half_FHW, _halved(half_FHW)):
        across_FHW = image_FHW[:, 1:-1, 2:] - image_FHW[:, 1:-1, :-2]
        down_FHW = image_FHW[:, 2:, 1:-1] - image_FHW[:, :-2, 1:-1]
        responses = np.array(
            [
                np.abs(np.float32(np.cos(angle)) * across_FHW + np.float32(np.sin(angle)) * down_FHW).mean()
                for angle in angles
            ]
        )
        energy = float(np.square(across_FHW).mean() + np.square(down_FHW).mean())
        strength = float(responses.mean())
        shares = responses / max(strength, 1e-3) - 1
        sharpness = np.log(np.sqrt(energy) / max(strength, 1e-3) + 1e-2)
        blocks.append(np.array([*(2 * shares), np.log(strength + 1e-2) + 3, sharpness]))
    return blocks


def _binary_patterns(luma_FHW: Floats) -> NDArray[np.float64]:
    """Shares of rotation-invariant uniform local binary patterns: flat, spot, edge, corner, line end, other."""
    margin = np.float32(0.015)  # camera and codec noise is not texture
    floor_FHW = luma_FHW[:, 1:-1, 1:-1] + margin
    rows, columns = luma_FHW.shape[1:]
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    above = [
        (luma_FHW[:, row : rows - 2 + row, column : columns - 2 + column] > floor_FHW).view(np.uint8)
        for row, column in ring
    ]
    ones = sum(above[1:], start=above[0])
    changes = sum((above[n] ^ above[n - 1] for n in range(1, 8)), start=above[0] ^ above[7])
    pattern_N = np.where(changes <= 2, ones, 9).ravel()
    return 2 * np.sqrt(np.bincount(pattern_N, minlength=10) / len(pattern_N))


def _spectra(luma_FHW: Floats) -> NDArray[np.complex64]:
    """The spectrum of each frame's centre, without its mean, under a window that fades at the borders."""
    rows, columns = luma_FHW.shape[1:]
    lack = [max(0, _WINDOW - side) for side in (rows, columns)]
    if any(lack):
        luma_FHW = np.pad(luma_FHW, ((0, 0), (0, lack[0]), (0, lack[1])), mode="reflect")
        rows, columns = luma_FHW.shape[1:]
    top, left = (rows - _WINDOW) // 2, (columns - _WINDOW) // 2
    centre_FSS = luma_FHW[:, top : top + _WINDOW, left : left + _WINDOW]
    fade = np.hanning(_WINDOW).astype(np.float32)
    centred_FSS = (centre_FSS - centre_FSS.mean(axis=(1, 2), keepdims=True)) * np.outer(fade, fade)
    return np.fft.fft2(centred_FSS).astype(np.complex64)


def _wave_bins() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each point of a spectrum its ring (octave thirds of frequency) and its sector (orientation)."""
    frequency = np.fft.fftfreq(_WINDOW, 1 / _WINDOW)
    down, across = np.meshgrid(frequency, frequency, indexing="ij")
    radius = np.hypot(down, across)
    ring = np.floor(2 * np.log2(np.maximum(radius, 1))).astype(np.int64)
    sector = np.floor(np.arctan2(down, across) % np.pi * (_SECTORS / np.pi)).astype(np.int64)
    return np.minimum(ring, _RINGS - 1).ravel(), np.minimum(sector, _SECTORS - 1).ravel()


_RING, _SECTOR = _wave_bins()


def _texture_spectrum(waves_FSS: NDArray[np.complex64]) -> NDArray[np.float64]:
    """How the energy spreads over scales and orientations."""
    power_N = np.square(np.abs(waves_FSS)).mean(axis=0).ravel()
    total = max(float(power_N.sum()), 1e-3)
    rings = np.bincount(_RING, power_N, _RINGS) / total
    sectors = np.bincount(_SECTOR, power_N, _SECTORS) / total
    return np.concatenate([2 * np.sqrt(rings), 2 * np.sqrt(sectors)])


def _moved(clip: Clip) -> NDArray[np.bool_]:
    """For each pair of neighbouring frames, whether they are two frames and not one shown twice."""
    assert clip.frames_FHWC is not None
    if clip.frame_times_F is None:
        return np.ones(len(clip.frames_FHWC) - 1, bool)
    return np.diff(clip.frame_times_F) > 0


def _motion(luma_FHW: Floats, waves_FSS: NDArray[np.complex64], moved: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Changes of brightness and content between frames, and the shift that would best explain them."""
    if not moved.any():
        return np.zeros(14)
    change = np.diff(luma_FHW, axis=0)[moved]
    flash = change.mean(axis=(1, 2))
    amount = np.abs(change).mean(axis=(1, 2))
    beyond_flash = np.abs(change - flash[:, None, None]).mean(axis=(1, 2))
    cross = (waves_FSS[1:] * waves_FSS[:-1].conj())[moved]
    cross /= np.maximum(np.abs(cross), 1e-6)
    match = np.fft.ifft2(cross).real
    peak = match.reshape(len(match), -1).argmax(axis=1)
    down, across = ((place + _WINDOW // 2) % _WINDOW - _WINDOW // 2 for place in divmod(peak, _WINDOW))
    return np.array(
        [
            *(5 * value for value in (amount.mean(), amount.std(), amount.max(), beyond_flash.mean())),
            *(5 * value for value in (np.abs(flash).mean(), np.abs(flash).max(), beyond_flash.std())),
            *(0.1 * value for value in (np.abs(down).mean(), np.abs(across).mean(), down.std(), across.std())),
            3 * match.max(axis=(1, 2)).mean(),
            3 * match[:, 0, 0].mean(),
            3 * np.abs(match[:, 0, 0]).std(),
        ]
    )
