"""What the supervisor does with workers that die, hang, or are to be replaced; the workers here only say so."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swipewise.errors import ArtifactError
from swipewise.server import supervisor, workers
from swipewise.server.orders import Said
from swipewise.server.supervisor import Supervisor
from swipewise.workspace import Workspace

PATIENCE = 30

WORKER = """
import json, os, signal, socket, sys, time
orders, here = json.loads(sys.argv[1]), HERE
place = orders["place"]
name = f"{place['number']}-{place['generation']}"
channel = socket.socket(fileno=orders["channel"])
channel.setblocking(False)
def say(**said):
    channel.send(json.dumps(said).encode() + b"\\n")
def note(text):
    with open(here, "a") as file:
        file.write(f"{name} {text} {os.getpid()}\\n")
def stop(*_):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
if os.path.exists(here + f".fail-{place['number']}"):
    say(error="it cannot be")
    sys.exit(3)
note("ready")
say(ready=True, model="m")
while True:
    try:
        if channel.recv(1) == b"":
            note("retired")
            sys.exit(0)
    except BlockingIOError:
        pass
    if not os.path.exists(here + f".silent-{name}"):
        say()
    time.sleep(0.02)
"""


class Run:
    """A supervisor at work in the test's own thread, and what it and its workers did."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.notes, self._caplog = folder / "notes", caplog

    def events(self) -> list[tuple[str, str, int]]:
        """(number-generation, what, pid) in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [(name, what, int(pid)) for name, what, pid in map(str.split, lines)]

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, self.events()
            time.sleep(0.01)

    def ready(self, *names: str) -> dict[str, int]:
        """The pids of these workers once the supervisor has heard that they serve."""

        def found() -> dict[str, int]:
            heard = {each["pid"] for each in self.said("worker serves")}
            ready = {name: pid for name, what, pid in self.events() if what == "ready" and name in names}
            return {name: pid for name, pid in ready.items() if pid in heard}

        self.until(lambda: len(found()) == len(names))
        return found()

    def said(self, message: str) -> list[dict[str, Any]]:
        return [record.facts for record in self._caplog.records if record.getMessage() == message]

    def mark(self, name: str) -> None:
        Path(f"{self.notes}.{name}").touch()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Run:
    found = Run(tmp_path, caplog)
    script = WORKER.replace("HERE", repr(str(found.notes)))
    monkeypatch.setattr(workers, "_COMMAND", (sys.executable, "-c", script))
    caplog.set_level("INFO", logger="swipewise.supervisor")
    return found


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Run a supervisor of two workers while a scenario plays in another thread; it is stopped after that."""
    workspace = Workspace.create(tmp_path / "shop")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def supervise(scenario: Callable[[], None], stop: signal.Signals | None = signal.SIGTERM) -> list[Said]:
            greeted: list[Said] = []
            failures: list[BaseException] = []

            def play() -> None:
                try:
                    scenario()
                except BaseException as error:
                    failures.append(error)
                if stop is not None:
                    os.kill(os.getpid(), stop)

            player = threading.Thread(target=play)
            made = Supervisor(workspace, listener, 2, tls_cert="", tls_key="", greet=greeted.append)
            player.start()
            try:
                made.run()
            finally:
                player.join()
            if failures:
                raise failures[0]
            return greeted

        yield supervise


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_are_started_greeted_once_and_stopped_in_order(run: Run, make: Callable[..., list[Said]]) -> None:
    greeted = make(lambda: run.ready("0-1", "1-2"))
    assert [said.model for said in greeted] == ["m"]
    assert sorted(name for name, what, _ in run.events() if what == "stopped") == ["0-1", "1-2"]
    assert not any(is_there(pid) for *_, pid in run.events())


def test_systemd_is_told_once_all_serve_and_when_they_stop(
    run: Run, make: Callable[..., list[Said]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that is no file.
    name = f"swipewise-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        told: list[bytes] = []

        def scenario() -> None:
            told.append(systemd.recv(100))
            assert len(run.said("worker serves")) == 2

        make(scenario)
        told.append(systemd.recv(100))
    assert told == [b"READY=1", b"STOPPING=1"]


def test_ctrl_c_is_told_apart(run: Run, make: Callable[..., list[Said]]) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(lambda: run.ready("0-1", "1-2"), signal.SIGINT)
    assert sorted(name for name, what, _ in run.events() if what == "stopped") == ["0-1", "1-2"]


def test_one_that_dies_is_started_again(run: Run, make: Callable[..., list[Said]]) -> None:
    def scenario() -> None:
        os.kill(run.ready("0-1", "1-2")["1-2"], signal.SIGKILL)
        run.ready("1-3")

    make(scenario)
    (death,) = run.said("a worker has died")
    assert (death["worker"], death["status"], death["starts_again_in_seconds"]) == (1, -9, 0.5)


def test_one_that_dies_over_and_over_is_started_later_each_time(
    run: Run, make: Callable[..., list[Said]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)

    def scenario() -> None:
        pids = run.ready("0-1", "1-2")
        run.mark("fail-0")
        os.kill(pids["0-1"], signal.SIGKILL)
        run.until(lambda: len(run.said("a worker has died")) == 4)
        assert is_there(pids["1-2"])

    make(scenario)
    pauses = [death["starts_again_in_seconds"] for death in run.said("a worker has died")[:4]]
    assert pauses == [0.01, 0.02, 0.04, 0.08]
    assert run.said("a worker has died")[1]["error"] == "it cannot be"


def test_one_that_hangs_is_killed_and_started_again(
    run: Run, make: Callable[..., list[Said]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_SILENT_SECONDS", 1.0)

    def scenario() -> None:
        run.ready("0-1", "1-2")
        run.mark("silent-0-1")
        run.ready("0-3")

    make(scenario)
    assert [each["worker"] for each in run.said("a worker hangs and is killed")] == [0]


def test_hangup_replaces_one_after_the_other(run: Run, make: Callable[..., list[Said]]) -> None:
    def scenario() -> None:
        run.ready("0-1", "1-2")
        os.kill(os.getpid(), signal.SIGHUP)
        run.ready("0-3", "1-4")
        run.until(lambda: len([what for _, what, _ in run.events() if what == "retired"]) == 2)

    make(scenario)
    order = [(name, what) for name, what, _ in run.events() if what != "stopped"][2:]
    assert order == [("0-3", "ready"), ("0-1", "retired"), ("1-4", "ready"), ("1-2", "retired")]
    assert run.said("a worker has died") == []


def test_a_replacement_that_cannot_begin_leaves_the_others(run: Run, make: Callable[..., list[Said]]) -> None:
    def scenario() -> None:
        pids = run.ready("0-1", "1-2")
        run.mark("fail-0")
        os.kill(os.getpid(), signal.SIGHUP)
        run.until(lambda: bool(run.said("a new worker cannot begin, so the others stay as they are")))
        assert all(is_there(pid) for pid in pids.values())

    make(scenario)
    assert sorted(name for name, what, _ in run.events() if what == "ready") == ["0-1", "1-2"]


def test_a_worker_that_cannot_begin_at_first_ends_it_all(run: Run, make: Callable[..., list[Said]]) -> None:
    run.mark("fail-1")
    with pytest.raises(ArtifactError, match="it cannot be"):
        make(lambda: None, None)
    assert not any(is_there(pid) for *_, pid in run.events())
