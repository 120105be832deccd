from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipewise.errors import InputFileError
from swipewise.events import delimited
from swipewise.events.files import check_readable, read_objects, read_table
from swipewise.events.tables import ROW, Table


def table(folder: Path, name: str, content: bytes | str, *wanted: str) -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, wanted or ("a", "b"))


def rows(read: Table) -> list[tuple[object, ...]]:
    return read.rows.rows()


def broken(read: Table) -> list[tuple[int, str]]:
    return [(row, reason) for row, reason, _ in read.broken.rows()]


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n3,\n", "a,b\r\n1,2\r\n3,\r\n", "\ufeffa,b\n1,2\n3,", "a;b\n1;2\n3;\n"]
)
def test_csv_in_its_many_ways_of_writing(tmp_path: Path, content: str) -> None:
    assert rows(table(tmp_path, "x.csv", content)) == [(2, "1", "2"), (3, "3", None)]


def test_only_wanted_columns_are_read_and_all_are_named(tmp_path: Path) -> None:
    read = table(tmp_path, "x.tsv", "b\tmore \t a\n1\t2\t3\n", "a", "absent")
    assert (read.columns, rows(read)) == (("b", "more", "a"), [(2, "3")])


def test_broken_csv_lines_are_set_aside_and_the_rest_is_read(tmp_path: Path) -> None:
    content = b'a,b\n1,2\n1,2,3\n\n4\n\xff\xfe,5\n"x,6\n7,8\n"two\nlines",9\n"x"y,1\n5",6\n'
    read = table(tmp_path, "x.csv", content)
    assert rows(read) == [(2, "1", "2"), (8, "7", "8"), (9, "two\nlines", "9"), (12, '5"', "6")]
    assert broken(read) == [
        (3, "3 fields where the header names 2"),
        (5, "1 fields where the header names 2"),
        (6, "not UTF-8: byte 0xff at place 1 of the line"),
        (7, "a quote opens and is not closed"),
        (11, "',' expected after '\"'"),
    ]
    assert read.broken["content"][3] == '"x,6'


def test_a_quote_never_closed_costs_one_line_however_long_the_file(tmp_path: Path) -> None:
    lines = ["a,b", '"open,0', *(f"{n},{n}" for n in range(1000))]
    read = table(tmp_path, "x.csv", "\n".join(lines))
    assert len(read.rows) == 1000
    assert broken(read) == [(2, "a quote opens and is not closed")]


fields = st.text(alphabet='ab,"\n é0', max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(fields, fields), max_size=6), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_well_formed_csv_is_read_as_it_was_written(pairs: list[tuple[str, str]], quoting: int) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows([("a", "b"), *pairs])  # type: ignore[arg-type]
    read = delimited.read_csv(Path("x.csv"), text.getvalue().encode(), None)
    assert read.broken.is_empty()
    assert read.rows.select("a", "b").rows() == [(a or None, b or None) for a, b in pairs]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="ab, 1\n", max_size=8), max_size=8))
def test_the_quick_and_the_careful_reader_agree(lines: list[str]) -> None:
    data = "\n".join(["a,b", *lines]).encode()
    if delimited._is_plain(data, 2, ","):
        quick = delimited.read_csv(Path("x.csv"), data, None).rows.rows()
        careful = [(r.line, *(f or None for f in r.fields)) for r in delimited.records(data, ",", width=2)][1:]
        assert quick == careful


def test_json_lines_give_text_and_null(tmp_path: Path) -> None:
    content = '{"a": 1, "b": "x"}\n{"b": null, "c": 5}\n{"a": 12345678901234567, "b": 0.25}\n'
    read = table(tmp_path, "x.jsonl", content)
    assert rows(read) == [(1, "1", "x"), (2, None, None), (3, "12345678901234567", "0.25")]
    assert read.columns == ("a", "b", "c")


