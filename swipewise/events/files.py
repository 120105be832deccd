"""Reads the files that users hand over: CSV, JSON Lines and Parquet, in whatever state they are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import polars as pl

from swipewise.errors import InputFileError
from swipewise.events.delimited import read_csv
from swipewise.events.jsonlines import decode_lines, read_jsonl
from swipewise.events.tables import POLARS_ERRORS, ROW, Objects, Table, as_broken

_PACKED: Final = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tar")
_SHEETS: Final = (".xlsx", ".xls", ".ods")
_KINDS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def check_readable(path: Path) -> None:
    """See that there is a file whose ending is known.

    Raises:
        InputFileError: There is none, or its ending tells no format.
    """
    if path.is_dir():
        raise InputFileError(f"{path}: is a folder: name the files in it")
    if not path.is_file():
        what = "is a device or a pipe: write it to a file first" if path.exists() else "no such file"
        # A path has lost one of the slashes of an address.
        if path.parts[0].endswith(":"):
            what = "is an address: fetch the file and name its path"
        raise InputFileError(f"{path}: {what}")
    _kind(path)


def read_table(path: Path, wanted: Collection[str]) -> Table:
    """Read those of the ``wanted`` columns that the file has.

    Raises:
        InputFileError: The file is not of the format that its ending claims, is empty, or has no usable header.
    """
    kind = _kind(path)
    if kind == "parquet":
        return _read_parquet(path, wanted)
    data = _content(path)
    return read_csv(path, data, wanted) if kind == "csv" else read_jsonl(data, wanted)


def read_objects(path: Path, *, as_text: str) -> Objects:
    """Read all columns of a file, row by row: for files whose columns are not known beforehand.

    The columns of a CSV file become numbers or booleans where all of their values read so, but not ``as_text``.

    Raises:
        InputFileError: As ``read_table``.
    """
    kind = _kind(path)
    if kind == "jsonl":
        return decode_lines(_content(path))
    if kind == "parquet":
        table = _read_parquet(path, None)
        rows = table.rows
    else:
        table = read_csv(path, _content(path), None)
        rows = table.rows.with_columns(_typed(table.rows[name]) for name in table.columns if name != as_text)
    return Objects(rows=[(row.pop(ROW), row) for row in rows.iter_rows(named=True)], broken=table.broken)


def _kind(path: Path) -> str:
    if path.suffix.lower() not in _KINDS:
        raise InputFileError(f"{path}: cannot tell the format from {path.suffix!r}: {_way_out(path)}")
    return _KINDS[path.suffix.lower()]


def _way_out(path: Path) -> str:
    if path.suffix.lower() in _PACKED:
        return "unpack it first"
    if path.suffix.lower() in _SHEETS:
        return "save the sheet as CSV"
    return f"name it {', '.join(_KINDS)}"


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.strip():
        raise InputFileError(f"{path}: is empty: its first line has to name the columns")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data.partition(b"\n")[0]:
        raise InputFileError(f"{path}: line 1 is not UTF-8 text: save it as UTF-8")
    if _kind(path) == "jsonl" and data.lstrip().startswith(b"["):
        raise InputFileError(f"{path}: is one JSON array: write an object a line, without brackets and commas")
    return data


def _read_parquet(path: Path, wanted: Collection[str] | None) -> Table:
    try:
        columns = tuple(pl.read_parquet_schema(path))
        present = [name for name in columns if wanted is None or name in wanted]
        rows = pl.scan_parquet(path, row_index_name=ROW, row_index_offset=1, glob=False).select(ROW, *present)
        return Table(columns=columns, rows=rows.collect(), broken=as_broken())
    except POLARS_ERRORS as error:
        raise InputFileError(f"{path}: cannot be read as Parquet: {error}") from error


def _typed(column: pl.Series) -> pl.Series:
    """Text as numbers or booleans where all of it reads so; numbers with leading zeros are names."""
    if column.dtype != pl.String:
        return column
    text = column.str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(["", "nan", "null", "none"]), None)
    values = text.drop_nulls()
    if values.is_empty():
        return text
    if values.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    if values.str.contains(r"^[+-]?(0|[1-9]\d{0,17})$").all():
        return text.cast(pl.Int64)
    if values.str.contains(r"^[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?$").all():
        floats = text.cast(pl.Float64, strict=False)
        return floats if floats.null_count() == text.null_count() and floats.is_finite().all() else text
    return text
