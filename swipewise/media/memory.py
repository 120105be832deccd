"""A bound on the memory that reading a clip may take."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swipewise.errors import MediaError

_STATUS = Path("/proc/self/statm")


@contextmanager
def limited_memory(megabytes: int) -> Iterator[None]:
    """Let what runs inside take no more memory than so much above what the process has.

    The address space is what is bounded, for the whole process while it lasts: what models reserved before does not
    count. Nothing is bounded when ``megabytes`` is 0, and where the system does not tell what a process has.

    Raises:
        MediaError: It would have taken more.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    if megabytes and _STATUS.exists():
        bound = _address_space() + (megabytes << 20)
        current = [limit for limit in before if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([bound, *current]), before[1]))
    try:
        yield
    except MemoryError as error:
        raise MediaError(
            f"it takes more memory to decode than media.max_memory_mb = {megabytes} allows: raise that, or add the "
            "clip in a smaller size"
            if megabytes
            else "too large for the memory of this machine"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int:
    """Bytes."""
    return int(_STATUS.read_text().split()[0]) * resource.getpagesize()
