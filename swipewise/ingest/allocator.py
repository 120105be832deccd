"""How the memory of a run stays flat, however many videos it takes."""

from __future__ import annotations

import ctypes
from typing import Final

# Of <malloc.h>.
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 64 << 10
_ARENAS: Final = 1


def return_freed_memory() -> None:
    """Let glibc give back what Lance's threads have freed, in this process and from here on.

    By itself glibc keeps an arena for each of them, and takes ever larger blocks out of these once larger ones were
    freed, so what one commit or merge of fragments took stays with the thread that happened to do it. Here blocks of
    64 KiB and more are mapped, so that freeing one gives it back, and one arena holds the rest. Mapping costs time,
    which a run that waits for its workers has and a server has not. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)
