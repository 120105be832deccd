"""The feeds of many viewers in parts on disk, so that an export which is killed goes on where it was.

::

    .<file>.exporting/plan.json       what the feeds are made of
                      000000.parquet  the feeds of the first viewers, and so on

Parts of another plan, or older than a day, are not gone on with. What viewers do meanwhile changes no plan: a feed is
as of when it was made, as it is in an export that nothing stops.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from swipewise import __version__
from swipewise.errors import StoreError
from swipewise.events.database import existing_database
from swipewise.events.history import History
from swipewise.events.tombstones import ERASED, UNTIL
from swipewise.feed.engine import FeedEngine
from swipewise.feed.frames import FEED_SCHEMA
from swipewise.staging import staging, write_durably

_PLAN: Final = "plan.json"
_OLDEST_SECONDS: Final = 86_400.0


def export_plan(engine: FeedEngine, viewers: Sequence[str], *, size: int | None, block: int) -> dict[str, Any]:
    """What the feeds of an export are made of, by what a reader calls it.

    Args:
        engine: What makes them.
        viewers: Whose.
        size: Videos a viewer, None for that of the configuration.
        block: Viewers a part.

    Returns:
        Values of JSON; two exports of the same plan may share parts.

    Raises:
        StoreError: A store cannot be read.
    """
    workspace = engine.workspace
    table = History(workspace.events_dir).table()
    return {
        "Swipewise": __version__,
        "the model": engine.version.run,
        "the catalogue": engine.version.catalogue,
        "the configuration": _digest(workspace.config.as_record()),
        "the history": None if table is None else table.version(),
        "what was erased": _erasures(workspace.events_dir),
        "the viewers": _digest(list(viewers)),
        "--size": size,
        "the table": [list(FEED_SCHEMA), block],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of an export.

    Attributes:
        folder: Where they lie.
        changed: What is not as it was when an earlier export of the same file was stopped, so that this one began
            anew; empty where there was none, or where it goes on.
    """

    folder: Path
    changed: tuple[str, ...] = ()

    def has(self, number: int) -> bool:
        """Whether a part is written."""
        return self._path(number).exists()

    def write(self, number: int, feeds: pl.DataFrame) -> None:
        """Write a part, which is on disk, and whole, when this returns.

        Raises:
            ArtifactError: It cannot be written.
        """
        payload = io.BytesIO()
        feeds.write_parquet(payload)
        write_durably(self._path(number), payload.getvalue())

    def read(self, count: int) -> Iterator[pl.DataFrame]:
        """The first ``count`` parts in their order.

        Raises:
            StoreError: One is damaged.
        """
        for number in range(count):
            try:
                yield pl.read_parquet(self._path(number), schema=FEED_SCHEMA)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise StoreError(f"{self._path(number)} is damaged: export again with --fresh") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.parquet"


@contextmanager
def export_parts(file: Path, plan: Mapping[str, Any], *, fresh: bool = False) -> Iterator[Parts]:
    """The parts of an export to a file, ours alone; they stay where the block ends with an error, and are removed else.

    Args:
        file: Where the export is to be in the end.
        plan: What the feeds are made of; parts of another are removed.
        fresh: Remove what is there in any case.

    Raises:
        StoreError: The folder cannot be written.
        WorkspaceError: Another process exports to the same file.
    """
    with staging(file, "exporting", keep=True) as folder:
        changed = _changed(folder / _PLAN, plan)
        if fresh or changed is None or changed:
            for path in folder.iterdir():
                path.unlink()
            write_durably(folder / _PLAN, json.dumps(plan).encode())
        yield Parts(folder=folder, changed=() if fresh else changed or ())


def _changed(path: Path, plan: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What differs from a plan that was written, None where none was."""
    try:
        told = json.loads(path.read_bytes())
        age = time.time() - max(each.stat().st_mtime for each in path.parent.iterdir())
    except (OSError, ValueError):
        return None
    if age > _OLDEST_SECONDS:
        return ("the day",)
    return tuple(name for name, value in plan.items() if told.get(name) != value)


def _erasures(events_dir: Path) -> list[int | None]:
    with existing_database(events_dir) as database:
        if database is None:
            return [0, None]
        with database.read() as connection:
            row = connection.execute(
                sa.select(sa.func.count(), sa.func.max(ERASED.c[UNTIL])).select_from(ERASED)
            ).one()
    return [int(row[0]), row[1]]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
