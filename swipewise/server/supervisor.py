"""``swipewise serve --workers N``: processes that serve from one socket, and the one that keeps them going.

The supervisor binds the socket and loads nothing. Each worker inherits the socket and a channel; a worker whose channel
is closed retires: it takes no more connections and ends once its clients have gone elsewhere, so a rolling restart
refuses no request, and workers do not outlive their supervisor.
"""

from __future__ import annotations

import logging
import selectors
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from swipewise.errors import ArtifactError
from swipewise.server.logs import SUPERVISOR, log_facts
from swipewise.server.notify import notify
from swipewise.server.orders import Orders, Said
from swipewise.server.siblings import Place
from swipewise.server.workers import WorkerProcess, start_worker
from swipewise.workspace import Workspace

_LOOK_SECONDS: Final = 0.2
_SILENT_SECONDS: Final = 60.0
_QUICK_SECONDS: Final = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_CLOSING_SECONDS: Final = 30.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """Starts workers, starts those again that die, and stops or replaces them when it gets a signal.

    SIGTERM and SIGINT stop all of them in order, a second one ends the pause before that; SIGHUP replaces one after the
    other by a new process, which reads configuration, certificate and code anew.

    Args:
        workspace: Whom they serve.
        listener: Where clients come in.
        workers: How many.
        tls_cert, tls_key: PEM files, or empty.
        greet: Called once all serve, with what the first of them said.
    """

    def __init__(
        self,
        workspace: Workspace,
        listener: socket.socket,
        workers: int,
        *,
        tls_cert: str,
        tls_key: str,
        greet: Callable[[Said], None],
    ) -> None:
        self._workspace = workspace
        self._listener = listener
        self._tls = (tls_cert, tls_key)
        self._greet = greet
        config = workspace.config.server
        self._stop_seconds = config.drain_seconds + config.shutdown_seconds + _CLOSING_SECONDS
        self._selector = selectors.DefaultSelector()
        self._count = workers
        self._generation = 0
        self._workers: dict[int, WorkerProcess] = {}
        self._replacement: WorkerProcess | None = None
        self._leaving: list[WorkerProcess] = []
        self._restarts = dict.fromkeys(range(workers), 0)
        self._quick_deaths = dict.fromkeys(range(workers), 0)
        self._due: dict[int, float] = {}
        self._to_replace: list[int] = []
        self._greeted = False
        self._stopping: float | None = None
        self._got: list[int] = []

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            ArtifactError: A worker cannot begin; those that had are stopped.
            KeyboardInterrupt: It was stopped by Ctrl+C; everything in flight was answered.
        """
        before = {sig: signal.signal(sig, self._take) for sig in _SIGNALS}
        self._folder = Path(tempfile.mkdtemp(prefix="swipewise-"))
        wake, woken = socket.socketpair()
        try:
            for end in (wake, woken):
                end.setblocking(False)
            signal.set_wakeup_fd(wake.fileno())
            self._selector.register(woken, selectors.EVENT_READ)
            self._due = dict.fromkeys(range(self._count), 0.0)
            interrupted = self._loop(woken)
        finally:
            signal.set_wakeup_fd(-1)
            for sig, handler in before.items():
                signal.signal(sig, handler)
            for worker in self._all():
                worker.kill()
                worker.close(self._folder)
            self._selector.close()
            wake.close()
            woken.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        if interrupted:
            raise KeyboardInterrupt

    def _loop(self, woken: socket.socket) -> bool:
        """Work until all have ended; whether Ctrl+C was the reason."""
        interrupted = False
        while self._stopping is None or self._all():
            for key, _ in self._selector.select(_LOOK_SECONDS):
                if isinstance(key.data, WorkerProcess):
                    self._listen_to(key.data)
                else:
                    with suppress(BlockingIOError):
                        woken.recv(1024)
            while self._got:
                sig = self._got.pop(0)
                interrupted |= sig == signal.SIGINT
                self._obey(sig)
            self._reap()
            self._watch()
            if self._stopping is None:
                self._start_due()
                self._replace_next()
        return interrupted

    def _take(self, sig: int, frame: FrameType | None) -> None:
        self._got.append(sig)

    def _obey(self, sig: int) -> None:
        if sig == signal.SIGHUP:
            if self._stopping is None:
                log_facts(SUPERVISOR, logging.INFO, "replacing all workers, one after the other")
                self._to_replace = list(range(self._count))
            return
        notify("STOPPING=1")
        if self._stopping is None:
            self._stopping = time.monotonic() + self._stop_seconds
        for worker in self._all():
            worker.terminate()

    def _all(self) -> list[WorkerProcess]:
        return [*self._workers.values(), *self._leaving, *([self._replacement] if self._replacement else [])]

    def _start(self, number: int) -> WorkerProcess:
        self._generation += 1
        place = Place(
            number=number,
            count=self._count,
            generation=self._generation,
            restarts=self._restarts[number],
            folder=self._folder,
        )
        cert, key = self._tls
        worker = start_worker(
            lambda channel: Orders(
                workspace=self._workspace.root,
                tls_cert=cert,
                tls_key=key,
                listener=self._listener.fileno(),
                channel=channel,
                place=place,
            ),
            self._listener,
        )
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        log_facts(SUPERVISOR, logging.INFO, "worker started", worker=number, pid=worker.pid)
        return worker

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._workers[number] = self._start(number)

    def _listen_to(self, worker: WorkerProcess) -> None:
        was_ready = worker.ready
        if not worker.hear():
            self._selector.unregister(worker.channel)
        if worker.ready and not was_ready:
            log_facts(SUPERVISOR, logging.INFO, "worker serves", worker=worker.number, pid=worker.pid)
            if worker is self._replacement:
                self._retire(self._workers.pop(worker.number, None))
                self._workers[worker.number], self._replacement = worker, None
        if (
            not self._greeted
            and len(self._workers) == self._count
            and all(each.ready for each in self._workers.values())
        ):
            self._greeted = True
            self._greet(self._workers[0].said)
            notify("READY=1")

    def _retire(self, worker: WorkerProcess | None) -> None:
        if worker is None:
            return
        worker.retire(self._stop_seconds)
        self._leaving.append(worker)

    def _replace_next(self) -> None:
        """One at a time, so that there is never more than one process too many."""
        if not self._greeted or not self._to_replace or self._replacement or self._leaving:
            return
        number = self._to_replace.pop(0)
        # One that has just died is started anew anyway.
        if number in self._workers:
            self._replacement = self._start(number)

    def _reap(self) -> None:
        for worker in self._all():
            if worker.status is None:
                continue
            with suppress(KeyError, ValueError):
                self._selector.unregister(worker.channel)
            worker.hear()
            worker.close(self._folder)
            if worker in self._leaving:
                self._leaving.remove(worker)
                log_facts(SUPERVISOR, logging.INFO, "worker has retired", worker=worker.number, pid=worker.pid)
            elif worker is self._replacement:
                self._replacement, self._to_replace = None, []
                if self._stopping is None:
                    self._tell(worker, "a new worker cannot begin, so the others stay as they are")
                if worker.number not in self._workers:
                    self._due[worker.number] = time.monotonic() + _FIRST_PAUSE
            else:
                del self._workers[worker.number]
                if self._stopping is None:
                    self._start_again(worker)

    def _start_again(self, worker: WorkerProcess) -> None:
        """Have a worker that died started again, later each time where it dies soon."""
        if not self._greeted:
            raise ArtifactError(
                worker.said.error or f"a worker has ended with status {worker.status}: see its log"
            )
        number = worker.number
        quick = time.monotonic() - worker.started_at < _QUICK_SECONDS
        self._quick_deaths[number] = self._quick_deaths[number] + 1 if quick else 0
        pause = _pause(self._quick_deaths[number])
        self._restarts[number] += 1
        if self._replacement is None or self._replacement.number != number:
            self._due[number] = time.monotonic() + pause
        self._tell(worker, "a worker has died", starts_again_in_seconds=pause)

    def _tell(self, worker: WorkerProcess, message: str, **facts: object) -> None:
        facts |= {"error": worker.said.error} if worker.said.error else {}
        log_facts(
            SUPERVISOR, logging.ERROR, message, worker=worker.number, pid=worker.pid, status=worker.status, **facts
        )

    def _watch(self) -> None:
        """Kill those that hang, or take longer to end than they may."""
        now = time.monotonic()
        for worker in self._all():
            late = self._stopping if self._stopping is not None else worker.leaves_by
            silent = worker.ready and worker.leaves_by is None and now - worker.heard_at > _SILENT_SECONDS
            if silent or (late is not None and now > late):
                self._tell(worker, "a worker hangs and is killed")
                worker.kill()


def _pause(quick_deaths: int) -> float:
    """Seconds before a worker is started again that has died soon after its start so many times in a row.

    >>> [_pause(deaths) for deaths in (0, 1, 2, 3, 9)]
    [0.0, 0.5, 1.0, 2.0, 30.0]
    """
    return min(_FIRST_PAUSE * 2 ** (quick_deaths - 1), _LONGEST_PAUSE) if quick_deaths else 0.0
