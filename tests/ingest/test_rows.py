from pathlib import Path

import polars as pl
import pytest

from swipewise.errors import InputFileError
from swipewise.ingest.rows import read_rows


def test_csv_rows_carry_their_line_and_an_empty_cell_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text('\ufeffuri, caption\na.mp4,"two\nlines"\n\nb.mp4,\nc.mp4\nd.mp4,x,y\n', encoding="utf-8")
    rows = read_rows(path, one_of=["uri"])
    assert [(row.label, dict(row.values), row.problem) for row in rows] == [
        (f"{path}:3", {"uri": "a.mp4", "caption": "two\nlines"}, None),
        (f"{path}:5", {"uri": "b.mp4", "caption": None}, None),
        (f"{path}:6", {}, "1 cells under 2 column names"),
        (f"{path}:7", {}, "3 cells under 2 column names"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_columns_are_kept_apart_by_what_the_header_has_most_of(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "v.csv"
    path.write_text(separator.join(["uri", "video_id", "caption"]) + "\n" + separator.join(["a.mp4", "v1", "hi"]))
    [row] = read_rows(path, one_of=["uri"])
    assert row.values == {"uri": "a.mp4", "video_id": "v1", "caption": "hi"}


def test_a_csv_cell_beyond_all_measure_is_that_rows_problem(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text(f"uri\n{'x' * 5_000_000}\nb.mp4\n")
    assert [row.problem for row in read_rows(path, one_of=["uri"])] == [
        "field larger than field limit (4194304)",
        None,
    ]


def test_json_lines_tell_what_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"uri": "a.mp4", "caption": ""}\n\n[1]\n{"uri"\n')
    rows = read_rows(path, one_of=["uri"])
    assert rows[0].values == {"uri": "a.mp4", "caption": ""}
    assert [row.label for row in rows] == [f"{path}:1", f"{path}:3", f"{path}:4"]
    assert rows[1].problem == "not a JSON object but '[1]'"
    assert str(rows[2].problem).startswith("not JSON: Expecting")


def test_parquet_rows_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    pl.DataFrame({"uri": ["a.mp4"], "tags": [["x", "y"]], "creator": [7]}).write_parquet(path)
    assert [row.values for row in read_rows(path, one_of=["uri"])] == [
        {"uri": "a.mp4", "tags": ["x", "y"], "creator": 7}
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.csv", b"url,caption\na,b\n", r"v\.csv has no column 'uri': it has url, caption"),
        ("v.jsonl", b'{"url": 1}\n', r"v\.jsonl has no column 'uri': it has url"),
        ("v.csv", b"uri\n\xff\xfe\n", r"v\.csv is not UTF-8 text: save it as UTF-8"),
        ("v.parquet", b"uri\na\n", r"v\.parquet is not a Parquet file"),
    ],
)
def test_a_file_that_is_no_such_table_is_an_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        read_rows(tmp_path / name, one_of=["uri"])


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v.csv").mkdir()
    with pytest.raises(InputFileError, match=r"v\.csv cannot be read: Is a directory"):
        read_rows(tmp_path / "v.csv", one_of=["uri"])
