"""Tables of public data sets: found in a folder, read in parts, their ids as text and their numbers as numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from swipewise.errors import InputFileError
from swipewise.events.files import read_table
from swipewise.events.tables import ROW

ROWS_AT_ONCE: Final = 1_000_000
_SUFFIXES: Final = (".csv", ".tsv", ".inter", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson")
_BLOCK_BYTES: Final = 32 << 20
_SAMPLE_BYTES: Final = 1 << 20
_MISSING: Final = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A")


class Kind(Enum):
    """What a column is read as; LISTS are lists of ids, which only Parquet and JSON Lines have."""

    ID = "id"
    TEXT = "text"
    NUMBER = "number"
    LISTS = "lists"


class Folder:
    """The files of a data set: those in its folder and up to two folders further down, looked up once.

    Raises:
        InputFileError: There is no such folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            what = "is a file: name the folder that holds the data set" if path.exists() else "no such folder"
            raise InputFileError(f"{path}: {what}")
        self.path = path
        found = (file for depth in ("*", "*/*", "*/*/*") for file in sorted(path.glob(depth)))
        self._files = [(file.name.lower(), file) for file in found if file.is_file()]

    def matching(self, pattern: str) -> list[Path]:
        """The files whose lower-case name matches a pattern, those of folders further up first."""
        return [file for name, file in self._files if fnmatchcase(name, pattern)]

    def find(self, *patterns: str) -> list[Path]:
        """The files that match the first of the patterns that any file matches."""
        return next((found for pattern in patterns if (found := self.matching(pattern))), [])

    def need(self, what: str, *patterns: str) -> list[Path]:
        """The same where there must be one.

        Raises:
            InputFileError: There is none; the message names what is looked for.
        """
        found = self.find(*patterns)
        if not found:
            seen = sorted(file.name for _, file in self._files if not file.name.startswith("."))
            there = ", ".join(seen[:12]) or "nothing"
            raise InputFileError(f"{self.path}: no {what} ({' or '.join(patterns)}); there is {there}")
        return found

    def name(self, file: Path) -> str:
        """A file's path within the folder."""
        return str(file.relative_to(self.path))


def header(path: Path) -> list[str]:
    """The names of a table's columns.

    Raises:
        InputFileError: The file cannot be read, or its ending tells no format.
    """
    _check_suffix(path)
    try:
        if _is_parquet(path):
            return list(pq.read_schema(path).names)
        if _is_json(path):
            return list(read_table(path, ()).columns)
        return _first_line(path)
    except (OSError, pa.ArrowException) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error


def require_columns(path: Path, wanted: Sequence[str]) -> None:
    """See that a table has these columns.

    Raises:
        InputFileError: One is missing; the message names what there is and what comes nearest.
    """
    names = header(path)
    for name in wanted:
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.6)
            hint = f": rename {close[0]!r} if that is it" if close else ": one has to be called so"
            raise InputFileError(f"{path}: no column {name!r}; it has {', '.join(names[:30]) or 'none'}{hint}")


def about_rows(path: Path) -> int:
    """About how many rows a table has, told from its beginning."""
    if _is_parquet(path):
        return int(pq.read_metadata(path).num_rows)
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    lines = max(sample.count(b"\n"), 1)
    return max(round(path.stat().st_size * lines / max(len(sample), 1)) - 1, 0)


def parts(path: Path, kinds: Mapping[str, Kind]) -> Iterator[pl.DataFrame]:
    """The rows of a table in parts of at most a million: ``ROW`` and those of the columns that it has.

    Args:
        path: CSV (commas, tabs, semicolons or bars), Parquet or JSON Lines.
        kinds: What each column is to be read as.

    Raises:
        InputFileError: The file cannot be read as what its ending claims; the message names the value.
    """
    kinds = {name: kind for name, kind in kinds.items() if name in header(path)}
    try:
        if _is_parquet(path):
            file = pq.ParquetFile(path)
            frames = _frames(file.iter_batches(ROWS_AT_ONCE, columns=list(kinds)))
            start = 1
        elif _is_json(path):
            frames = read_table(path, kinds).rows.drop(ROW).iter_slices(ROWS_AT_ONCE)
            start = 1
        else:
            frames = _frames(_csv_batches(path, kinds))
            start = 2
        for frame in frames:
            yield frame.select(as_kind(name, kind) for name, kind in kinds.items()).with_row_index(ROW, start)
            start += len(frame)
    except pa.ArrowInvalid as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error


