"""Worker processes that can be killed: no file can hang or crash the run.

A worker holds several tasks at once and tells which of them it is at work on. When it dies or its time runs out, blame
is certain only if that was one; otherwise each of them is done again with nothing beside it, which makes it certain.

Workers are started anew, never forked: Lance's threads do not survive a fork. They are programs of their own
rather than ``multiprocessing`` children, so that a script that calls the ingestion needs no main guard.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Self

from swipewise.errors import ConfigError
from swipewise.ingest.executor import Answer
from swipewise.schema import Modality, Words

COMMAND = (sys.executable, "-P", "-m", "swipewise.ingest.worker")
"""What a worker process runs."""

# Importing a language model from a slow disk takes a while.
_START_SECONDS = 300.0
# One worker a core, so none may start threads of its own.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_AT_WORK = ("decode", "encode")


@dataclass(slots=True, kw_only=True, eq=False)
class _Task:
    """A task in the pool: where in its worker it is, and until when it may be there."""

    number: int
    job: Any
    content: Mapping[str, Any]
    stage: str = "queued"
    deadline: float = math.inf
    alone: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class _Worker:
    """A process; ``depth``, how many tasks it holds at once, is 0 until it is ready.

    ``suspects`` are tasks at which the process before it died: they come first, one at a time.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    deadline: float
    depth: int = 0
    held: dict[int, _Task] = field(default_factory=dict)
    suspects: deque[_Task] = field(default_factory=deque)
    received: bytes = b""
    unsent: bytearray = field(default_factory=bytearray)

    @property
    def room(self) -> int:
        if self.suspects or any(task.alone for task in self.held.values()):
            return 0
        return max(0, self.depth - len(self.held))

    @property
    def at_work(self) -> list[_Task]:
        return [task for task in self.held.values() if task.stage in _AT_WORK]

    def ends_at(self) -> float:
        """When its time runs out: that of a task that it is at work on, else its own to start or to go on."""
        if self.depth and not self.held:
            return math.inf
        return min((task.deadline for task in self.at_work), default=self.deadline)


