"""A patch of one colour comes out as that colour, whatever format, matrix, range or curve it was stored in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.media import decode
from tests.media.filming import film

RUST = (200, 60, 40)
# Share of red and of blue in luma, and the code in the stream.
MATRICES = {"BT.601": (0.299, 0.114, 6), "BT.709": (0.2126, 0.0722, 1), "BT.2020": (0.2627, 0.0593, 9)}
UNTOLD = 2
LIMITED, FULL = 1, 2
PQ, HLG = 16, 18
LOSSLESS = {
    "libx264": ("mp4", {"qp": "0"}),
    "libx265": ("mkv", {"x265-params": "lossless=1:log-level=none"}),
    "ffv1": ("mkv", {}),
    "libvpx-vp9": ("webm", {"lossless": "1"}),
}


def stored(colour: Any, matrix: str, *, full: bool, bits: int) -> list[int]:
    """Luma and chroma of a colour in 0 to 1, after ITU-R BT.2100 (which says it for all matrices)."""
    k_red, k_blue, _ = MATRICES[matrix]
    red, green, blue = colour
    luma = k_red * red + (1 - k_red - k_blue) * green + k_blue * blue
    chroma = (blue - luma) / (2 * (1 - k_blue)), (red - luma) / (2 * (1 - k_red))
    if full:
        most = 2**bits - 1
        return [round(most * luma), *(round(most * each) + 2 ** (bits - 1) for each in chroma)]
    step = 2 ** (bits - 8)
    return [round(step * (16 + 219 * luma)), *(round(step * (128 + 224 * each)) for each in chroma)]


def patch(path: Path, codec: str, pix_fmt: str, values: list[int], size: tuple[int, int], **told: int) -> Path:
    """A clip of which every plane holds one value; ``told`` are its marks (``colorspace``, ``color_range`` ...)."""
    frame = av.VideoFrame(*size, pix_fmt)
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(np.full(plane.buffer_size // kind().itemsize, value, kind).tobytes())
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10, options=LOSSLESS[codec][1])
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for name, value in told.items():
            setattr(stream.codec_context, name, value)
            setattr(frame, name, value)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux([*stream.encode(frame), *stream.encode()])
    return path


def seen(path: Path) -> list[int]:
    frames_FHWC = decode(path, MediaConfig(frames=1)).frames_FHWC
    assert frames_FHWC is not None
    assert np.ptp(frames_FHWC.astype(int), axis=(0, 1, 2)).max() <= 4  # the scaler dithers what had more bits
    colour: list[int] = np.median(frames_FHWC, axis=(0, 1, 2)).astype(int).tolist()
    return colour


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuvj420p"),
        ("libx264", "yuv422p"),
        ("libx264", "yuv444p"),
        ("libx264", "yuv420p10le"),
        ("libx265", "yuv444p"),
        ("libx265", "yuv420p10le"),
        ("ffv1", "yuva420p"),
        ("libvpx-vp9", "yuv420p"),
    ],
)
def test_a_colour_comes_out_right(tmp_path: Path, codec: str, pix_fmt: str, matrix: str, full: bool) -> None:
    full |= pix_fmt == "yuvj420p"
    values = stored(np.array(RUST) / 255, matrix, full=full, bits=10 if "10" in pix_fmt else 8)
    if pix_fmt == "yuva420p":
        values.append(255)
    marks = {"colorspace": MATRICES[matrix][2], "color_range": FULL if full else LIMITED}
    path = patch(tmp_path / f"clip.{LOSSLESS[codec][0]}", codec, pix_fmt, values, (64, 48), **marks)
    assert seen(path) == pytest.approx(RUST, abs=3)


@pytest.mark.parametrize("size", [(64, 48), (720, 1280)])
@pytest.mark.parametrize("code", [UNTOLD, 3, 10, 14])
def test_a_clip_that_does_not_tell_its_matrix_or_tells_an_odd_one_is_taken_alike_at_any_size(
    tmp_path: Path, size: tuple[int, int], code: int
) -> None:
    values = stored(np.array(RUST) / 255, "BT.601", full=False, bits=8)
    path = patch(tmp_path / "clip.mkv", "ffv1", "yuv444p", values, size, colorspace=code, color_range=LIMITED)
    assert seen(path) == pytest.approx(RUST, abs=3)


@pytest.mark.parametrize(("color_range", "level"), [(FULL, 100), (LIMITED, 16 + round(219 * 100 / 255))])
@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "gray"), ("ffv1", "gray"), ("ffv1", "gray10le")])
def test_grey_comes_out_right(tmp_path: Path, codec: str, pix_fmt: str, color_range: int, level: int) -> None:
    value = 4 * level if pix_fmt == "gray10le" else level
    path = tmp_path / f"clip.{LOSSLESS[codec][0]}"
    assert seen(patch(path, codec, pix_fmt, [value], (64, 48), color_range=color_range)) == pytest.approx(
        (100, 100, 100), abs=2
    )


def test_rgb_comes_out_right(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [np.full((48, 64, 3), RUST, np.uint8)])
    assert seen(path) == list(RUST)


def test_what_is_transparent_lies_on_black(tmp_path: Path) -> None:
    values = stored(np.array(RUST) / 255, "BT.601", full=False, bits=8)
    path = patch(tmp_path / "clip.mkv", "ffv1", "yuva420p", [*values, 128], (64, 48), colorspace=6, color_range=1)
    assert seen(path) == pytest.approx([level / 2 for level in RUST], abs=3)


# From linear light in the primaries of sRGB to that in those of BT.2020 (ITU-R BT.2087).
WIDE = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def light(colour: tuple[int, ...]) -> np.ndarray:
    """Light in units of white, in the primaries of BT.2020, of a colour of an ordinary screen."""
    signal = np.array(colour) / 255
    return WIDE @ np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10_000) ** (2610 / 16_384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg(nits: np.ndarray) -> np.ndarray:
    """The signal for which a screen of 1000 cd/m² shows this light."""
    screen = nits / 1000
    luma = screen @ [0.2627, 0.6780, 0.0593]
    scene = screen * luma ** (-0.2 / 1.2) if luma > 0 else screen
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(12 * scene.clip(1 / 12) - 0.28466892) + 0.55991073
    )


CURVES = {"PQ": (pq, PQ), "HLG": (hlg, HLG)}


def bright(path: Path, curve: str, light_C: np.ndarray) -> Path:
    encode, code = CURVES[curve]
    values = stored(encode(203 * light_C), "BT.2020", full=False, bits=10)
    marks = {"colorspace": 9, "color_range": LIMITED, "color_trc": code, "color_primaries": 9}
    return patch(path, "libx265", "yuv420p10le", values, (64, 48), **marks)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("colour", [RUST, (30, 120, 60), (128, 128, 128), (0, 0, 0)])
def test_high_dynamic_range_shows_ordinary_colours_as_they_are(
    tmp_path: Path, curve: str, colour: tuple[int, ...]
) -> None:
    assert seen(bright(tmp_path / "clip.mkv", curve, light(colour))) == pytest.approx(colour, abs=5)


@pytest.mark.parametrize("curve", CURVES)
def test_what_is_brighter_than_white_still_shows(tmp_path: Path, curve: str) -> None:
    levels = []
    for number, times in enumerate((0.5, 1.0, 2.0, 4.5)):
        red, green, blue = seen(bright(tmp_path / f"{number}.mkv", curve, times * np.ones(3)))
        assert max(red, green, blue) - min(red, green, blue) <= 2
        levels.append(red)
    assert levels == sorted(set(levels))
    assert 220 < levels[1] < levels[3] < 255


def test_wide_primaries_without_high_dynamic_range_are_converted(tmp_path: Path) -> None:
    light_C = light(RUST)
    signal = np.where(light_C <= 0.0031308, 12.92 * light_C, 1.055 * light_C ** (1 / 2.4) - 0.055)
    values = stored(signal, "BT.2020", full=False, bits=10)
    marks = {"colorspace": 9, "color_range": LIMITED, "color_trc": 14, "color_primaries": 9}
    path = patch(tmp_path / "clip.mkv", "libx265", "yuv420p10le", values, (64, 48), **marks)
    assert seen(path) == pytest.approx(RUST, abs=4)
