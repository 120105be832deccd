"""Which event ids files of the history hold, told from their hashes, so that nobody has to read all ids again.

::

    ids/5f0c…/day=2026-03-02+part-0….npy    the hashes of the ids of one file, uint64, in order

A file of the history never changes, and neither do its hashes. Whoever writes to the history makes them; where they are
missing, who reads does. Folders are named after how polars hashes, of which another version, or another processor, may
have its own way.

Legend of shape suffixes: H = hashes of a file, N = ids asked for.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.events.syncing import sync_files
from swipewise.schema import Col

IDS_NAME: Final = "ids"

_FORMAT: Final = "1"  # another one makes all of them anew
_FEW: Final = 64
"""Ids of which there are so many times fewer than hashes are looked up one by one."""

Hashes = NDArray[np.uint64]


class IdHashes:
    """The hashes beside the history in a folder; they can be removed at any time."""

    def __init__(self, history_dir: Path) -> None:
        self._history_dir = history_dir
        self._folder = history_dir.with_name(IDS_NAME) / _way_of_hashing()
        self._open: dict[str, Hashes] = {}

    def among(self, event_ids: pl.Series, files: Collection[str]) -> pl.Series:
        """Those of some ids that files of the history hold, each once.

        Args:
            event_ids: In any order.
            files: Relative to the history's folder.

        Raises:
            FileNotFoundError: A file is there no more.
        """
        if event_ids.is_empty() or not files:
            return event_ids.clear()
        asked_N = np.sort(event_ids.unique().hash().to_numpy())
        met = [file for file in files if _in_both(self._of(file), asked_N)]
        if not met:
            return event_ids.clear()
        # Hashes can coincide: the ids themselves decide.
        rows = pl.scan_parquet([self._history_dir / file for file in met], hive_partitioning=False)
        wanted = event_ids.unique().alias(Col.EVENT_ID).to_frame().lazy()
        found = rows.select(Col.EVENT_ID).join(wanted, on=Col.EVENT_ID, how="semi").unique()
        return found.collect(engine="streaming").to_series()

    def keep(self, files: Collection[str]) -> None:
        """Make those of these files that are missing, and remove those of others. The caller holds the history's lock.

        What cannot be written now is made by who reads.
        """
        for file in files:
            self._of(file)
        named = {self._place(file) for file in files}
        for folder in self._folder.parent.glob("*"):
            if folder != self._folder:
                shutil.rmtree(folder, ignore_errors=True)
        for path in self._folder.glob("*"):
            if path not in named:
                with suppress(OSError):
                    path.unlink()

    def _of(self, file: str) -> Hashes:
        if file not in self._open:
            self._open[file] = self._kept(file)
        return self._open[file]

    def _kept(self, file: str) -> Hashes:
        """The hashes of a file as they lie on disk, made where they are not there yet."""
        place = self._place(file)
        with suppress(OSError, ValueError, EOFError):
            return _opened(place)
        hashes_H = self._hashed(file)
        with suppress(OSError):
            _written(hashes_H, place)
            return _opened(place)
        return hashes_H

    def _hashed(self, file: str) -> Hashes:
        ids = pl.read_parquet(self._history_dir / file, columns=[Col.EVENT_ID], hive_partitioning=False)
        return np.sort(ids[Col.EVENT_ID].hash().to_numpy())

    def _place(self, file: str) -> Path:
        return self._folder / f"{file.replace('/', '+')}.npy"


@cache
def _way_of_hashing() -> str:
    """A name for how ids are hashed here, made of what becomes of some of any length."""
    probes = pl.Series(["é" * (length % 2) + "x" * length for length in (*range(40), 100, 1000)])
    return hashlib.blake2b(f"{_FORMAT} {probes.hash().to_list()}".encode(), digest_size=8).hexdigest()


def _opened(place: Path) -> Hashes:
    """Without reading all of it: pages of the file are, when they are looked at."""
    found: Hashes = np.load(place, mmap_mode="r", allow_pickle=False)
    return found


def _written(hashes_H: Hashes, place: Path) -> None:
    """Whole or not at all, also where the machine stops: what is missing in it would be taken for new."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{uuid4().hex}.npy")
    try:
        np.save(draft, hashes_H, allow_pickle=False)
        sync_files([draft])
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _in_both(sorted_H: Hashes, sorted_N: Hashes) -> bool:
    """Whether something may be in both; both in order."""
    if not len(sorted_H):
        return False
    if len(sorted_N) * _FEW < len(sorted_H):
        place_N = np.minimum(np.searchsorted(sorted_H, sorted_N), len(sorted_H) - 1)
        return bool((sorted_H[place_N] == sorted_N).any())
    together = np.concatenate([sorted_H, sorted_N])
    # What is in order already is merged by this in a fraction of the time of a search for each.
    together.sort(kind="stable")
    return bool((together[1:] == together[:-1]).any())
