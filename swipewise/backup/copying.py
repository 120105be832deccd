"""Makes a backup of a workspace, beside whoever works in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import swipewise
from swipewise.backup.live import dump_live
from swipewise.backup.manifest import FILES_FOLDER, FORMAT, LIVE_FOLDER, MANIFEST_NAME, Manifest, measure_files
from swipewise.backup.stores import copy_file, copy_history, copy_table
from swipewise.config import Config
from swipewise.errors import ConfigError, StoreError
from swipewise.events.address import LIVE_NAME, without_password
from swipewise.events.folded import FOLDED_NAME
from swipewise.events.history import HISTORY_NAME
from swipewise.events.id_hashes import IDS_NAME
from swipewise.events.rollups import ROLLUPS_NAME
from swipewise.staging import put_in_place, refuse_what_is_there, staging
from swipewise.workspace import CONFIG_NAME, Workspace

_NEEDS: Final = "a backup needs a folder of its own"
_PRIVATE: Final = 0o700
_RUN_RECORD: Final = "run.json"  # with it a run is finished
_PASSWORD: Final = re.compile(r"""(://[^:/@\s"']*):[^/@\s"']+@""")


def make_backup(workspace: Workspace, target: Path) -> Manifest:
    """Copy a workspace into a new folder; servers, imports and trainings may go on meanwhile.

    Each store is copied as of one moment, and in an order in which no acknowledged event is missed: the live log, then
    the history, then the catalogue, then files. The folder takes its place when all of it is on disk, so that a backup
    is whole or not there, and nobody else may look into it. Unfinished trainings are left out, and so are passwords in
    the configuration and what of a job's address is secret.

    Args:
        workspace: What to copy.
        target: A folder that does not exist, or is empty.

    Returns:
        What it holds.

    Raises:
        WorkspaceError: The target holds something, or another process is making it.
        ConfigError: The configuration has a password where it cannot be taken out.
        StoreError: A store cannot be read, or the target cannot be written.
    """
    refuse_what_is_there(target, _NEEDS)
    with staging(target, "backing-up") as folder:
        try:
            folder.chmod(_PRIVATE)
            manifest = _fill(workspace, folder, target.absolute())
            manifest.write(folder)
        except OSError as error:
            raise StoreError(f"cannot back up {workspace.root} to {target}: {error}") from error
        refuse_what_is_there(target, _NEEDS)
        put_in_place(folder, target)
    return manifest


def _fill(workspace: Workspace, folder: Path, target: Path) -> Manifest:
    files = folder / FILES_FOLDER
    files.mkdir()
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    # Compaction writes to the history, then deletes from the live log: read the other way round, an event on its way
    # is in at least one of the copies, and who restores both drops what is in both.
    version, rows = dump_live(workspace.events_dir, folder / LIVE_FOLDER)
    history = copy_history(workspace.events_dir, files / workspace.events_dir.name)
    tables = sorted(workspace.root.glob("*/*.lance"))
    for table in tables:
        copy_table(table, files / table.relative_to(workspace.root))
    own = [
        workspace.events_dir / HISTORY_NAME,
        workspace.events_dir / ROLLUPS_NAME,  # counted again where they are missing, and so is the next
        workspace.events_dir / FOLDED_NAME,
        workspace.events_dir / IDS_NAME,
        workspace.fetched_dir,
        workspace.index_dir,  # built again where it is missing
        *tables,
        target,
        folder,
        *_unfinished(workspace),
    ]
    for path in _others(workspace, own):
        # What is gone by now was a draft of something, or was replaced by what the next backup will have.
        with suppress(FileNotFoundError):
            copy_file(path, files / path.relative_to(workspace.root))
    _write_config(workspace.root / CONFIG_NAME, files / CONFIG_NAME)
    return Manifest(
        format=FORMAT,
        swipewise=swipewise.__version__,
        made_at=made_at,
        live_schema=version,
        rows=rows,
        history_version=history,
        files=measure_files(folder),
    )


def _unfinished(workspace: Workspace) -> list[Path]:
    """Folders of trainings that have not ended: what they hold is of no use without the checkpoint of one moment."""
    runs = workspace.runs_dir
    return [run for run in runs.iterdir() if not (run / _RUN_RECORD).exists()] if runs.exists() else []


def _others(workspace: Workspace, own: list[Path]) -> Iterator[Path]:
    """Every file of the workspace but its configuration, locks, backups, and what is below some paths."""
    left_out = set(own)
    live = workspace.events_dir / LIVE_NAME
    for place, folders, names in os.walk(workspace.root):
        folder = Path(place)
        if MANIFEST_NAME in names:  # an earlier backup
            folders.clear()
            continue
        folders[:] = [name for name in folders if folder / name not in left_out]
        for name in names:
            path = folder / name
            hidden = folder == workspace.root and (name.startswith(".") or name == CONFIG_NAME)
            if not hidden and not str(path).startswith(str(live)):
                yield path


def _write_config(source: Path, target: Path) -> None:
    """Copy the configuration without the password and parameters that an address of a database may hold."""
    text = source.read_text(encoding="utf-8")
    address = Config.load(source).events.database
    if address:
        plain = without_password(address)
        text = re.sub(r"(?m)^(\s*database\s*=\s*).*$", lambda found: found[1] + json.dumps(plain), text)
    # Also where an address was only commented out.
    target.write_text(_PASSWORD.sub(r"\1@", text), encoding="utf-8")
    if Config.load(target).events.database != (without_password(address) if address else ""):
        raise ConfigError(
            f"{source}: cannot take the password out of events.database: write it on a line of its own, or leave it to "
            "SWIPEWISE_DATABASE_PASSWORD"
        )
