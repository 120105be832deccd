"""Captions from a file of their own, found by path, file name or video id."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from swipewise.catalog import Rejection
from swipewise.errors import InputFileError
from swipewise.ingest.locations import without_secrets
from swipewise.ingest.manifest import location_of, stated_fields
from swipewise.ingest.rows import Row, read_rows
from swipewise.ingest.sources import Entry
from swipewise.schema import Col

_FILE_COLUMNS: Final = (Col.URI, "file", "filename", "file_name", "name", "path")


class Captions:
    """The captions of a file; ``rejections`` are its rows that cannot be used."""

    def __init__(self, path: Path, entries: Sequence[Entry]) -> None:
        """Read the file.

        Raises:
            InputFileError: It cannot be read, or has no caption or nothing that says whose.
        """
        if not path.is_file():
            raise InputFileError(f"{path} does not exist: name a CSV, JSONL or Parquet file of captions")
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links to another name
        self.rejections: list[Rejection] = []
        self._by_path: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._by_id: dict[str, str] = {}
        self._used: set[str] = set()
        rows = read_rows(self.path, one_of=[Col.CAPTION])
        if rows and not any(row.values.keys() & {*_FILE_COLUMNS, Col.VIDEO_ID} for row in rows):
            raise InputFileError(f"{path} does not say whose the captions are: add a column uri, file or video_id")
        names = Counter(entry.name for entry in entries)
        for row in rows:
            try:
                self._take(row, names)
            except ValueError as error:
                self.rejections.append(Rejection(uri=row.label, reason=f"row cannot be used: {error}"))

    def find(self, entry: Entry, video_id: str) -> str | None:
        """The caption for a file, None where there is none; an id counts before a path, a path before a name."""
        for known, key in ((self._by_id, video_id), (self._by_path, entry.uri), (self._by_name, entry.name)):
            if key in known:
                self._used.add(key)
                return known[key]
        return None

    @property
    def unused(self) -> int:
        """How many captions were not asked for by path, name or id."""
        return len((self._by_id.keys() | self._by_path.keys() | self._by_name.keys()) - self._used)

    def _take(self, row: Row, names: Counter[str]) -> None:
        if row.problem:
            raise ValueError(row.problem)
        caption = stated_fields({Col.CAPTION: row.values.get(Col.CAPTION)}).get(Col.CAPTION)
        if caption is None:
            raise ValueError("no caption")
        caption.encode()
        video_id = row.values.get(Col.VIDEO_ID)
        file = next((row.values[name] for name in _FILE_COLUMNS if row.values.get(name)), None)
        if video_id is not None:
            self._by_id[str(video_id)] = caption
        elif isinstance(file, str) and Path(file).name == file.strip():
            if names[file.strip()] > 1:
                raise ValueError(f"{names[file.strip()]} of the files are called {file!r}: give the path")
            self._by_name[file.strip()] = caption
        else:
            self._by_path[without_secrets(location_of(file, self.path.parent))] = caption