def test_broken_json_lines_are_set_aside_and_the_rest_is_read(tmp_path: Path) -> None:
    content = b'{"a": 1}\n\n{"a": \n[1]\n{"a": "\xff"}\n{"a": NaN}\n{"a": true, "b": [1]}\n'
    read = table(tmp_path, "x.ndjson", content)
    assert rows(read) == [(1, "1", None), (7, "true", "[1]")]
    assert [row for row, _ in broken(read)] == [3, 4, 5, 6]
    assert all(reason.startswith("not a JSON object: ") for _, reason in broken(read))


def test_a_key_that_first_comes_late_is_found(tmp_path: Path) -> None:
    content = '{"a": 1}\n' * 2000 + '{"a": 2, "b": 3}\n'
    read = table(tmp_path, "x.jsonl", content)
    assert read.columns == ("a", "b")
    assert rows(read)[-1] == (2001, "2", "3")


def test_parquet_rows_are_counted_from_one_and_keep_their_types(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.5, None], "b": [[1], []], "c": ["x", "y"]}).write_parquet(tmp_path / "x.parquet")
    read = read_table(tmp_path / "x.parquet", ("a",))
    assert (read.columns, rows(read)) == (("a", "b", "c"), [(1, 1.5), (2, None)])


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("x.csv", "", "is empty"),
        ("x.jsonl", " \n \n", "is empty"),
        ("x.csv", "a,a\n1,2\n", "line 1 names a column twice: 'a'"),
        ("x.csv", '"a,b\n1,2\n', "line 1 must name the columns: a quote opens and is not closed"),
        ("x.csv", "\na,b\n", "line 1 must name the columns: it is blank"),
        ("x.csv", b"\xff\xfea\x00,\x00", "line 1 is not UTF-8 text: save it as UTF-8"),
        ("x.csv", b"\xff,b\n", "line 1 must name the columns: not UTF-8: byte 0xff"),
        ("x.parquet", "a,b\n1,2\n", "cannot be read as Parquet"),
        ("x.json", "[]", "cannot tell the format from '.json': name it .csv, .tsv, .jsonl"),
        ("x.jsonl", '[{"a": 1}, {"a": 2}]', "is one JSON array"),
    ],
)
def test_files_that_are_not_what_they_claim_are_named(
    tmp_path: Path, name: str, content: bytes | str, fault: str
) -> None:
    with pytest.raises(InputFileError, match=f"{name}: {fault}"):
        table(tmp_path, name, content)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"none.csv: no such file"):
        check_readable(tmp_path / "none.csv")
    with pytest.raises(InputFileError, match=r"is a folder: name the files in it"):
        check_readable(tmp_path)
    with pytest.raises(InputFileError, match=r"none.csv: cannot be read: No such file"):
        read_table(tmp_path / "none.csv", ("a",))


def test_objects_of_csv_are_typed_where_a_whole_column_reads_so(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("id,n,f,t,zip,mixed,e\n1,5,1.5,true,007,1,\n2,-6,nan,False,123,x,\n")
    assert [row for _, row in read_objects(path, as_text="id").rows] == [
        {"id": "1", "n": 5, "f": 1.5, "t": True, "zip": "007", "mixed": "1", "e": None},
        {"id": "2", "n": -6, "f": None, "t": False, "zip": "123", "mixed": "x", "e": None},
    ]


def test_objects_of_json_lines_and_parquet_keep_lists(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": 1, "tags": ["a"]}\nnothing\n')
    read = read_objects(tmp_path / "x.jsonl", as_text="id")
    assert read.rows == [(1, {"id": 1, "tags": ["a"]})]
    assert read.broken[ROW].to_list() == [2]
    pl.DataFrame({"id": ["x"], "tags": [["a", "b"]]}).write_parquet(tmp_path / "x.pq")
    assert read_objects(tmp_path / "x.pq", as_text="id").rows == [(1, {"id": "x", "tags": ["a", "b"]})]
