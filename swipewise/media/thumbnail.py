"""A small picture that stands for a clip.

Legend of shape suffixes: F = frames, H, W = rows and columns, C = 3 (RGB).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

SIDE: Final = 320
"""Longer side of a thumbnail at most, pixels."""

# A JPEG of this quantiser looks like the picture and takes some ten kilobytes.
_QUANTISER = 4


def thumbnail(frames_FHWC: NDArray[np.uint8]) -> bytes:
    """The frame that shows most, as a JPEG: of those in the middle half the one with the most contrast."""
    count = len(frames_FHWC)
    middle = range(count // 4, count - count // 4)
    best = max(middle, key=lambda number: float(frames_FHWC[number].std()))
    return _jpeg(frames_FHWC[best])


def _jpeg(picture_HWC: NDArray[np.uint8]) -> bytes:
    height, width = picture_HWC.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = max(1, round(width * scale)), max(1, round(height * scale))
    encoder.pix_fmt, encoder.color_range, encoder.time_base = "yuvj420p", ColorRange.JPEG, Fraction(1, 25)
    encoder.options = {"qmin": str(_QUANTISER), "qmax": str(_QUANTISER), "threads": "1"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture_HWC), format="rgb24")
    small = frame.reformat(
        encoder.width,
        encoder.height,
        "yuvj420p",
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.JPEG,
        interpolation="AREA",
        threads=1,
    )
    small.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(small), *encoder.encode(None)])
