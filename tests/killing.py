"""Processes that get to work and are killed with SIGKILL; for tests and for ``benchmarks/crash.py``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

_CLI = (sys.executable, "-c", "from swipewise.cli import main; main()")


def start(*command: object) -> subprocess.Popen[str]:
    """A process with one thread, both of whose outputs can be read when it is over."""
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def start_cli(*arguments: object) -> subprocess.Popen[str]:
    """``swipewise`` with these arguments."""
    return start(*_CLI, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process left behind; ``status`` is -9 where SIGKILL ended it."""

    status: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Whether the kill came before the process had ended by itself."""
        return self.status == -signal.SIGKILL


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end."""
    out, err = process.communicate()
    return Ended(status=process.returncode, out=out, err=err)


def kill(process: subprocess.Popen[str]) -> Ended:
    """Kill it, or find that it was over."""
    process.send_signal(signal.SIGKILL)
    return finish(process)


def await_work(process: subprocess.Popen[str], begun: Callable[[], bool]) -> None:
    """Wait for the first sign of work, or for the end of a process that gives none."""
    while not begun() and process.poll() is None:
        time.sleep(0.002)
