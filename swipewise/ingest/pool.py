"""Worker processes that can be killed: no file can hang or crash the run.

Workers are started anew, never forked: Lance's threads do not survive a fork. They are programs of their own
rather than ``multiprocessing`` children, so that a script that calls the ingestion needs no main guard.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Self

from swipewise.errors import ConfigError
from swipewise.schema import Modality, Words

Answer = dict[str, Any]

COMMAND = (sys.executable, "-P", "-m", "swipewise.ingest.worker")
"""What a worker process runs."""

# Importing a language model from a slow disk takes a while.
_START_SECONDS = 300.0
# One worker a core, so none may start threads of its own.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(slots=True, kw_only=True)
class _Worker:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    deadline: float
    ready: bool = False
    job: Any = None
    pending: bytearray = field(default_factory=bytearray)


class WorkerPool:
    """Processes that each do one task at a time; a context manager, on whose end none is left.

    Args:
        size: How many processes.
        settings: The ``media`` and ``encoders`` sections of the configuration.
        timeout_seconds: Wall time for a task, after which its worker is killed and replaced.
    """

    def __init__(self, *, size: int, settings: Mapping[str, Any], timeout_seconds: float) -> None:
        self.encoders: dict[Modality, str] = {}
        self.recognizers: dict[Words, str] = {}
        self._settings = settings
        self._timeout = timeout_seconds
        self._size = size
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        """Start the workers and wait for the first; then ``encoders`` and ``recognizers`` say what stands for what.

        Raises:
            ConfigError: The encoders cannot be had.
        """
        try:
            self._workers = [self._start() for _ in range(self._size)]
            while not self.free:
                self.wait()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._close()

    @property
    def free(self) -> int:
        """How many workers wait for a task."""
        return sum(worker.ready and worker.job is None for worker in self._workers)

    @property
    def busy(self) -> int:
        """How many tasks are being done."""
        return sum(worker.job is not None for worker in self._workers)

    def submit(self, job: Any, task: Mapping[str, Any]) -> None:
        """Hand a task to a free worker; ``wait`` gives back ``job`` with the answer."""
        worker = next(worker for worker in self._workers if worker.ready and worker.job is None)
        worker.job = job
        worker.deadline = time.monotonic() + self._timeout
        self._send(worker, task)

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        """Wait until something happens: the tasks that ended, with their answers.

        An answer holds ``reason`` where the task failed, its worker died or the time ran out. The list is empty
        when a worker has only become ready, or nothing has happened for so many seconds.

        Raises:
            ConfigError: A worker cannot start.
        """
        started = [worker for worker in self._workers if worker.job is not None or not worker.ready]
        patience = max(0.0, min(worker.deadline for worker in started) - time.monotonic())
        patience = patience if seconds is None else min(patience, seconds)
        done = []
        for key, _ in self._selector.select(patience):
            worker = key.data
            received = os.read(key.fd, 1 << 16)
            worker.pending += received
            if not received:
                done += self._replace(worker, _how_it_ended(worker.process))
            elif worker.pending.endswith(b"\n"):
                done += self._answered(worker)
        now = time.monotonic()
        for worker in [each for each in started if each in self._workers and each.deadline <= now]:
            if worker.job is not None or not worker.ready:
                reason = f"took longer than {self._timeout:g} s (media.timeout_seconds): it was given up"
                done += self._replace(worker, reason)
        return done

    def _answered(self, worker: _Worker) -> list[tuple[Any, Answer]]:
        message = json.loads(worker.pending)
        worker.pending.clear()
        if worker.ready:
            job, worker.job = worker.job, None
            return [(job, message)]
        if "failed" in message:
            raise ConfigError(f"the encoders cannot start: {message['failed']}")
        self.encoders = {Modality(name): identity for name, identity in message["ready"].items()}
        self.recognizers = {Words(name): identity for name, identity in message["recognizers"].items()}
        worker.ready = True
        return []

    def _replace(self, worker: _Worker, reason: str) -> list[tuple[Any, Answer]]:
        """Put a new worker in the place of one that is dead or out of time."""
        if not worker.ready:
            worker.errors.seek(0)
            last_words = worker.errors.read()[-2000:].decode(errors="replace").strip()
            raise ConfigError(f"a worker process could not start: {reason}\n{last_words}".strip())
        self._stop(worker)
        self._workers[self._workers.index(worker)] = self._start()
        return [] if worker.job is None else [(worker.job, {"reason": reason})]

    def _start(self) -> _Worker:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        paths = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": paths} | dict.fromkeys(_THREAD_VARIABLES, "1"),
        )
        worker = _Worker(process=process, errors=errors, deadline=time.monotonic() + _START_SECONDS)
        self._selector.register(_pipe(process.stdout), selectors.EVENT_READ, worker)
        self._send(worker, self._settings)
        return worker

    def _send(self, worker: _Worker, message: Mapping[str, Any]) -> None:
        # A broken pipe: it has died, and the end of its output will say so.
        with suppress(BrokenPipeError):
            _pipe(worker.process.stdin).write(json.dumps(message).encode() + b"\n")

    def _stop(self, worker: _Worker) -> None:
        self._selector.unregister(_pipe(worker.process.stdout))
        worker.process.kill()
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout, worker.errors):
            _pipe(pipe).close()

    def _close(self) -> None:
        for worker in self._workers:
            self._stop(worker)
        self._workers = []
        self._selector.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    if code >= 0:
        return f"its worker process ended with status {code}"
    name = signal.Signals(-code).name
    memory = ": probably out of memory" if name == "SIGKILL" else ""
    return f"its worker process was ended by {name}{memory}"
