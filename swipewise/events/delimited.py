"""CSV: clean files quickly; in others each broken line is set aside with its reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from swipewise.errors import InputFileError
from swipewise.events.tables import ROW, Table, as_broken

_MAX_SPAN: Final = 100
"""Lines a quoted field may go over. A stray quote then costs its own line, not the rest of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: the line it starts on, counted from 1, and its fields, or why there are none."""

    line: int
    fields: list[str]
    reason: str | None = None
    content: str = ""


def read_csv(path: Path, data: bytes, wanted: Collection[str] | None) -> Table:
    """Read the wanted columns, or all, of a CSV file's bytes as text.

    Raises:
        InputFileError: The first line does not name the columns.
    """
    names, separator = _header(path, data)
    present = [name for name in names if wanted is None or name in wanted]
    if _is_plain(data, len(names), separator):
        rows = pl.read_csv(
            data,
            separator=separator,
            quote_char=None,
            infer_schema=False,
            new_columns=names,
            row_index_name=ROW,
            row_index_offset=2,
        )
        return Table(columns=tuple(names), rows=rows.select(ROW, *present), broken=as_broken())
    body = data.partition(b"\n")[2]
    broken: list[tuple[int, str, str]] = []
    places: list[int] = []
    columns: dict[str, list[str | None]] = {name: [] for name in present}
    at = [(columns[name].append, names.index(name)) for name in present]
    for record in records(body, separator, width=len(names), first_line=2):
        if record.reason is not None:
            broken.append((record.line, record.reason, record.content))
            continue
        places.append(record.line)
        for append, place in at:
            append(record.fields[place] or None)
    rows = pl.DataFrame({ROW: places, **columns}, schema={ROW: pl.Int64, **dict.fromkeys(present, pl.String)})
    return Table(columns=tuple(names), rows=rows, broken=as_broken(broken))


def _header(path: Path, data: bytes) -> tuple[list[str], str]:
    """The column names of a CSV file and what separates them."""
    line = data.partition(b"\n")[0]
    if fault := header_fault(line):
        raise InputFileError(f"{path}: {fault}")
    separator = separator_of(line)
    header = next(records(line, separator), None)
    if header is None or header.reason is not None:
        reason = "it is blank" if header is None else header.reason
        raise InputFileError(f"{path}: line 1 must name the columns: {reason}")
    names = [name.strip() for name in header.fields]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputFileError(f"{path}: line 1 names a column twice: {', '.join(sorted(map(repr, twice)))}")
    return names, separator


def header_fault(line: bytes) -> str | None:
    """What is wrong with a first line that a spreadsheet wrote for itself; None where it did not.

    >>> header_fault(b"sep=;")
    "line 1 is 'sep=;' and does not name the columns: delete that line"
    """
    text = line.strip().strip(b'"')
    if re.fullmatch(rb"sep=.", text):
        return f"line 1 is {text.decode('utf-8', 'replace')!r} and does not name the columns: delete that line"
    return None


def separator_of(header: bytes) -> str:
    """What stands between the names of a header: the one of comma, tab, semicolon and bar that it has most of.

    >>> separator_of(b"uri;video_id;tags, if any")
    ';'
    """
    return max(",\t;|", key=lambda candidate: header.count(candidate.encode()))


def _is_plain(data: bytes, width: int, separator: str) -> bool:
    """Whether lines are rows: no quotes, as many fields everywhere as the header has, valid UTF-8."""
    if b'"' in data or b"\n\n" in data or b"\n\r\n" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    bytes_B = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    ends_L = np.flatnonzero(bytes_B == ord("\n"))
    separators_S = np.flatnonzero(bytes_B == ord(separator))
    counts_L = np.diff(np.searchsorted(separators_S, ends_L), prepend=0)
    return bool((counts_L == width - 1).all())


def records(data: bytes, separator: str, *, width: int | None = None, first_line: int = 1) -> Iterator[Record]:
    r"""Split text into records, going on after each one that is broken. Blank lines are left out.

    Args:
        data: The file's bytes, from ``first_line`` on.
        separator: One character.
        width: Fields a record must have; None allows any number.
        first_line: The number of the first line.

    >>> [(r.line, r.fields or r.reason) for r in records(b'a,b\n1,2,3\n"x,y",2\n', ",", width=2)]
    [(1, ['a', 'b']), (2, '3 fields where the header names 2'), (3, ['x,y', '2'])]
    """
    lines = data.split(b"\n")
    place = 0
    while place < len(lines):
        number = first_line + place
        raw = lines[place].removesuffix(b"\r")
        used = 1
        if raw.strip():
            fields, reason, used = _parse(raw, lines, place, separator)
            if reason is None and width is not None and len(fields) != width:
                reason = f"{len(fields)} fields where the header names {width}"
            content = "" if reason is None else raw.decode("utf-8", "replace")
            yield Record(line=number, fields=[] if reason else fields, reason=reason, content=content)
            # A quote that swallows lines to make a record of the wrong width is broken by itself alone.
            used = 1 if reason else used
        place += used


def _parse(raw: bytes, lines: list[bytes], place: int, separator: str) -> tuple[list[str], str | None, int]:
    """The fields of the record that starts on a line, or the reason against it; and the lines it takes."""
    fields, reason = _parse_one(raw, separator)
    if reason is None or not _opens_quote(reason):
        return fields, reason, 1
    for end in range(place + 1, min(place + _MAX_SPAN, len(lines))):
        if b'"' not in lines[end]:
            continue
        joined = b"\n".join(lines[place : end + 1]).removesuffix(b"\r")
        fields, further = _parse_one(joined, separator)
        if further is None:
            return fields, None, end + 1 - place
        if not _opens_quote(further):
            break
    return [], "a quote opens and is not closed", 1


def _parse_one(raw: bytes, separator: str) -> tuple[list[str], str | None]:
    try:
        rows = list(csv.reader([raw.decode("utf-8")], delimiter=separator, strict=True))
    except UnicodeDecodeError as error:
        return [], f"not UTF-8: byte {error.object[error.start]:#04x} at place {error.start + 1} of the line"
    except csv.Error as error:
        return [], str(error)
    return rows[0], None


def _opens_quote(reason: str) -> bool:
    return reason == "unexpected end of data"
