"""A workspace: one directory with ``swipewise.toml`` and the embedded stores.

::

    swipewise.toml   configuration
    catalog/         videos, their vectors, rejected files (Lance), thumbnails/ (a JPEG a video)
    uploads/         clips that were sent to the server
    fetched/         copies of remote clips while they are being taken
    events/          live.sqlite (events, profiles, controls, answers, jobs, keys, audit, where not in PostgreSQL),
                     history/ (Delta Lake), folded/ (its interactions), rollups/ (counts of its days),
                     ids/ (hashes of its event ids), rejects/ (rows that an import left out)
    runs/            one folder a training run
    published.json   which run is served, where that is not the newest
    report/          the last evaluation and the last audit
    ablations/       what the model reached without each of its parts
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

from swipewise.config import Config, template
from swipewise.errors import StoreError, WorkspaceError

_LOOK_AGAIN_SECONDS = 0.05
CONFIG_NAME = "swipewise.toml"
VARIABLE = "SWIPEWISE_WORKSPACE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """An opened workspace: where its parts lie, and its configuration."""

    root: Path
    config: Config

    @classmethod
    def create(cls, root: Path | str) -> Self:
        """Make a workspace with a commented configuration; the folder may exist, a configuration may not.

        Raises:
            WorkspaceError: There is a workspace already, or the folder cannot be written.
        """
        root = Path(root)
        path = root / CONFIG_NAME
        try:
            root.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(template())
        except FileExistsError as error:
            raise WorkspaceError(f"{root} is a workspace already, or a file: choose another folder") from error
        except OSError as error:
            raise WorkspaceError(f"cannot make a workspace at {root}: {error.strerror}") from error
        return cls.open(root)

    @classmethod
    def open(cls, root: Path | str | None = None) -> Self:
        """Open the workspace at ``root``, else at ``$SWIPEWISE_WORKSPACE``, else here.

        Raises:
            WorkspaceError: There is no ``swipewise.toml`` at that place.
            ConfigError: It cannot be understood.
        """
        place = Path(root or os.environ.get(VARIABLE) or ".")
        if not (place / CONFIG_NAME).is_file():
            raise WorkspaceError(
                f"no {CONFIG_NAME} in {place.resolve()}: make a workspace with 'swipewise init {place}', "
                f"or name one with --workspace or {VARIABLE}"
            )
        return cls(root=place.resolve(), config=Config.load(place / CONFIG_NAME))

    @property
    def catalog_dir(self) -> Path:
        """The Lance datasets of the catalogue, and the thumbnails."""
        return self.root / "catalog"

    @property
    def uploads_dir(self) -> Path:
        """Clips that were sent to the server; the catalogue names them there."""
        return self.root / "uploads"

    @property
    def index_dir(self) -> Path:
        """The index that was built last for a run that was not published; it is built again where it is missing."""
        return self.root / "index"

    @property
    def fetched_dir(self) -> Path:
        """Copies of remote clips while they are being taken."""
        return self.root / "fetched"

    @property
    def events_dir(self) -> Path:
        """The live log, the history and the rows that imports left out."""
        return self.root / "events"

    @property
    def runs_dir(self) -> Path:
        """One folder a run."""
        return self.root / "runs"

    @property
    def report_dir(self) -> Path:
        """The last evaluation."""
        return self.root / "report"

    @contextmanager
    def lock(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the workspace's lock for one kind of writing; the system frees it when the process dies.

        Args:
            name: The kind.
            wait: Seconds to wait for whoever holds it.

        Raises:
            WorkspaceError: Another process holds it.
            StoreError: The workspace cannot be written, or its file system has no locks.
        """
        path = self.root / f".{name}.lock"
        try:
            lock = path.open("w")
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error
        with lock as file:
            try:
                _lock(file, time.monotonic() + wait)
            except BlockingIOError as error:
                raise WorkspaceError(
                    f"another process is running '{name}'{_MEANT.get(name, '')} in {self.root}: wait for it to end and "
                    "try again"
                ) from error
            except OSError as error:
                raise StoreError(f"cannot lock {path}: {error.strerror}") from error
            yield


_MEANT: Final = {
    "history": " (an import of events, a compaction or an erasure)",
    "catalog": " (videos are added, encoded or removed)",
    "viewers": " (an import of profiles or an erasure)",
    "models": " (a model is published)",
}
"""What a kind of writing is, where its name is no command."""


def _lock(file: IO[str], deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return
