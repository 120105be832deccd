"""How the memory of a run stays flat, however many videos it takes."""

from __future__ import annotations

import ctypes
from typing import Final

# Of <malloc.h>.
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 64 << 10
_ARENAS: Final = 1


def share_freed_memory() -> None:
    """Let any thread of this process take what another has freed, from here on.

    By itself glibc keeps an arena for each of them, so what a thread once took stays with it, and a process grows with
    every new way in which the work of its threads falls together. Other C libraries are left alone.
    """
    _adjust(_ARENA_MAX, _ARENAS)


def return_freed_memory() -> None:
    """Let glibc also give back what was freed, in this process and from here on.

    By itself it takes ever larger blocks out of its arenas once larger ones were freed, so what one commit or merge of
    fragments took is never given back. Here blocks of 64 KiB and more are mapped, so that freeing one returns it.
    Mapping costs time, which a run that waits for its workers has and its workers and a server have not.
    """
    _adjust(_MMAP_THRESHOLD, _LARGE_BYTES)
    share_freed_memory()


def _adjust(parameter: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(parameter, value)
