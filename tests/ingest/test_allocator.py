"""Memory that was freed is given back, whatever was freed before it."""

import ctypes
import json
import subprocess
import sys

import pytest

from swipewise.ingest.allocator import return_freed_memory, share_freed_memory

# Blocks of 100 KiB below one that stays, after one of 16 MiB was freed: by itself glibc then maps none of them, and
# keeps them all. Prints megabytes of data before and after.
_HELD = """
import ctypes, json, sys
from pathlib import Path
from swipewise.ingest.allocator import return_freed_memory
if sys.argv[1] == "returned":
    return_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
libc.free(libc.malloc(16 << 20))
before = megabytes()
blocks = [libc.malloc(100 << 10) for _ in range(500)]
for block in blocks:
    ctypes.memset(block, 1, 100 << 10)
stays = libc.malloc(40 << 10)
for block in blocks:
    libc.free(block)
print(json.dumps(megabytes() - before))
"""


def held(mode: str, program: str = _HELD) -> float:
    """Megabytes that a process holds of those it has freed."""
    ran = subprocess.run([sys.executable, "-c", program, mode], stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(ran.stdout))


# Six threads that go on living take and free 24 MiB in small blocks, one after another. Prints megabytes of data in
# the end beyond those before.
_ARENAS = """
import ctypes, json, sys, threading
from pathlib import Path
from swipewise.ingest.allocator import share_freed_memory
if sys.argv[1] == "returned":
    share_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
def work(done):
    blocks = [libc.malloc(2000) for _ in range(12_000)]
    for block in blocks:
        ctypes.memset(block, 1, 2000)
    stays = libc.malloc(2000)
    for block in blocks:
        libc.free(block)
    done.set()
    ended.wait()
ended, before = threading.Event(), megabytes()
for _ in range(6):
    done = threading.Event()
    threading.Thread(target=work, args=[done]).start()
    done.wait()
print(json.dumps(megabytes() - before))
ended.set()
"""


GLIBC_ALONE = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="of glibc alone")


@GLIBC_ALONE
def test_blocks_that_were_freed_are_given_back() -> None:
    assert held("kept") > 40
    assert held("returned") < 5


@GLIBC_ALONE
def test_what_one_thread_has_freed_another_takes() -> None:
    assert held("kept", _ARENAS) > 80
    assert held("returned", _ARENAS) < 50


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    share_freed_memory()
    return_freed_memory()
