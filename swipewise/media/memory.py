"""A bound on the memory of a process that reads clips, and who is to blame when it is met."""

from __future__ import annotations

import ctypes
import resource
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from swipewise.errors import MediaError

T = TypeVar("T")

_STATUS = Path("/proc/self/statm")
_DATA_FIELD = 5


def limit_memory(megabytes: int) -> None:
    """Let this process take no more than so many MiB above what it has now, from here on.

    What is bounded is memory that it writes to: mapped libraries and models do not count. Nothing is bounded when
    ``megabytes`` is 0, and where the system does not tell what a process has.
    """
    if not megabytes or not _STATUS.exists():
        return
    _return_what_is_free()
    has = int(_STATUS.read_text().split()[_DATA_FIELD]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = has + (megabytes << 20)
    with suppress(ValueError, OSError):  # some containers forbid it
        resource.setrlimit(
            resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _return_what_is_free() -> None:
    """What the C library keeps for later would neither count as the process's nor against the limit."""
    with suppress(AttributeError, OSError):  # another than glibc
        ctypes.CDLL(None).malloc_trim(0)


class MemoryTurns:
    """Work that shares the memory of a process; what runs out of it runs again alone, to see whether it is to blame.

    Several threads may call.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._alone = False

    def run(self, work: Callable[[], T]) -> T:
        """What the work returns.

        Raises:
            MemoryError: It takes too much by itself.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._running += 1
        try:
            return work()
        except MemoryError:
            pass
        finally:
            self._leave()
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: not self._running)
            self._running += 1
        try:
            return work()
        finally:
            self._alone = False
            self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()


_turns = MemoryTurns()


def within_memory(work: Callable[[], T], megabytes: int, doing: str = "decode") -> T:
    """What the work returns, which is about one file.

    Args:
        work: May be called twice.
        megabytes: What ``limit_memory`` was told.
        doing: What the work is, for the message.

    Raises:
        MediaError: It takes more memory than there is.
    """
    try:
        return _turns.run(work)
    except MemoryError as error:
        way_out = f"media.max_memory_mb = {megabytes} allows: raise that, or" if megabytes else "there is:"
        raise MediaError(
            f"it takes more memory to {doing} than {way_out} add the clip in a smaller size"
        ) from error
