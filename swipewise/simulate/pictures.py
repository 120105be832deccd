"""Draw the pictures of a clip from a visual theme, as YUV planes ready for the encoder.

A texture is a periodic tile of phases; each frame looks at the tile through a moving window, and a table of
colours turns phases into YUV. Nothing is computed per pixel beyond two look-ups, so a frame takes a fraction of
a millisecond.

Legend of shape suffixes: H, W = rows and columns of a frame, T = side of the tile, P = phases (256).
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swipewise.simulate.themes import VISUAL_THEMES, VisualTheme

_TILE = 256
# Rows: Y, U, V of BT.601 in the limited range, which is what decoders assume of pictures this small.
_YUV = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
_YUV_ZERO = np.array([16.0, 128.0, 128.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """Where a frame looks: rotation (radians), magnification, offset on the tile, phase shift and brightness."""

    angle: float
    zoom: float
    x: float
    y: float
    phase: float = 0.0
    gain: float = 1.0


def render_pictures(
    theme: VisualTheme, frames: int, fps: int, size: tuple[int, int], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Yield ``frames`` pictures in yuv420p layout, (H * 3 / 2, W) uint8; ``size`` is (W, H), both even.

    Some clips wear another theme's colours, as if filtered, and some carry a sticker: neither colour nor texture
    alone decides the theme.
    """
    width, height = size
    tile_TT = _texture(theme, rng)
    filtered = rng.random() < 0.1
    dressed = VISUAL_THEMES[rng.integers(len(VISUAL_THEMES))] if filtered else theme
    colours_P3 = _colours(dressed, rng)
    grain_TT = (rng.standard_normal((_TILE, _TILE)) * rng.uniform(1.0, 7.0)).astype(np.int16)
    sticker = _sticker(width, height, rng) if rng.random() < 0.3 else None
    rows_HW, columns_HW = np.mgrid[0:height, 0:width].astype(np.float32)
    rows_HW -= height / 2
    columns_HW -= width / 2
    for number, view in enumerate(_views(theme.motion, frames, fps, rng)):
        phase_HW = _look(tile_TT, rows_HW, columns_HW, view)
        planes = _planes(phase_HW, colours_P3, view.gain)
        top, left = rng.integers(0, _TILE - height), rng.integers(0, _TILE - width)
        noisy_HW = planes[0] + grain_TT[top : top + height, left : left + width]
        planes[0] = np.clip(noisy_HW, 16, 235).astype(np.uint8)
        if sticker is not None:
            _stick(planes, sticker, number / frames)
        yield np.concatenate([plane.reshape(-1, width) for plane in planes])


def _texture(theme: VisualTheme, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A tile of phases that wraps at its edges: (T, T) uint8."""
    cells = max(1, round(theme.cells * rng.uniform(0.8, 1.25)))
    row_TT, column_TT = np.mgrid[0:_TILE, 0:_TILE] / _TILE
    turn = 2 * np.pi
    if theme.texture == "stripes":
        value_TT = np.sin(turn * cells * column_TT)
    elif theme.texture == "dots":
        away_TT = np.hypot((row_TT * cells) % 1 - 0.5, (column_TT * cells) % 1 - 0.5)
        value_TT = np.clip((0.33 - away_TT) * 20, -1, 1)
    elif theme.texture == "checker":
        value_TT = np.sign(
            np.sin(turn * (cells // 2) * row_TT + 1e-3) * np.sin(turn * (cells // 2) * column_TT + 1e-3)
        )
    elif theme.texture == "clouds":
        value_TT = _noise(cells, rng) + 0.5 * _noise(2 * cells, rng)
    elif theme.texture == "gradient":
        value_TT = np.sin(turn * row_TT) * np.cos(turn * column_TT * max(1, cells - 1))
    elif theme.texture == "rings":
        value_TT = np.sin(turn * cells * np.hypot(row_TT - 0.5, column_TT - 0.5))
    elif theme.texture == "grain":
        value_TT = _noise(cells, rng)
    else:
        assert theme.texture == "zigzag", theme.texture
        bend_TT = np.abs((column_TT * cells) % 1 - 0.5)
        value_TT = np.sin(turn * (cells * row_TT + 1.5 * bend_TT))
    low, high = value_TT.min(), value_TT.max()
    phase_TT: NDArray[np.uint8] = ((value_TT - low) * (255 / (high - low))).astype(np.uint8)
    return phase_TT


def _noise(cells: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth periodic noise: random values on a grid of cells, interpolated."""
    grid = rng.standard_normal((cells, cells))
    place = np.arange(_TILE) * cells / _TILE
    low = place.astype(int) % cells
    part = place - place.astype(int)
    part = part * part * (3 - 2 * part)
    rows = grid[low] * (1 - part)[:, None] + grid[(low + 1) % cells] * part[:, None]
    value_TT: NDArray[np.float64] = rows[:, low] * (1 - part) + rows[:, (low + 1) % cells] * part
    return value_TT


def _colours(theme: VisualTheme, rng: np.random.Generator) -> NDArray[np.float64]:
    """YUV of each phase, (P, 3): from valley to peak and back, so that a phase shift has no seam."""
    turn = rng.normal(0, 10)
    saturation = np.clip(theme.saturation * rng.uniform(0.75, 1.15), 0, 1)
    brightness, contrast = rng.normal(0, 0.05), rng.uniform(0.75, 1.15)
    centre = sum(theme.lightness) / 2
    ends = [
        colorsys.hls_to_rgb(
            (hue + turn) / 360 % 1,
            float(np.clip(centre + (light - centre) * contrast + brightness, 0, 1)),
            saturation,
        )
        for hue, light in zip(theme.hues, theme.lightness, strict=True)
    ]
    mix_P = (1 - np.cos(np.arange(256) * (2 * np.pi / 256))) / 2
    rgb_P3 = np.outer(1 - mix_P, ends[0]) + np.outer(mix_P, ends[1])
    yuv_P3: NDArray[np.float64] = rgb_P3 @ _YUV.T + _YUV_ZERO
    return yuv_P3


def _views(motion: str, frames: int, fps: int, rng: np.random.Generator) -> Iterator[_View]:
    """The window of each frame; direction, speed and phase are the clip's own."""
    at = _View(
        angle=rng.normal(0, 0.2), zoom=rng.uniform(0.8, 1.25), x=rng.uniform(0, _TILE), y=rng.uniform(0, _TILE)
    )
    speed = rng.uniform(0.75, 1.3)
    heading, start = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1)
    for number in range(frames):
        t = number / fps * speed
        cycle = 2 * np.pi * (t + start)
        if motion == "pan":
            yield replace(at, x=at.x + 40 * t * np.cos(heading), y=at.y + 40 * t * np.sin(heading))
        elif motion == "scroll":
            yield replace(at, y=at.y + 110 * t)
        elif motion == "drift":
            yield replace(at, x=at.x + 12 * np.sin(0.5 * cycle), y=at.y + 12 * np.cos(0.35 * cycle))
        elif motion == "rotate":
            yield replace(at, angle=at.angle + 1.2 * t * np.sign(heading - np.pi))
        elif motion == "breathe":
            yield replace(at, zoom=at.zoom * (1 + 0.25 * np.sin(0.6 * cycle)))
        elif motion == "pulse":
            yield replace(at, phase=160 * (t + start))
        elif motion == "flicker":
            yield replace(at, gain=0.55 if (2.5 * t + start) % 1 < 0.4 else 1.05)
        else:
            assert motion == "shake", motion
            yield replace(at, x=at.x + rng.normal(0, 14), y=at.y + rng.normal(0, 14))


