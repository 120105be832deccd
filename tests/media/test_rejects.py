from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media import decode, probe
from tests.media.filming import film, grey

CONFIG = MediaConfig(frames=2)


def noise(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (16, 32, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"Dear diary, today I made a video.\n" * 20, "not a video or audio file that can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a video or audio file that can be read"),
        (bytes(10_000), "not a video or audio file that can be read"),
    ],
    ids=["empty", "text", "picture", "zeros"],
)
def test_what_is_no_clip_is_rejected_with_its_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for look in (probe, lambda path: decode(path, CONFIG)):
        with pytest.raises(MediaError, match=reason):
            look(path)


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read: No such file"):
        decode(tmp_path / "gone.mp4", CONFIG)
    with pytest.raises(MediaError, match="not a regular file"):
        decode(tmp_path, CONFIG)


def test_an_mp4_without_its_index_is_rejected(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", noise(40)).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="not a video or audio file that can be read"):
        decode(path, CONFIG)


def test_an_mp4_cut_before_its_first_picture_is_rejected(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", noise(4), options={"movflags": "faststart"}).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: whole.index(b"mdat") + 4])
    with pytest.raises(MediaError, match="its streams are empty: the file is cut short"):
        decode(path, CONFIG)


def test_a_codec_nobody_knows_is_rejected(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mov", noise(4)).read_bytes()
    path = tmp_path / "odd.mov"
    path.write_bytes(whole.replace(b"png ", b"zzzz"))
    with pytest.raises(
        MediaError, match=r"no picture and no sound that can be decoded in it \(its streams: video\)"
    ):
        decode(path, CONFIG)


def test_a_playlist_cannot_reach_for_other_files(tmp_path: Path) -> None:
    secret = film(tmp_path / "secret.mov", [grey(5)])
    for content in (
        f"ffconcat version 1.0\nfile {secret.name}\n",
        f"#EXTM3U\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
    ):
        path = tmp_path / "clip.mp4"
        path.write_text(content)
        with pytest.raises(MediaError, match="not a video or audio file that can be read"):
            decode(path, CONFIG)


def test_pictures_larger_than_allowed_are_rejected(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(5, 320, 200)])
    assert decode(path, MediaConfig(frames=1, max_pixels=64_000)).width == 320
    with pytest.raises(
        MediaError, match=r"have 320x200 pixels, more than media\.max_pixels = 60,000: raise that, or"
    ):
        decode(path, MediaConfig(frames=1, max_pixels=60_000))


def test_pictures_that_grow_amid_a_clip_are_rejected_too(tmp_path: Path) -> None:
    x264 = {"codec": "libx264", "pix_fmt": "yuv420p"}
    small = film(tmp_path / "small.ts", [grey(5, 32, 16)] * 20, **x264)
    large = film(tmp_path / "large.ts", [grey(5, 320, 208)] * 20, times=[2 + n / 10 for n in range(20)], **x264)
    path = tmp_path / "clip.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    assert decode(path, MediaConfig(frames=4, max_pixels=70_000)).width == 32
    with pytest.raises(MediaError, match="have 320x208 pixels, more than"):
        decode(path, MediaConfig(frames=4, max_pixels=60_000))
