"""The pool of threads that work on requests, sized to the machine.

Each request is worked on by one thread from end to end: search, model and exported encoder start no threads of their
own (``OMP_NUM_THREADS`` is 1 in ``swipewise serve``), as those of several requests would fight for the same cores.
"""

from __future__ import annotations

from typing import Final

import anyio.to_thread

from swipewise.ingest.executor import available_cores

A_CORE: Final = 4
"""Threads a core: most requests wait for a disk or a database some of the time."""
LEAST, MOST = 8, 40


def pool_size(configured: int) -> int:
    """How many requests are worked on at a time: as configured, else by the cores that this process may use."""
    return configured or min(MOST, max(LEAST, A_CORE * available_cores()))


def size_pool(threads: int) -> None:
    """Have the running event loop work on so many requests at a time; further ones wait for a thread."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = threads
