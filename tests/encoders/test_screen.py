"""Words on the screen, read by the real models that the package brings."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.encoders import build_recognizers, identity, needs_of
from swipewise.errors import MissingExtraError
from swipewise.schema import Clip, Words

pytest.importorskip("rapidocr", reason="the [screen] extra is not installed")
pytest.importorskip("onnxruntime", reason="the [screen] extra is not installed")

from PIL import Image, ImageDraw, ImageFont

from swipewise.encoders.screen import ScreenText


def frame(*lines: tuple[str, int]) -> NDArray[np.uint8]:
    """Lines of text at heights, on blocks of grey."""
    rng = np.random.default_rng(0)
    ground = rng.integers(70, 120, (8, 12, 1), np.uint8).repeat(40, 0).repeat(40, 1).repeat(3, 2)
    picture = Image.fromarray(ground)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=32)
    for text, top in lines:
        draw.text((20, top), text, fill="white", font=font)
    return np.asarray(picture)


def lines(found: str | None) -> list[str]:
    """Without blanks, of which the recognition now and then drops one."""
    return (found or "").replace(" ", "").split("\n")


@pytest.fixture(scope="module")
def reader() -> ScreenText:
    return ScreenText()


def test_lines_come_by_frame_then_from_top_to_bottom_each_once(reader: ScreenText) -> None:
    first = frame(("Fry the onions", 220), ("Best ramen in town", 60))
    second = frame(("Best ramen in town", 60), ("Add two eggs", 140))
    clip = Clip(frames_FHWC=np.stack([first, first, second]))
    found, *nothing = reader.recognize([clip, Clip(), Clip(frames_FHWC=frame()[None])])
    assert lines(found) == ["Bestramenintown", "Frytheonions", "Addtwoeggs"]
    assert nothing == [None, None]


def test_the_larger_frames_are_read_where_there_are_some(reader: ScreenText) -> None:
    large = frame(("Best ramen in town", 60))
    small = large[::8, ::8]
    assert reader.recognize([Clip(frames_FHWC=small[None])]) == [None]
    (found,) = reader.recognize([Clip(frames_FHWC=small[None], fine_frames_FHWC=large[None])])
    assert lines(found) == ["Bestramenintown"]
    assert needs_of([reader]).frame_side >= 720


def test_what_is_hardly_to_be_read_is_left_out(reader: ScreenText, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Clip(frames_FHWC=frame(("Best ramen", 60))[None])
    assert lines(reader.recognize([shown])[0]) == ["Bestramen"]
    monkeypatch.setattr("swipewise.encoders.screen._CONFIDENT", 1.01)
    assert ScreenText().recognize([shown]) == [None]


def test_a_still_picture_is_read_once(reader: ScreenText, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    engine = reader._engine
    monkeypatch.setitem(
        reader.__dict__, "_engine", lambda picture: (seen.append(picture.shape), engine(picture))[1]
    )
    still, changed = frame(("Fry the onions", 60)), frame(("Fry the garlic", 60))
    clip = Clip(frames_FHWC=np.stack([still, np.clip(still, 0, 254), changed, changed]))
    assert lines(reader.recognize([clip])[0]) == ["Frytheonions", "Frythegarlic"]
    assert len(seen) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (33, 17)])
def test_odd_frames_are_read_too(reader: ScreenText, shape: tuple[int, int]) -> None:
    assert reader.recognize([Clip(frames_FHWC=np.zeros((2, *shape, 3), np.uint8))]) == [None]


def test_the_identity_names_the_package_whose_models_read() -> None:
    built = build_recognizers(EncodersConfig(screen="rapidocr"))
    assert identity(built[Words.SCREEN]).startswith("rapidocr@")
    assert "." not in identity(built[Words.SCREEN])


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise __import__("importlib.metadata").metadata.PackageNotFoundError(name)

    monkeypatch.setattr("swipewise.encoders.screen.version", missing)
    with pytest.raises(MissingExtraError, match=r"the recogniser rapidocr .* pip install 'swipewise\[screen\]'"):
        ScreenText()
