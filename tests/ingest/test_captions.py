from pathlib import Path

import pytest

from swipewise.errors import InputFileError
from swipewise.ingest.captions import Captions
from swipewise.ingest.sources import Entry

A = Entry(uri="/clips/a.mp4")
B = Entry(uri="/clips/b.mp4")
OTHER_B = Entry(uri="/more/b.mp4")


def captions(tmp_path: Path, text: str, *entries: Entry) -> Captions:
    path = tmp_path / "captions.csv"
    path.write_text(text)
    return Captions(path, entries)


def test_captions_are_found_by_path_name_or_id(tmp_path: Path) -> None:
    found = captions(tmp_path, "uri,caption\n/clips/a.mp4,by path\nb.mp4,by name\nc.mp4,nobody's\n", A, B)
    assert found.find(A, "1") == "by path"
    assert found.find(B, "2") == "by name"
    assert found.find(Entry(uri="/clips/d.mp4"), "4") is None
    assert found.unused == 1
    assert captions(tmp_path, "video_id,caption\n2,by id\n", A).find(A, "2") == "by id"


def test_a_path_may_start_from_the_folder_of_the_captions(tmp_path: Path) -> None:
    entry = Entry(uri=str(tmp_path / "deep" / "a.mp4"))
    assert captions(tmp_path, "file,caption\ndeep/a.mp4,hello\n", entry).find(entry, "1") == "hello"


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    found = captions(tmp_path, "uri,caption\nb.mp4,whose?\na.mp4,\n,lost\n/x/a.mp4,a,b\n", B, OTHER_B)
    label = str(tmp_path / "captions.csv")
    assert [(each.uri, each.reason) for each in found.rejections] == [
        (f"{label}:2", "row cannot be used: 2 of the files are called 'b.mp4': give the path"),
        (f"{label}:3", "row cannot be used: no caption"),
        (f"{label}:4", "row cannot be used: no uri"),
        (f"{label}:5", "row cannot be used: 3 cells under 2 column names"),
    ]


def test_a_file_without_what_is_needed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="has no column 'caption': it has uri, text"):
        captions(tmp_path, "uri,text\na.mp4,hello\n")
    with pytest.raises(
        InputFileError, match="does not say whose the captions are: add a column uri, file or video_id"
    ):
        captions(tmp_path, "caption\nhello\n")
    with pytest.raises(InputFileError, match=r"nope\.csv does not exist: name a CSV, JSONL or Parquet file"):
        Captions(tmp_path / "nope.csv", [])
