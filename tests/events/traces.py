"""Where something that must be gone may still be: every file's bytes, every packed cell, every table."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import polars as pl
import psycopg
from psycopg import sql


def spellings(text: str) -> set[str]:
    """How a text may be written: as it is, within JSON, in an address."""
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text),
        quote(text, safe=""),
    }


def holders(root: Path, text: str) -> list[str]:
    """The files below a folder that hold a text: in their name, their bytes, or the cells of what is packed."""
    return [
        str(path.relative_to(root))
        for path in sorted(path for path in root.rglob("*") if path.is_file())
        if _holds(path, text)
    ]


def tables_of(address: str, text: str) -> list[str]:
    """The tables of a PostgreSQL schema that hold a text."""
    found = []
    with psycopg.connect(address) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchall()
        assert names
        for (name,) in names:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))
            if any(_in_cell(cell, text) for row in rows for cell in row):
                found.append(str(name))
    return sorted(found)


def _holds(path: Path, text: str) -> bool:
    content = path.read_bytes()
    if any(each in path.name for each in spellings(text)) or _in_cell(content, text):
        return True
    if path.suffix == ".parquet":
        return any(_in_cell(cell, text) for row in pl.read_parquet(path).rows() for cell in row)
    return path.suffix == ".sqlite" and any(_in_cell(cell, text) for cell in _sqlite_cells(path))


def _sqlite_cells(path: Path) -> Iterator[object]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert names
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield from row


def _in_cell(cell: object, text: str) -> bool:
    if isinstance(cell, bytes | memoryview):
        content = bytes(cell)
        return any(each.encode() in content for each in spellings(text)) or text.encode("utf-16-le") in content
    if isinstance(cell, str):
        return any(each in cell for each in spellings(text))
    if isinstance(cell, dict):
        return any(_in_cell(each, text) for pair in cell.items() for each in pair)
    if isinstance(cell, list | tuple | pl.Series):
        return any(_in_cell(each, text) for each in cell)
    return False
