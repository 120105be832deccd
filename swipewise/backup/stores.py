"""Copies of the history and the catalogue as of one version, while others write to them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import lance

from swipewise.errors import StoreError
from swipewise.events.history import HISTORY_NAME, History

_ATTEMPTS: Final = 3
_LOG: Final = "_delta_log"
_BATCH: Final = 1024


def copy_history(events_dir: Path, target_events: Path) -> int | None:
    """Copy the history at its newest version; returns that version, None where there is no history.

    Raises:
        StoreError: It cannot be read, or was rewritten again and again meanwhile.
    """
    for _ in range(_ATTEMPTS):
        table = History(events_dir).table()
        if table is None:
            return None
        target = target_events / HISTORY_NAME
        shutil.rmtree(target, ignore_errors=True)
        source, version = History(events_dir).directory, table.version()
        names = [unquote(path) for path in table.get_add_actions(flatten=True).column("path").to_pylist()]
        logged = [f"{_LOG}/{path.name}" for path in (source / _LOG).iterdir() if _belongs(path.name, version)]
        try:
            for name in [*logged, *names]:
                copy_file(source / name, target / name)
        except FileNotFoundError:
            # Files of this version were cleared away, as an erasure does: a newer one has others.
            continue
        return version
    raise StoreError(f"{source} was rewritten while it was copied, {_ATTEMPTS} times: try again later")


def copy_table(source: Path, target: Path) -> None:
    """Copy the rows of one version of a Lance dataset, with the schema and its version.

    Raises:
        StoreError: It cannot be read or written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lance.write_dataset(lance.dataset(source).scanner(batch_size=_BATCH).to_reader(), target)
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreError(
            f"cannot copy {source}: {error}: look at its files and the free space, then try again"
        ) from error


def copy_file(source: Path, target: Path) -> None:
    """Copy one file into a folder that need not exist."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _belongs(name: str, version: int) -> bool:
    """Whether a file of Delta's log tells of versions up to this one; hints to the newest are left out."""
    number = re.match(r"(\d{20})\.", name)
    return number is not None and int(number[1]) <= version
