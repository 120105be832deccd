import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipewise.errors import InputFileError
from swipewise.ingest.sources import read_sources


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def manifest(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_folder_gives_its_media_files_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, "b.MP4", "a/deep/c.webm", "a/notes.txt", "a/._c.webm", ".hidden/d.mp4", "videos.jsonl")
    found = read_sources([tmp_path])
    assert [Path(entry.uri).relative_to(tmp_path).as_posix() for entry in found.entries] == [
        "b.MP4",
        "a/deep/c.webm",
    ]
    assert found.rejections == []


def test_a_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    make(tmp_path, "clip.bin")
    assert [entry.uri for entry in read_sources([tmp_path / "clip.bin"]).entries] == [str(tmp_path / "clip.bin")]


def test_manifest_rows_that_cannot_be_used_are_told_by_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = manifest(
        tmp_path / "v.jsonl",
        {"uri": "a.mp4", "video_id": 7, "caption": "hi", "tags": "x y", "colour": "red"},
        {"caption": "whose?"},
        {"uri": "b.mp4", "uploaded_at": "soon"},
        {"uri": "c.mp4", "caption": "\ud800"},
    )
    found = read_sources([path])
    (entry,) = found.entries
    assert (entry.uri, entry.video_id, entry.origin) == (str(tmp_path / "a.mp4"), "7", f"{path}:1")
    assert entry.stated == {"caption": "hi", "tags": ("x", "y")}
    assert [(each.uri, each.reason) for each in found.rejections] == [
        (f"{path}:2", "row cannot be used: no uri"),
        (
            f"{path}:3",
            "row cannot be used: uploaded_at 'soon' is no ISO 8601 time, such as 2026-01-31T12:00:00Z, "
            "and no number",
        ),
        (f"{path}:4", "its name or description is not valid Unicode: rename it"),
    ]


def test_a_file_in_a_folder_and_a_manifest_is_listed_once_with_what_the_manifest_says(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    path = manifest(tmp_path / "v.jsonl", {"uri": "a.mp4", "video_id": "v1"})
    found = read_sources([tmp_path, path, tmp_path / "b.mp4"])
    assert [(entry.name, entry.video_id) for entry in found.entries] == [("b.mp4", None), ("a.mp4", "v1")]


def test_a_file_name_that_is_not_unicode_is_set_aside(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.mp4")).write_bytes(b"x")
    found = read_sources([tmp_path])
    assert found.entries == []
    assert [(each.uri, each.reason) for each in found.rejections] == [
        (f"{tmp_path}/bad\ufffd.mp4", "its name or description is not valid Unicode: rename it")
    ]


def test_what_the_sources_no_longer_hold_is_outdated(tmp_path: Path) -> None:
    make(tmp_path, "here.mp4")
    path = manifest(tmp_path / "v.jsonl", {"uri": "here.mp4"})
    rejected = [str(tmp_path / name) for name in ("here.mp4", "gone.mp4", "w.jsonl:3", "v.jsonl:9")] + [
        "/else.mp4"
    ]
    assert read_sources([tmp_path]).outdated(rejected) == [str(tmp_path / "gone.mp4")]
    assert read_sources([path]).outdated(rejected) == [str(tmp_path / "v.jsonl:9")]


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"nope\.mp4 does not exist: name a video file, a folder"):
        read_sources([tmp_path / "nope.mp4"])


def test_nothing_to_take_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "readme.txt")
    with pytest.raises(InputFileError, match=r"no videos in .*: from a folder the endings \.3g2, "):
        read_sources([tmp_path])


def test_an_empty_source_is_not_this_folder() -> None:
    with pytest.raises(InputFileError, match="a source is empty"):
        read_sources([""])


def test_a_manifest_without_rows_is_told_as_one(tmp_path: Path) -> None:
    manifest = tmp_path / "v.csv"
    manifest.write_text("uri,video_id\n")
    with pytest.raises(InputFileError, match="has no rows below its header"):
        read_sources([manifest])


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.mp4", "closed/b.mp4")
    scan = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = read_sources([tmp_path])
    assert [entry.name for entry in found.entries] == ["a.mp4"]
    assert [(each.uri, each.reason) for each in found.rejections] == [
        (str(tmp_path / "closed"), "folder cannot be read: Permission denied")
    ]
