"""Takes viewers out of the files: the history, and the rows that imports left out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from swipewise.errors import StoreError
from swipewise.events.frames import EVENT_SCHEMA, MOMENT
from swipewise.events.history import History
from swipewise.events.rejects import REJECTS_NAME
from swipewise.events.syncing import sync_files
from swipewise.schema import Col


def among_erased(until: Mapping[str, int]) -> pl.Expr:
    """Whether an event is of one of these viewers, up to their moment in microseconds."""
    moment = pl.col(Col.VIEWER_ID).replace_strict(until, default=None, return_dtype=pl.Int64).cast(MOMENT)
    return (pl.col(Col.AT) <= moment).fill_null(value=False)


def erase_from_history(history: History, until: Mapping[str, int]) -> None:
    """Take the viewers' events up to their moment out of the history, and earlier versions of it off the disk.

    The caller holds the history's lock. Killed at any moment, doing it again does the rest.

    Raises:
        StoreError: The history cannot be written.
    """
    theirs = history.scan().filter(pl.col(Col.VIEWER_ID).is_in(list(until)), among_erased(until))
    for day in theirs.select(pl.col(Col.DAY).unique().sort()).collect().to_series():
        of_day = history.scan().filter(pl.col(Col.DAY) == day).select(*EVENT_SCHEMA)
        history.replace_day(day, of_day.filter(~among_erased(until)).collect())
    history.forget_versions()


def erase_from_rejects(events_dir: Path, viewer_ids: Collection[str]) -> None:
    """Take the rows that speak of the viewers out of the files of rejected rows; the caller holds their locks.

    Raises:
        StoreError: A file cannot be read or written.
    """
    mentions = _Mentions(viewer_ids)
    for path in _files(events_dir):
        try:
            with path.open("rb") as lines:
                found = any(mentions.found_in(line) for line in lines)
            if found:
                _rewrite(path, mentions)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _rewrite(path: Path, mentions: _Mentions) -> None:
    """Put the lines that mention nobody in place of the file."""
    draft = path.with_name(f".{path.name}.draft")
    with path.open("rb") as lines, draft.open("wb") as kept:
        kept.writelines(line for line in lines if not mentions.found_in(line))
        is_empty = kept.tell() == 0
    if is_empty:
        draft.unlink()
        path.unlink()
    else:
        sync_files([draft])
        draft.replace(path)
    sync_files([path.parent])


def rejected_rows(events_dir: Path, viewer_id: str) -> Iterator[dict[str, Any]]:
    """The rows that imports left out and that speak of a viewer, as their files hold them.

    What a killed import left of a line is a row of ``values`` alone.

    Raises:
        StoreError: A file cannot be read.
    """
    mentions = _Mentions([viewer_id])
    for path in _files(events_dir):
        try:
            with path.open("rb") as lines:
                for line in filter(mentions.found_in, lines):
                    row = _parsed(line)
                    yield row if isinstance(row, dict) else {"values": _text(line)}
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error


def _files(events_dir: Path) -> list[Path]:
    """Also those of imports that were killed."""
    directory = events_dir / REJECTS_NAME
    return sorted(Path(entry) for entry in os.scandir(directory)) if directory.is_dir() else []


class _Mentions:
    """Finds viewers in lines of rejected rows.

    A cell is a viewer's when it is the id; where a row was not told apart into cells, and in the reason, which quotes
    what it complains of, the id counts as a word of its own.
    """

    def __init__(self, viewer_ids: Collection[str]) -> None:
        self._ids = frozenset(viewer_ids)
        self._word = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(viewer_ids)))})(?!\w)")

    def found_in(self, line: bytes) -> bool:
        """Whether a line, which only a newline ends, mentions one of them."""
        row = _parsed(line)
        if not isinstance(row, dict):
            return self._word.search(_text(line)) is not None
        values = row.get("values")
        cells = values.values() if isinstance(values, dict) else ()
        loose = [str(row.get("reason", "")), "" if isinstance(values, dict) else str(values)]
        return any(_as_id(cell) in self._ids for cell in cells) or any(map(self._word.search, loose))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(_text(line))
    except ValueError:
        return None


def _as_id(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()
