"""Local copies of remote files, fetched a little ahead of their turn and removed when they were taken."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from swipewise.errors import MediaError
from swipewise.ingest.locations import Roots, scheme_of
from swipewise.ingest.remote import Limits, fetch, too_slow
from swipewise.ingest.sources import Entry

_THREADS: Final = 4
_HELD: Final = 8
# A driver that hangs beyond all limits is given up; its thread is not waited for.
_GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file to read, or why there is none."""

    path: str
    reason: str | None = None


class Copies:
    """The files of a run's entries; a context manager, which leaves no copies behind.

    At most ``_HELD`` copies lie on the disk at a time. They are fetched in the order of the entries, so the one whose
    turn it is never waits for room that later ones have taken.

    Args:
        entries: All of them; those on this machine are read where they lie.
        folder: Where copies go. What a killed run has left there is removed: no two runs may share it.
        limits: On each file.
        roots: Which redirects may be followed.
    """

    def __init__(self, entries: Sequence[Entry], folder: Path, limits: Limits, roots: Roots) -> None:
        self._remote: list[Entry] = []
        self._folder = folder
        self._limits = limits
        self._roots = roots
        self._room = threading.Semaphore(_HELD)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._next = 0
        self._started: dict[int, float] = {}
        self._copies: dict[int, Copy] = {}
        self._released: set[int] = set()
        self._threads = 0
        self._initial = entries

    def __enter__(self) -> Self:
        self.add(self._initial)
        return self

    def add(self, entries: Sequence[Entry]) -> None:
        """Fetch the remote ones of further entries after those that are there."""
        remote = [entry for entry in entries if scheme_of(entry.location)]
        if not remote:
            return
        if not self._remote:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._changed:
            self._remote += remote
            idle = min(_THREADS - self._threads, len(self._remote) - self._next)
            self._threads += max(0, idle)
        for _ in range(idle):
            self._start_thread()

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        for _ in range(_THREADS):
            self._room.release()
        if self._remote:
            shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, entry: Entry) -> Copy | None:
        """The file of an entry, None while it is still being fetched."""
        if not scheme_of(entry.location):
            return Copy(path=entry.location)
        with self._changed:
            return self._copies.get(id(entry)) or self._overdue(entry)

    def wait(self, seconds: float) -> None:
        """Wait until another file was fetched, or so long."""
        with self._changed:
            self._changed.wait(seconds)

    def release(self, entry: Entry) -> None:
        """Remove the copy of an entry that is done with."""
        with self._changed:
            copy = self._copies.get(id(entry))
            if copy is None or id(entry) in self._released:
                return
            self._released.add(id(entry))
        Path(copy.path).unlink(missing_ok=True)
        self._room.release()

    def _overdue(self, entry: Entry) -> Copy | None:
        started = self._started.get(id(entry))
        if started is None or time.monotonic() < started + self._limits.seconds + _GRACE_SECONDS:
            return None
        self._start_thread()  # in the place of the one that hangs
        copy = self._copies[id(entry)] = Copy(path=self._path(entry), reason=too_slow(self._limits))
        return copy

    def _path(self, entry: Entry) -> str:
        return str(self._folder / f"{id(entry):x}")

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, name="swipewise-fetch", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._room.acquire()
            with self._changed:
                if self._closing.is_set() or self._next == len(self._remote):
                    self._threads -= 1
                    self._room.release()
                    return
                entry = self._remote[self._next]
                self._next += 1
                self._started[id(entry)] = time.monotonic()
            reason = self._fetched(entry)
            with self._changed:
                if id(entry) in self._copies:  # given up meanwhile
                    Path(self._path(entry)).unlink(missing_ok=True)
                    return
                self._copies[id(entry)] = Copy(path=self._path(entry), reason=reason)
                self._changed.notify_all()

    def _fetched(self, entry: Entry) -> str | None:
        try:
            fetch(entry.location, Path(self._path(entry)), self._limits, self._roots, give_up=self._closing)
        except MediaError as error:
            return str(error)
        except Exception as error:
            return f"cannot be fetched: {type(error).__name__}"
        return None
