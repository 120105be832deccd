"""A worker process as its supervisor sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from swipewise.server.orders import Orders, Said
from swipewise.server.siblings import Place

_COMMAND: Final = (sys.executable, "-P", "-m", "swipewise.server.worker")


class WorkerProcess:
    """A worker process and the channel to it.

    Args:
        process: It.
        channel: The supervisor's end.
        place: The worker's, among the others.

    Attributes:
        said: What it said last that was more than a sign of life.
        heard_at: When it gave the last sign of life, on the monotonic clock.
        leaves_by: When it has to be gone, once it retires.
    """

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket, place: Place) -> None:
        self._process = process
        self._place = place
        self._heard = b""
        self.channel = channel
        self.said = Said()
        self.started_at = self.heard_at = time.monotonic()
        self.leaves_by: float | None = None

    @property
    def number(self) -> int:
        """Which worker it is."""
        return self._place.number

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.said.ready

    @property
    def status(self) -> int | None:
        """How it ended, None while it runs; the negative number of a signal that ended it."""
        return self._process.poll()

    def hear(self) -> bool:
        """Take in what it has said; whether it may say more."""
        try:
            block = self.channel.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._heard = (self._heard + block).split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=Said)
            self.heard_at = time.monotonic()
            if said != Said():
                self.said = said
        return block != b""

    def retire(self, seconds: float) -> None:
        """Have it take no more connections, and end within so many seconds."""
        self.leaves_by = time.monotonic() + seconds
        with suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)

    def terminate(self) -> None:
        """Have it stop as by Ctrl+C."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def close(self, folder: Path) -> None:
        """Clear away what an ended process has left in the folder where workers meet."""
        self.channel.close()
        if (address := self._place.address) is not None:
            (folder / address.name).unlink(missing_ok=True)

    def _signal(self, sig: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(sig)


def start_worker(orders: Callable[[int], Orders], listener: socket.socket) -> WorkerProcess:
    """Start a worker.

    Args:
        orders: What it is told, given the number of its end of the channel.
        listener: The socket that it inherits.
    """
    ours, its = socket.socketpair()
    ours.setblocking(False)
    with its:
        told = orders(its.fileno())
        # Not forked: a fork of a process with threads may hang. A group of its own, so that Ctrl+C comes here alone.
        process = subprocess.Popen(
            [*_COMMAND, told.as_argument()],
            pass_fds=(listener.fileno(), its.fileno()),
            process_group=0,
            stdin=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )
    return WorkerProcess(process, ours, told.place)
