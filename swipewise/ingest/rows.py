"""Rows of the tables that users hand in: CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from swipewise.errors import InputFileError
from swipewise.events.delimited import header_fault, separator_of

# The reader's own limit would cut a row in two; what is too long for a field is told by the field.
_LONGEST_CELL: Final = 1 << 22
TABLE_SUFFIXES: Final = (".csv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: where it stands ("videos.csv:12"), and its values or why it has none.

    An empty cell of a CSV file is None, as it says nothing; other formats can tell None from an empty string.
    """

    label: str
    values: Mapping[str, Any]
    problem: str | None = None


def read_rows(path: Path, *, one_of: Collection[str]) -> list[Row]:
    """All rows of a table, also those that cannot be read.

    Args:
        path: The table; its ending says what it is.
        one_of: Columns of which there must be at least one.

    Raises:
        InputFileError: The file cannot be read, is none of the formats, or has none of the columns.
    """
    readers = {".csv": _csv, ".parquet": _parquet}
    try:
        rows = list(readers.get(path.suffix.lower(), _json_lines)(path))
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    except OSError as error:
        raise InputFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise InputFileError(f"{path} is not a Parquet file: {error}") from error
    columns = dict.fromkeys(name for row in rows for name in row.values)
    if columns and not columns.keys() & set(one_of):
        raise InputFileError(f"{path} has no column {' or '.join(map(repr, one_of))}: it has {', '.join(columns)}")
    return rows


def _csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline().encode()
        if fault := header_fault(first):
            raise InputFileError(f"{path}: {fault}")
        separator = separator_of(first)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator)
        header = [name.strip() for name in next(reader, [])]
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(label=f"{path}:{reader.line_num}", values={}, problem=str(error))
                continue
            label = f"{path}:{reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                problem = f"{len(cells)} cells under {len(header)} column names"
                yield Row(label=label, values={}, problem=problem)
            else:
                yield Row(label=label, values={k: v or None for k, v in zip(header, cells, strict=True)})


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            label = f"{path}:{number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(label=label, values={}, problem=f"not JSON: {error}")
                continue
            if isinstance(values, dict):
                yield Row(label=label, values=values)
            else:
                yield Row(label=label, values={}, problem=f"not a JSON object but {line.strip()[:40]!r}")


def _parquet(path: Path) -> Iterator[Row]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for values in batch.to_pylist():
                number += 1
                yield Row(label=f"{path}:{number}", values=values)
