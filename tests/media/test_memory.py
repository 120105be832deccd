import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from swipewise.errors import MediaError
from swipewise.media.memory import MemoryTurns, limit_memory, within_memory
from tests.media.filming import film, grey

MIB = 1 << 20


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    yield limit_memory
    resource.setrlimit(resource.RLIMIT_DATA, before)


def test_a_picture_that_takes_too_much_memory_is_rejected(tmp_path: Path) -> None:
    # In a process of its own, as a worker is: one that ran other tests may hold free memory that a picture fits into.
    path = film(tmp_path / "clip.mov", [grey(90, 7680, 4320)])  # 95 MiB a picture
    code = f"""
from pathlib import Path
from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media import decode
from swipewise.media.memory import limit_memory, within_memory

path = Path({str(path)!r})
assert decode(path, MediaConfig(frames=1)).width == 7680
limit_memory(48)
try:
    within_memory(lambda: decode(path, MediaConfig(frames=1)), 48)
except MediaError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "more memory to decode than media.max_memory_mb = 48 allows: raise that" in ran.stdout


def test_a_limit_counts_from_what_the_process_has(limit: Callable[[int], None]) -> None:
    held = np.ones(256 * MIB, np.uint8)
    limit(128)
    assert len(np.ones(64 * MIB, np.uint8)) == 64 * MIB
    with pytest.raises(MemoryError):
        np.ones(192 * MIB, np.uint8)
    assert len(held) == 256 * MIB


def test_no_limit_is_none(limit: Callable[[int], None]) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit(0)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before

    def fails() -> None:
        raise MemoryError

    with pytest.raises(
        MediaError, match="it takes more memory to decode than there is: add the clip in a smaller"
    ):
        within_memory(fails, 0)


def test_a_small_file_is_not_blamed_for_a_large_one_beside_it() -> None:
    turns = MemoryTurns()
    large_is_in, small_failed = threading.Event(), threading.Event()
    running: list[str] = []

    def large() -> str:
        running.append("large")
        large_is_in.set()
        assert small_failed.wait(10)
        running.remove("large")
        return "large"

    def small() -> str:
        if "large" in running:
            small_failed.set()
            raise MemoryError
        return "small"

    done: list[str] = []
    thread = threading.Thread(target=lambda: done.append(turns.run(large)))
    thread.start()
    assert large_is_in.wait(10)
    done.append(turns.run(small))
    thread.join(10)
    assert sorted(done) == ["large", "small"]


def test_what_fails_alone_leaves_the_turn_to_others() -> None:
    turns = MemoryTurns()

    def fails() -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        turns.run(fails)
    assert turns.run(lambda: "next") == "next"
