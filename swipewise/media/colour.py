"""Frames of whatever format as pictures for an ordinary screen: 8 bits a channel, the primaries and curve of sRGB.

Legend of shape suffixes: H, W = rows and columns, C = 3 (RGB).
"""

from __future__ import annotations

from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from numpy.typing import NDArray

# Matrices between RGB and luma and chroma that the scaler knows, by the code that a stream carries.
_MATRICES: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
# Streams that do not tell are all taken alike. Players go by the size, but then a copy at another size, which mostly
# holds the same luma and chroma, would have other colours than its original.
_UNTOLD: Final = Colorspace.ITU601

# From linear light in wide primaries to linear light in those of sRGB.
_BT2020_TO_SRGB: Final = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    np.float32,
)
_P3_TO_SRGB: Final = np.array(
    [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]], np.float32
)
_WIDE: Final = {
    int(ColorPrimaries.BT2020): _BT2020_TO_SRGB,
    int(ColorPrimaries.SMPTE431): _P3_TO_SRGB,
    int(ColorPrimaries.SMPTE432): _P3_TO_SRGB,
}
_PQ, _HLG = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)

# What is white on an ordinary screen has 203 cd/m² in high dynamic range (ITU-R BT.2408), whose screens reach 1000.
_WHITE_NITS, _HLG_PEAK_NITS = 203.0, 1000.0
# Light above this share of white is compressed, so that what is brighter than white still shows.
_KNEE = 0.6


def rgb(reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """The frame scaled and converted: (H, W, C).

    High dynamic range is mapped to what an ordinary screen can show, wide colours to their nearest; what is
    transparent lies on black.

    Raises:
        av.FFmpegError: The frame's format cannot be converted.
    """
    transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
    if transfer in (_PQ, _HLG) or primaries in _WIDE:
        signal_HWC = _scaled(reformatter, frame, width, height, "rgb48le").astype(np.float32) / np.float32(65_535)
        return _for_a_screen(signal_HWC, transfer, primaries)
    if any(component.is_alpha for component in frame.format.components):
        picture = _scaled(reformatter, frame, width, height, "rgba")
        over_black_HWC: NDArray[np.uint8] = np.rint(picture[..., :3] * (picture[..., 3:] / 255)).astype(np.uint8)
        return over_black_HWC
    picture_HWC = _scaled(reformatter, frame, width, height, "rgb24").astype(np.uint8, copy=False)
    if frame.format.name.startswith("gray") and frame.color_range == ColorRange.MPEG:
        # The scaler takes grey for full range whatever the stream says.
        return np.rint((picture_HWC.astype(np.float32) - 16).clip(0, 219) * (255 / 219)).astype(np.uint8)
    return picture_HWC


def _scaled(
    reformatter: VideoReformatter, frame: av.VideoFrame, width: int, height: int, format: str
) -> NDArray[Any]:
    # A worker a core: the scaler would start a thread a core for each frame.
    scaled = reformatter.reformat(
        frame, width, height, format, src_colorspace=_matrix(frame), interpolation="AREA", threads=1
    )
    return scaled.to_ndarray()


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The matrix of a frame of luma and chroma, None for one of RGB."""
    if frame.format.is_rgb:
        return None
    return _MATRICES.get(int(frame.colorspace), _UNTOLD)


def _for_a_screen(signal_HWC: NDArray[np.float32], transfer: int, primaries: int) -> NDArray[np.uint8]:
    bright = transfer in (_PQ, _HLG)
    light_HWC = _LINEAR.get(transfer, _srgb_linear)(signal_HWC)
    # High dynamic range that does not tell its primaries has those of BT.2020.
    told = primaries if primaries != ColorPrimaries.UNSPECIFIED else int(ColorPrimaries.BT2020)
    if told in _WIDE:
        light_HWC = light_HWC @ _WIDE[told].T
    light_HWC = light_HWC.clip(0, None)
    if bright:
        light_HWC = _compressed(light_HWC)
    light_HWC = light_HWC.clip(0, 1)
    curve_HWC = np.where(light_HWC <= 0.0031308, 12.92 * light_HWC, 1.055 * np.power(light_HWC, 1 / 2.4) - 0.055)
    picture_HWC: NDArray[np.uint8] = np.rint(255 * curve_HWC).astype(np.uint8)
    return picture_HWC


def _compressed(light_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light of any brightness below that of white, with its hue: as it is up to the knee, then ever less."""
    brightest_HW1 = light_HWC.max(axis=2, keepdims=True)
    above_HW1 = (brightest_HW1 - _KNEE).clip(0, None) / (1 - _KNEE)
    shown_HW1 = _KNEE + (1 - _KNEE) * above_HW1 / (1 + above_HW1)
    factor_HW1 = np.where(brightest_HW1 > _KNEE, shown_HW1 / brightest_HW1.clip(_KNEE, None), 1.0)
    scaled_HWC: NDArray[np.float32] = (light_HWC * factor_HW1).astype(np.float32)
    return scaled_HWC


def _srgb_linear(signal_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(signal_HWC <= 0.04045, signal_HWC / 12.92, ((signal_HWC + 0.055) / 1.055) ** 2.4)


def _pq_linear(signal_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
    """SMPTE ST 2084: light in units of white."""
    m1, m2, c1, c2, c3 = 2610 / 16_384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = np.power(signal_HWC, np.float32(1 / m2))
    nits: NDArray[np.float32] = 10_000 * np.power((root - c1).clip(0, None) / (c2 - c3 * root), 1 / m1)
    return nits / np.float32(_WHITE_NITS)


def _hlg_linear(signal_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
    """ITU-R BT.2100: light on a screen of 1000 cd/m² in units of white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal_HWC <= 0.5, signal_HWC**2 / 3, (np.exp((signal_HWC - c) / a) + b) / 12)
    luma = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    screen: NDArray[np.float32] = scene * np.power(luma, np.float32(0.2))[..., None]
    return (screen * np.float32(_HLG_PEAK_NITS / _WHITE_NITS)).astype(np.float32)


_LINEAR: Final = {_PQ: _pq_linear, _HLG: _hlg_linear}
