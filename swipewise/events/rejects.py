"""The rows that an import left out, in a file beside the stores: where each stood, why, and what it held."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import polars as pl

from swipewise.events.tables import CONTENT, REASON, ROW

REJECTS_NAME: Final = "rejects"


class Rejects:
    """Gathers rejected rows of one import into a JSON Lines file, which appears complete or not at all."""

    def __init__(self, events_dir: Path, kind: str) -> None:
        self._directory = events_dir / REJECTS_NAME
        self._kind = kind
        self._file: TextIO | None = None
        self._temporary = self._directory / f".{kind}-{os.getpid()}.tmp"
        self.count = 0

    def add_rows(self, path: Path, bad: pl.DataFrame) -> None:
        """Add rows with ROW, REASON and the columns of the file as they are in it."""
        for values in bad.iter_rows(named=True):
            self.add(path, values.pop(ROW), values.pop(REASON), values)

    def add_broken(self, path: Path, broken: pl.DataFrame) -> None:
        """Add rows that could not be told apart into columns."""
        for row, reason, content in broken.select(ROW, REASON, CONTENT).iter_rows():
            self.add(path, row, reason, content)

    def add(self, path: Path, row: int, reason: str, values: Any) -> None:
        """Add one row."""
        if self._file is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("w", encoding="utf-8")
        line = {"file": str(path), "row": row, "reason": reason, "values": values}
        self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        self.count += 1

    def finish(self) -> Path | None:
        """Put the file in its place; None where no row was rejected."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        stem = f"{self._kind}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        target = self._directory / f"{stem}.jsonl"
        number = 1
        while target.exists():
            number += 1
            target = self._directory / f"{stem}-{number}.jsonl"
        self._temporary.replace(target)
        return target
