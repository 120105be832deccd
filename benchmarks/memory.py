"""How much memory a piece of work takes that is its own, and not the pages of files that are mapped into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

_SECONDS = 0.02


@dataclass(slots=True)
class Peak:
    """gigabytes: the most at any moment so far, in GiB, looked at every 20 ms."""

    gigabytes: float = 0.0

    def look(self) -> None:
        """Take what it is now into account."""
        self.gigabytes = max(self.gigabytes, _own_memory())


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """The process's own memory, RssAnon, at its peak.

    Pages of mapped files are left out: the system takes them back where something else needs the room.
    """
    peak, over = Peak(), Event()

    def watch() -> None:
        while not over.wait(_SECONDS):
            peak.look()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        peak.look()
        yield peak
    finally:
        over.set()
        thread.join()
        peak.look()


def _own_memory() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20