class WorkerPool:
    """Processes that do tasks; a context manager, on whose end none is left.

    Args:
        size: How many processes.
        settings: The ``media`` and ``encoders`` sections of the configuration, and how many ``decoders``.
        timeout_seconds: Wall time for decoding a file and for each clip of an encoder's call, after which the worker
            is killed and replaced.
    """

    def __init__(self, *, size: int, settings: Mapping[str, Any], timeout_seconds: float) -> None:
        self.encoders: dict[Modality, str] = {}
        self.recognizers: dict[Words, str] = {}
        self._settings = settings
        self._timeout = timeout_seconds
        self._size = size
        self._workers: list[_Worker] = []
        self._again: deque[_Task] = deque()  # held by a worker that died, and not what it was at work on
        self._numbers = 0
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        """Start the workers and wait for the first; then ``encoders`` says which encoder stands for a modality.

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
        """How many tasks can be submitted now."""
        return max(0, sum(worker.room for worker in self._workers) - len(self._again))

    @property
    def idle(self) -> int:
        """How many tasks can be submitted now and wait behind no other, which may hang."""
        return max(0, sum(worker.room > 0 and not worker.held for worker in self._workers) - len(self._again))

    @property
    def busy(self) -> int:
        """How many tasks are submitted and not answered."""
        return sum(len(worker.held) + len(worker.suspects) for worker in self._workers) + len(self._again)

    def submit(self, job: Any, task: Mapping[str, Any]) -> None:
        """Hand a task to an idle worker, else to that with most room; ``wait`` gives back ``job`` with the answer."""
        self._numbers += 1
        self._give(
            max(self._workers, key=lambda each: (each.room > 0 and not each.held, each.room)),
            _Task(number=self._numbers, job=job, content=task),
        )

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        """Wait until something happens: the tasks that ended, with their answers.

        An answer holds ``reason`` where the task failed, its worker died or the time ran out. The list is empty
        when a worker has only become ready or told how far it is, or nothing has happened for so many seconds.

        Raises:
            ConfigError: A worker cannot start.
        """
        patience = max(0.0, min(worker.ends_at() for worker in self._workers) - time.monotonic())
        patience = patience if seconds is None else min(patience, seconds)
        done = []
        for key, events in self._selector.select(None if math.isinf(patience) else patience):
            worker = key.data
            if worker not in self._workers:  # replaced since
                continue
            if events & selectors.EVENT_WRITE:
                self._flush(worker)
            if events & selectors.EVENT_READ:
                done += self._receive(worker)
        now = time.monotonic()
        for worker in [each for each in self._workers if each.ends_at() <= now]:
            reason = f"took longer than {self._timeout:g} s (media.timeout_seconds): it was given up"
            done += self._replace(worker, reason)
        self._hand_out_again()
        return done

    def _receive(self, worker: _Worker) -> list[tuple[Any, Answer]]:
        received = os.read(_pipe(worker.process.stdout).fileno(), 1 << 16)
        if not received:
            return self._replace(worker, _how_it_ended(worker.process))
        *lines, worker.received = (worker.received + received).split(b"\n")
        # A sign of life; what it says was read late at worst, so no deadline comes too early.
        worker.deadline = time.monotonic() + self._timeout
        return [done for line in lines for done in self._told(worker, json.loads(line))]

    def _told(self, worker: _Worker, message: Mapping[str, Any]) -> list[tuple[Any, Answer]]:
        if "answer" in message:
            return [(worker.held.pop(message["task"]).job, message["answer"])]
        if "stage" in message:
            self._reached(worker, message["stage"], message["tasks"])
        elif "failed" in message:
            raise ConfigError(f"the encoders cannot start: {message['failed']}")
        else:
            self.encoders = {Modality(name): identity for name, identity in message["ready"].items()}
            self.recognizers = {Words(name): identity for name, identity in message["recognizers"].items()}
            worker.depth = self._depth(1)
        return []

    def _depth(self, together: int) -> int:
        """How many tasks keep a worker busy that encodes so many clips together: those, as many on their way, one more.

        No more than that, as what one worker holds no other can do.
        """
        return int(self._settings["decoders"]) + 2 * together + 1

    def _reached(self, worker: _Worker, stage: str, numbers: list[int]) -> None:
        if stage == "encode":
            worker.depth = self._depth(len(numbers))
            for task in worker.at_work:
                if task.stage == "encode":  # of a batch that is now done in parts
                    task.stage = "wait"
        for number in numbers:
            worker.held[number].stage = stage
            worker.held[number].deadline = time.monotonic() + self._timeout * len(numbers)

    def _replace(self, worker: _Worker, reason: str) -> list[tuple[Any, Answer]]:
        """Put a new worker in the place of one that is dead or out of time, and see who is to blame."""
        if not worker.depth:
            worker.errors.seek(0)
            last_words = worker.errors.read()[-2000:].decode(errors="replace").strip()
            raise ConfigError(f"a worker process could not start: {reason}\n{last_words}".strip())
        self._stop(worker)
        suspects = worker.at_work or list(worker.held.values())
        guilty = suspects if len(suspects) == 1 else []
        for task in worker.held.values():
            task.stage, task.deadline, task.alone = "queued", math.inf, task.alone or task in suspects
        heir = self._start()
        heir.suspects.extend([*(task for task in suspects if task not in guilty), *worker.suspects])
        self._workers[self._workers.index(worker)] = heir
        self._again.extend(task for task in worker.held.values() if task not in suspects)
        return [(task.job, {"reason": reason}) for task in guilty]

    def _hand_out_again(self) -> None:
        for worker in self._workers:
            if worker.depth and worker.suspects and not worker.held:
                self._give(worker, worker.suspects.popleft())
        while self._again and (worker := max(self._workers, key=lambda each: each.room)).room > 0:
            self._give(worker, self._again.popleft())

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
        os.set_blocking(_pipe(process.stdin).fileno(), False)
        worker = _Worker(process=process, errors=errors, deadline=time.monotonic() + _START_SECONDS)
        self._selector.register(_pipe(process.stdout), selectors.EVENT_READ, worker)
        self._send(worker, self._settings)
        return worker

    def _give(self, worker: _Worker, task: _Task) -> None:
        if not worker.held:
            worker.deadline = time.monotonic() + self._timeout
        worker.held[task.number] = task
        self._send(worker, [task.number, task.content])

    def _send(self, worker: _Worker, message: Any) -> None:
        if not worker.unsent:
            self._selector.register(_pipe(worker.process.stdin), selectors.EVENT_WRITE, worker)
        worker.unsent += json.dumps(message).encode() + b"\n"
        self._flush(worker)

    def _flush(self, worker: _Worker) -> None:
        """Write what the pipe takes; a worker that hangs must not hang who writes to it."""
        pipe = _pipe(worker.process.stdin)
        try:
            del worker.unsent[: pipe.write(worker.unsent) or 0]
        except BrokenPipeError:  # it has died, and the end of its output will say so
            worker.unsent.clear()
        if not worker.unsent:
            self._selector.unregister(pipe)

    def _stop(self, worker: _Worker) -> None:
        self._selector.unregister(_pipe(worker.process.stdout))
        if worker.unsent:
            self._selector.unregister(_pipe(worker.process.stdin))
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
