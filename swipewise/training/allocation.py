"""The memory that every step takes anew: kept by the process between steps, which saves the faults of its pages."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGEST: Final = 32 << 20  # glibc takes no higher threshold
_KEPT: Final = 1 << 30


def keep_freed_memory() -> None:
    """Have glibc keep up to a gigabyte of what tensors of at most 32 MiB give back; elsewhere nothing changes.

    By default it returns such memory to the system at once, and a step then spends much of its time on getting it back
    page by page.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):  # another C library
        adjust = ctypes.CDLL(None).mallopt
        adjust(_MMAP_THRESHOLD, _LARGEST)
        adjust(_TRIM_THRESHOLD, _KEPT)
