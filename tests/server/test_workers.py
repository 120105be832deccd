"""``swipewise serve --workers 2``, the real thing: workers are killed, replaced and told of changes under load."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from swipewise.events.database import Database
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.feed.conftest import with_four_videos
from tests.server.test_crash import an_event, served, stored

PATIENCE = 60
CLIENTS = 4


@contextmanager
def two_workers(workspace: Workspace, log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with log.open("w") as file, served(workspace, "--workers", "2", log=file) as (process, address):
        try:
            yield process, address
        finally:
            workers = workers_of(process)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            assert not any(worker.is_running() for worker in workers)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two workers that serve."""

    workspace: Workspace
    log: Path
    process: subprocess.Popen[str]
    address: str


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two workers for several tests, of which the last ends them."""
    root = tmp_path_factory.mktemp("pair")
    workspace, log = with_four_videos(root / "shop"), root / "log"
    with log.open("w") as file, served(workspace, "--workers", "2", log=file) as (process, address):
        yield Pair(workspace=workspace, log=log, process=process, address=address)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers of a supervisor, not what these have started."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "swipewise.server.worker" in " ".join(child.cmdline()):
                found.append(child)
    return found


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def log_of(path: Path, message: str) -> list[dict[str, Any]]:
    # The last line may be half written.
    whole = path.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] == message]


def asked(address: str) -> dict[str, float]:
    """Of each worker how many feeds it has made."""
    text = httpx.get(f"{address}/metrics", timeout=PATIENCE).text
    return {
        sample.labels["worker"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "swipewise_requests_total" and sample.labels["route"] == "/v1/feed"
    }


def shown_by_all(address: str, viewer: str = "nobody") -> list[set[str]]:
    """The videos of feeds, of which each worker has made some."""
    before, found = asked(address), []

    def made_by_each() -> bool:
        # Each on a connection of its own.
        answer = httpx.get(f"{address}/v1/feed", params={"viewer_id": viewer}, timeout=PATIENCE)
        found.append({each["video_id"] for each in answer.json()["recommendations"]})
        now = asked(address)
        return len(now) == 2 and all(now[worker] >= before.get(worker, 0) + 3 for worker in now)

    until(made_by_each)
    return found


class Client(threading.Thread):
    """Posts events one after the other on one connection, and asks for the feed each time."""

    def __init__(self, address: str, name: str, *, again: bool) -> None:
        super().__init__()
        self.address, self.label, self.again = address, name, again
        self.leave = threading.Event()
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        self.repeated = 0

    def run(self) -> None:
        with httpx.Client(base_url=self.address, timeout=PATIENCE) as client:
            while not self.leave.is_set():
                event_id = f"{self.label}-{len(self.acknowledged)}"
                self.ask(partial(client.post, "/v1/events", json=an_event(event_id)))
                self.acknowledged.append(event_id)
                self.ask(lambda: client.get("/v1/feed", params={"viewer_id": self.label}))
                # Workers that start need the processor more than further requests would tell.
                self.leave.wait(0.01)

    def ask(self, request: Callable[[], httpx.Response]) -> None:
        while True:
            try:
                answer = request()
            except httpx.TransportError as error:
                if not self.again:
                    self.failures.append(repr(error))
                    return
                self.repeated += 1
                continue
            if answer.status_code != 200:
                self.failures.append(answer.text)
            return


@contextmanager
def load(address: str, *, again: bool) -> Iterator[list[Client]]:
    clients = [Client(address, f"c{number}", again=again) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        until(lambda: all(len(client.acknowledged) > 3 for client in clients))
        yield clients
        # Whatever happened, it goes on.
        already = [len(client.acknowledged) for client in clients]
        until(lambda: all(len(c.acknowledged) > n + 3 for c, n in zip(clients, already, strict=True)))
    finally:
        for client in clients:
            client.leave.set()
        for client in clients:
            client.join()


def test_where_the_console_would_be_it_is_said_how_to_have_it(pair: Pair) -> None:
    found = httpx.get(pair.address, follow_redirects=True, headers={"accept": "text/html"})
    assert httpx.get(f"{pair.address}/v1/feed", params={"viewer_id": "ann"}).status_code == 200
    assert found.status_code == 404
    assert "2 workers answer at this address" in found.text
    assert f"swipewise serve --workers 1 --port 8001 -w {pair.workspace.root}" in found.text


def test_a_killed_worker_loses_no_event_and_the_port_goes_on(pair: Pair) -> None:
    with load(pair.address, again=True) as clients:
        workers_of(pair.process)[1].kill()
        until(lambda: len(log_of(pair.log, "worker serves")) == 3)
    assert [client.failures for client in clients] == [[]] * CLIENTS
    restarts = [
        line
        for line in httpx.get(f"{pair.address}/metrics").text.splitlines()
        if line.startswith("swipewise_worker_re")
    ]
    assert sorted(line.rpartition(" ")[2] for line in restarts) == ["0.0", "1.0"]
    assert [line["status"] for line in log_of(pair.log, "a worker has died")] == [-9]
    acknowledged = sorted(event_id for client in clients for event_id in client.acknowledged)
    assert stored(pair.workspace) == acknowledged
    requests = log_of(pair.log, "request")
    assert {line["worker"] for line in requests} == {0, 1}


def test_workers_end_when_their_supervisor_is_killed(pair: Pair) -> None:
    workers = workers_of(pair.process)
    assert len(workers) == 2
    pair.process.kill()
    pair.process.wait()
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert alive == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{pair.address}/healthz")


def test_what_one_worker_changes_all_know_and_a_rolling_restart_refuses_no_request(
    workspace: Workspace, tmp_path: Path
) -> None:
    log, config = tmp_path / "log", workspace.root / CONFIG_NAME
    # Nobody looks by itself while the test runs.
    config.write_text("[server]\nrefresh_seconds = 3600\n")
    with two_workers(workspace, log) as (process, address):
        victim = min(set.intersection(*shown_by_all(address)))
        assert httpx.delete(f"{address}/v1/videos/{victim}", timeout=PATIENCE).status_code == 204
        assert not any(victim in videos for videos in shown_by_all(address))

        before = {worker.pid for worker in workers_of(process)}
        config.write_text("[feed]\nsize = 1\n")
        with load(address, again=False) as clients:
            process.send_signal(signal.SIGHUP)
            until(lambda: len(log_of(log, "worker has retired")) == 2)
        assert not before & {worker.pid for worker in workers_of(process)}
        assert {len(videos) for videos in shown_by_all(address)} == {1}
    assert [client.failures for client in clients] == [[]] * CLIENTS
    assert process.returncode == 0


def test_a_workspace_that_cannot_be_served_is_told_in_one_line(workspace: Workspace) -> None:
    Database(workspace.events_dir).close()
    for path in workspace.events_dir.glob("live.sqlite*"):
        path.unlink()
    (workspace.events_dir / "live.sqlite").write_text("no database, of more than a few bytes " * 100)
    command = ["-c", "from swipewise.cli import main; main()", "serve", "--workers", "2", "--port", "0"]
    done = subprocess.run(
        [sys.executable, *command, "-w", str(workspace.root)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 1
    (told,) = (line for line in done.stderr.splitlines() if not line.startswith("{"))
    assert told.startswith("error: cannot use the live event log")