def _look(
    tile_TT: NDArray[np.uint8], rows_HW: NDArray[np.float32], columns_HW: NDArray[np.float32], view: _View
) -> NDArray[np.uint8]:
    cos, sin = np.float32(np.cos(view.angle) / view.zoom), np.float32(np.sin(view.angle) / view.zoom)
    # The offsets are raised by whole tiles so that truncation towards zero never meets a negative number.
    y, x = np.float32(view.y % _TILE + 4 * _TILE), np.float32(view.x % _TILE + 4 * _TILE)
    row_HW = (cos * rows_HW + sin * columns_HW + y).astype(np.int32) & (_TILE - 1)
    column_HW = (cos * columns_HW - sin * rows_HW + x).astype(np.int32) & (_TILE - 1)
    phase_HW = tile_TT.ravel()[row_HW * _TILE + column_HW] // 2  # half a turn: from valley to peak
    return phase_HW + np.uint8(int(view.phase) % 256)


def _planes(phase_HW: NDArray[np.uint8], colours_P3: NDArray[np.float64], gain: float) -> list[NDArray[np.uint8]]:
    """The Y, U and V planes; chroma has half the rows and columns."""
    shaded_P3 = (colours_P3 - _YUV_ZERO) * gain + _YUV_ZERO
    table_P3 = np.clip(np.rint(shaded_P3), 16, [235, 240, 240]).astype(np.uint8)
    chroma = phase_HW[::2, ::2]
    return [table_P3[:, 0][phase_HW], table_P3[:, 1][chroma], table_P3[:, 2][chroma]]


def _sticker(width: int, height: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """A plain rectangle: start row, start column, end row, end column and size, all even; and its YUV."""
    tall, wide = 2 * rng.integers(6, 14), 2 * rng.integers(8, 20)
    places = np.array([2 * rng.integers(0, (height - tall) // 2, 2), 2 * rng.integers(0, (width - wide) // 2, 2)])
    box = np.array([places[0, 0], places[1, 0], places[0, 1], places[1, 1], tall, wide])
    return box, np.append(rng.integers(40, 220), rng.integers(60, 200, 2)).astype(np.uint8)


def _stick(
    planes: list[NDArray[np.uint8]], sticker: tuple[NDArray[np.int64], NDArray[np.uint8]], progress: float
) -> None:
    """Paint the sticker where it is at this share of the clip, in place."""
    box, yuv = sticker
    top, left = 2 * ((box[:2] + progress * (box[2:4] - box[:2])) // 2).astype(int)
    tall, wide = box[4:]
    planes[0][top : top + tall, left : left + wide] = yuv[0]
    for plane, value in zip(planes[1:], yuv[1:], strict=True):
        plane[top // 2 : (top + tall) // 2, left // 2 : (left + wide) // 2] = value