def whole(path: Path, kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """All rows of a table at once, as ``parts`` gives them; a table without rows has none of the columns' types."""
    frames = list(parts(path, kinds))
    present = [name for name in header(path) if name in kinds]
    return (
        pl.concat(frames) if frames else pl.DataFrame(schema={ROW: pl.UInt32} | dict.fromkeys(present, pl.String))
    )


def typed(path: Path, ids: Sequence[str]) -> pl.DataFrame:
    """All rows and columns of a small table, numbers as numbers; these columns as ids.

    Raises:
        InputFileError: The file cannot be read as what its ending claims.
    """
    require_columns(path, ids)
    kinds = dict.fromkeys(ids, Kind.ID)
    try:
        if _is_parquet(path):
            frame = pl.read_parquet(path)
        elif _is_json(path):
            frame = pl.read_ndjson(path, infer_schema_length=None)
        else:
            frame = pl.read_csv(
                path,
                separator=_separator(path),
                infer_schema_length=None,
                null_values=list(_MISSING),
                schema_overrides=dict.fromkeys(ids, pl.String),
            )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    frame = frame.with_row_index(ROW, 2 if _is_text(path) else 1)
    return frame.with_columns(as_kind(name, kind) for name, kind in kinds.items())


def lines(path: Path, width: int, names: Sequence[str]) -> pl.DataFrame:
    """A small text table that may lack a header and whose last column may hold unquoted separators, all as text.

    Args:
        path: The file.
        width: Columns; what is beyond belongs to the last one.
        names: What to call them; a first line whose first field is not a number is taken for a header.

    Raises:
        InputFileError: A line has fewer fields, or the file is not UTF-8.
    """
    separator = _separator(path)
    rows: list[tuple[int, list[str]]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, fields in enumerate(csv.reader(file, delimiter=separator), 1):
                if not fields or (number == 1 and not fields[0].strip().isdigit()):
                    continue
                if len(fields) < width:
                    raise InputFileError(
                        f"{path}, row {number}: {len(fields)} fields, {width} are needed: {fields}"
                    )
                rows.append((number, [*fields[: width - 1], separator.join(fields[width - 1 :])]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    columns: dict[str, Any] = {ROW: [number for number, _ in rows]}
    columns |= {name: [fields[place].strip() for _, fields in rows] for place, name in enumerate(names)}
    return pl.DataFrame(columns, schema={ROW: pl.UInt32} | dict.fromkeys(names, pl.String))


def as_kind(name: str, kind: Kind) -> pl.Expr:
    """A column as what it is to be; ids that became decimals for want of some are whole again."""
    column = pl.col(name)
    if kind is Kind.NUMBER:
        return column.cast(pl.Float64)
    if kind is Kind.TEXT:
        return column.cast(pl.String)
    if kind is Kind.LISTS:
        return column.cast(pl.List(pl.String))
    text = column.cast(pl.String).str.strip_chars().str.replace(r"^(\d+)\.0+$", "${1}")
    return pl.when(~text.is_in(list(_MISSING))).then(text).alias(name)


def _csv_batches(path: Path, kinds: Mapping[str, Kind]) -> Iterator[Any]:
    names = _first_line(path)
    number = pa.float64()
    reader = pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1
        ),
        parse_options=pacsv.ParseOptions(delimiter=_separator(path), newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types={name: number if kind is Kind.NUMBER else pa.string() for name, kind in kinds.items()},
            include_columns=list(kinds),
            null_values=list(_MISSING),
            strings_can_be_null=True,
        ),
    )
    yield from reader


def _frames(batches: Iterator[Any]) -> Iterator[pl.DataFrame]:
    """Record batches as frames of about a million rows."""
    held: list[Any] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count >= ROWS_AT_ONCE:
            yield _as_frame(held)
            held, count = [], 0
    if held:
        yield _as_frame(held)


def _as_frame(batches: list[Any]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _first_line(path: Path) -> list[str]:
    """The columns that the first line names; what RecBole writes behind a colon is a type."""
    with path.open("rb") as file:
        line = file.readline().removeprefix(b"\xef\xbb\xbf")
    try:
        fields = next(csv.reader([line.decode("utf-8")], delimiter=_separator(path)), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(f"{path}: the first line does not name columns: {error}") from error
    names = [name.strip() for name in fields]
    if path.suffix.lower() == ".inter":
        names = [name.partition(":")[0] for name in names]
    if not any(names):
        raise InputFileError(f"{path}: is empty, or its first line is blank: it must name the columns")
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputFileError(f"{path}: the first line names a column twice: {', '.join(map(repr, sorted(twice)))}")
    return names


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline()
    return max(",\t;|", key=lambda candidate: line.count(candidate.encode()))


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise InputFileError(
            f"{path}: cannot tell the format from {path.suffix!r}: name it {', '.join(_SUFFIXES)}"
        )


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in (".jsonl", ".ndjson")


def _is_text(path: Path) -> bool:
    return not _is_parquet(path) and not _is_json(path)
