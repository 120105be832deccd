"""A real served process is killed at random moments: what it acknowledged is there, once."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx

from swipewise.events import read_events
from swipewise.schema import Col
from swipewise.workspace import Workspace
from tests.killing import await_work
from tests.postgres import Postgres

KILLS = 3
POSTERS = 3


@contextmanager
def served(
    workspace: Workspace, *more: str, log: IO[str] | None = None, pages: bool = True
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``swipewise serve`` on a free port, with more options, and its address.

    Args:
        workspace: What is served.
        more: Further options.
        log: The file that it logs to, if any.
        pages: Whether it has the console, which is what takes longest to load.
    """
    code = "from swipewise.cli import main; main()"
    if not pages:  # as where they are not installed
        code = f"import sys; sys.modules['nicegui'] = None; {code}"
    command = [sys.executable, "-c", code, "serve"]
    command += ["--port", "0", "--workspace", str(workspace.root), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            greeting = ""
            while not greeting.endswith("stop with Ctrl+C\n") and (line := process.stdout.readline()):
                greeting += line
            address = re.search(r"at (http://\S+)", greeting)
            assert address, f"no address in {greeting!r}"
            assert f"curl '{address[1]}/v1/feed?viewer_id=ann&limit=5'" in greeting
            yield process, address[1]
        finally:
            if process.poll() is None:
                process.kill()


class Poster(threading.Thread):
    """Posts events one at a time until the server is gone; one that is answered with 503 is sent again."""

    def __init__(self, address: str, name: str, posted: list[str], acknowledged: list[str]) -> None:
        super().__init__()
        self.address, self.label, self.posted, self.acknowledged = address, name, posted, acknowledged
        self.turned_away = 0

    def run(self) -> None:
        with httpx.Client(base_url=self.address, timeout=30) as client:
            while True:
                event_id = f"{self.label}-{len(self.posted)}"
                self.posted.append(event_id)
                try:
                    self._post(client, event_id)
                except httpx.TransportError:
                    return
                self.acknowledged.append(event_id)

    def _post(self, client: httpx.Client, event_id: str) -> None:
        while (answer := client.post("/v1/events", json=an_event(event_id))).status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            self.turned_away += 1
            time.sleep(0.02)
        assert answer.status_code == 200, answer.text


def an_event(event_id: str) -> dict[str, str]:
    return {"event_id": event_id, "viewer_id": "ann", "video_id": "a", "action": "exposure"}


def stored(workspace: Workspace) -> list[str]:
    return sorted(read_events(workspace.events_dir).collect()[Col.EVENT_ID])


def test_acknowledged_events_survive_kill_9(workspace: Workspace) -> None:
    rng = random.Random(0)
    posted: list[list[str]] = [[] for _ in range(POSTERS)]
    acknowledged: list[str] = []
    for _ in range(KILLS):
        with served(workspace, pages=False) as (process, address):
            posters = [Poster(address, f"p{n}", posted[n], acknowledged) for n in range(POSTERS)]
            for poster in posters:
                poster.start()
            already = len(acknowledged)
            while len(acknowledged) == already and any(poster.is_alive() for poster in posters):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
            for poster in posters:
                poster.join()
        found = stored(workspace)
        assert set(acknowledged) <= set(found)
        assert len(found) == len(set(found))

    everything = sorted(event_id for events in posted for event_id in events)
    assert len(everything) > len(acknowledged), "some were under way when the server died"
    with served(workspace, pages=False) as (process, address):
        assert httpx.get(f"{address}/healthz").json()["status"] == "ok"
        answer = httpx.post(f"{address}/v1/events", json=[an_event(event_id) for event_id in everything])
        assert answer.json()["added"] + answer.json()["duplicates"] == len(everything)
        assert answer.json()["duplicates"] >= len(acknowledged)
        feed = httpx.get(f"{address}/v1/feed", params={"viewer_id": "ann"}).json()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "stopped\n"), "it ends in order"
    assert stored(workspace) == everything
    assert "a" not in [each["video_id"] for each in feed["recommendations"]]


def test_a_killed_database_loses_nothing_and_is_found_again(workspace: Workspace, server: Postgres) -> None:
    posted: list[list[str]] = [[] for _ in range(POSTERS)]
    acknowledged: list[str] = []
    with served(workspace, pages=False) as (process, address):
        posters = [Poster(address, f"p{n}", posted[n], acknowledged) for n in range(POSTERS)]
        for poster in posters:
            poster.start()
        await_work(process, lambda: len(acknowledged) > 20)
        server.kill()
        await_work(process, lambda: all(poster.turned_away for poster in posters))
        before = len(acknowledged)
        feed = httpx.get(f"{address}/v1/feed", params={"viewer_id": "ann"})
        assert (feed.status_code, "Retry-After" in feed.headers) == (503, True)
        server.start()
        await_work(process, lambda: len(acknowledged) > before + 20)
        assert httpx.get(f"{address}/v1/feed", params={"viewer_id": "ann"}).status_code == 200
        process.kill()
        for poster in posters:
            poster.join()
    found = stored(workspace)
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + POSTERS
