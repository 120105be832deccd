import io

import av
import numpy as np
import pytest

from swipewise.media.thumbnail import SIDE, thumbnail

RUST = (200, 60, 40)


def opened(jpeg: bytes) -> np.ndarray:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(1, 1, (1, 1)), (3, 5, (3, 5)), (640, 360, (SIDE, 180)), (1, 999, (1, SIDE))]
)
def test_a_thumbnail_has_the_colour_of_the_picture_at_a_bounded_size(
    height: int, width: int, shown: tuple[int, int]
) -> None:
    jpeg = thumbnail(np.full((3, height, width, 3), RUST, np.uint8))
    picture = opened(jpeg)
    assert picture.shape == (*shown, 3)
    assert np.abs(picture.astype(int) - RUST).max() <= 3
    assert jpeg.startswith(b"\xff\xd8")


def test_the_frame_that_shows_most_stands_for_the_clip() -> None:
    frames_FHWC = np.zeros((8, 64, 64, 3), np.uint8)
    frames_FHWC[0, :, ::2] = 255  # a title with more contrast than all, at the edge
    frames_FHWC[4, :, 32:] = 200  # dark and light halves
    frames_FHWC[5, :, 32:] = 100
    picture = opened(thumbnail(frames_FHWC))
    assert picture[32, 8].max() < 10
    assert picture[32, 56].min() == pytest.approx(200, abs=5)


def test_the_same_frames_give_the_same_bytes() -> None:
    frames_FHWC = np.random.default_rng(0).integers(0, 255, (4, 40, 30, 3), dtype=np.uint8)
    assert thumbnail(frames_FHWC) == thumbnail(frames_FHWC)
    assert len(thumbnail(frames_FHWC[:1])) > 100
