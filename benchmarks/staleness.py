"""Trials of whether an acknowledged event is in the next feed, where another worker makes it."""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.workspace import Workspace
from tests.server.test_crash import served

CLIENTS, TRIALS_A_VIEWER, SIZE = 2, 20, 200
MOST_PROBES = 200


@dataclass(slots=True, kw_only=True)
class Trials:
    """How many there were, in how many the event was not in the feed, and which worker answered each request."""

    made: int = 0
    stale: int = 0
    workers: dict[str, int] = field(default_factory=dict)

    @property
    def across(self) -> int:
        """In how many the event and the feed went to different workers, as these have logged."""
        return sum(self.workers[f"event-{n}"] != self.workers[f"feed-{n}"] for n in self._numbers())

    def _numbers(self) -> list[str]:
        return [name.removeprefix("event-") for name in self.workers if name.startswith("event-")]


def events_to_feeds(workspace: Workspace, trials: int) -> Trials:
    """Post an event to one of two workers and ask the other for the feed, over and over, by clients at a time.

    Each event is the exposure of the first video of the viewer's last feed, which the next one may not have: a feed of
    the whole catalogue of a small workspace, so that a stale one has it somewhere.
    """
    found = Trials()
    with tempfile.NamedTemporaryFile("w+", prefix="swipewise-", suffix=".log") as log:
        with served(workspace, "--workers", "2", log=log) as (_, address):
            clients = [_Client(address, Path(log.name), number, trials // CLIENTS) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        for client in clients:
            found.made += client.made
            found.stale += client.stale
        found.workers = _workers(Path(log.name))
    return found


class _Client(threading.Thread):
    """Asks two workers in turns, each on a connection that stays open."""

    def __init__(self, address: str, log: Path, number: int, trials: int) -> None:
        super().__init__()
        self._address, self._log, self._number, self._trials = urlsplit(address), log, number, trials
        self.made = self.stale = 0

    def run(self) -> None:
        connections = self._to_each_worker()
        first = None
        for trial in range(self._trials):
            viewer = f"watcher-{self._number}-{trial // TRIALS_A_VIEWER}"
            name = f"{self._number}-{trial}"
            posted, asked = connections[trial % 2], connections[1 - trial % 2]
            if trial % TRIALS_A_VIEWER == 0 or first is None:
                # From now on the model ranks for this viewer, whatever else the worker knows.
                first = self._feed(posted, viewer, f"begin-{name}")[0]
                self._post(posted, viewer, first, f"like-{name}", "like")
                first = self._feed(posted, viewer, f"begun-{name}")[0]
            self._post(posted, viewer, first, f"event-{name}", "exposure")
            videos = self._feed(asked, viewer, f"feed-{name}")
            self.made += 1
            self.stale += first in videos
            first = videos[0]

    def _post(
        self, connection: http.client.HTTPConnection, viewer: str, video: str, name: str, action: str
    ) -> None:
        event = {"event_id": name, "viewer_id": viewer, "video_id": video, "action": action}
        assert _answer(connection, "POST", "/v1/events", name, event)["added"] == 1

    def _feed(self, connection: http.client.HTTPConnection, viewer: str, name: str) -> list[str]:
        answer = _answer(connection, "GET", f"/v1/feed?viewer_id={viewer}&limit={SIZE}", name)
        return [each["video_id"] for each in answer["recommendations"]]

    def _to_each_worker(self) -> list[http.client.HTTPConnection]:
        """Connections to worker 0 and worker 1: which one has taken a connection stands in the log."""
        found: dict[int, http.client.HTTPConnection] = {}
        for probe in range(MOST_PROBES):
            connection = http.client.HTTPConnection(str(self._address.hostname), self._address.port, timeout=60)
            name = f"probe-{self._number}-{probe}"
            _answer(connection, "GET", "/healthz", name)
            worker = None
            while worker is None:
                worker = _workers(self._log).get(name)
            found.setdefault(worker, connection)
            if len(found) == 2:
                return [found[0], found[1]]
        raise AssertionError(f"{MOST_PROBES} connections went to one worker")


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, name: str, body: object = None
) -> dict[str, Any]:
    headers = {"X-Request-ID": name, "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    told: dict[str, Any] = json.loads(content)
    return told


def _workers(log: Path) -> dict[str, int]:
    """The worker that answered each request, by the request's id."""
    lines = (
        json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")
    )
    return {line["request_id"]: line["worker"] for line in lines if line["message"] == "request"}
