from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.catalog.thumbnails import Thumbnails
from swipewise.errors import StoreError


@pytest.mark.parametrize(
    "video_id", ["a", "a/b", "../../etc/passwd", "..", "/", "größe 🔥", "x" * 256, "a.jpg", "\0"]
)
def test_any_id_has_its_own_picture_inside_the_folder(tmp_path: Path, video_id: str) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    assert thumbnails.read(video_id) is None
    thumbnails.write(video_id, b"one")
    thumbnails.write("another", b"two")
    assert (thumbnails.read(video_id), thumbnails.read("another")) == (b"one", b"two")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(path.resolve().is_relative_to(tmp_path / "thumbnails") for path in files)
    assert all(path.suffix == ".jpg" for path in files)


def test_a_new_picture_replaces_the_old_and_none_takes_it_away(tmp_path: Path) -> None:
    thumbnails = Catalog(tmp_path).thumbnails
    thumbnails.write("a", b"old")
    thumbnails.write("a", b"new")
    assert thumbnails.read("a") == b"new"
    thumbnails.write("a", None)
    thumbnails.write("a", None)
    assert thumbnails.read("a") is None


def test_a_folder_that_cannot_be_used_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file")
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    with pytest.raises(StoreError, match=r"cannot write .*thumbnails"):
        thumbnails.write("a", b"x")
    with pytest.raises(StoreError, match=r"cannot read .*thumbnails"):
        thumbnails.read("a")
