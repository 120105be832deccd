"""What keys, limits, metrics, log lines and audit cost a request: the same app with and without its layers.

Feeds of a small catalogue without a model, the fastest there are, so the share is the largest. Requests are made
within the process, in alternation, with a key that the guard looks up and a log line that is written. The answer is
what a client waits for; the work also has what comes after it, such as the log line.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from figures import Figures, Options, run

from swipewise.catalog import Catalog
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope
from swipewise.schema import Video
from swipewise.server import create_app
from swipewise.server.logs import REQUESTS, JsonFormatter
from swipewise.workspace import Workspace

VIDEOS = 2000
BLOCK = 20

Seconds = tuple[float, float]
"""Until the answer was sent, and until all work was done."""

Ask = Callable[[], Awaitable[Seconds]]


def measure(figures: Figures, options: Options) -> None:
    rounds = 20 if options.quick else 150
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        workspace, key = _workspace(Path(folder) / "shop")
        _log_to(log)
        guarded, bare = create_app(workspace), create_app(workspace)
        bare.user_middleware.clear()
        for path, name in (("/v1/feed", "a feed of 20"), ("/healthz", "an empty answer")):
            asks = {label: _asking(app, path, key) for label, app in (("with", guarded), ("without", bare))}
            taken = asyncio.run(_alternate(asks, rounds))
            for place, what in enumerate(("answer", "work")):
                layered, plain = ([each[place] for each in taken[label]] for label in ("with", "without"))
                figures.record(
                    f"{what} of {name}, with over without",
                    median(layered) / median(plain),
                    # An answer with nothing in it only shows the fixed cost, and what comes after it nobody waits for.
                    at_most=1.15 if (path, what) == ("/v1/feed", "answer") else None,
                    unit="x",
                )
                figures.record(f"{what} of {name}, added", 1e6 * (median(layered) - median(plain)), unit=" us")
                figures.record(
                    f"{what} of {name}, 99th percentile, with over without",
                    quantiles(layered, n=100)[98] / quantiles(plain, n=100)[98],
                    unit="x",
                )


def _workspace(root: Path) -> tuple[Workspace, str]:
    """A catalogue without behaviour, whose server asks for keys, and one that it takes."""
    made = Workspace.create(root)
    now = datetime.now(UTC)
    videos = [
        Video(
            video_id=f"v{n}",
            uri=f"v{n}.mp4",
            content_hash=f"v{n}",
            uploaded_at=now - timedelta(minutes=n),
            duration_seconds=10.0,
        )
        for n in range(VIDEOS)
    ]
    Catalog(made.catalog_dir).upsert(videos, {})
    database = Database(made.events_dir)
    _, key = KeyStore(database).create([Scope.FEED], who="benchmark")
    database.close()
    server = replace(made.config.server, keys="required", rate_feed=1e9, rate_admin=1e9)
    return replace(made, config=replace(made.config, server=server)), key


def _log_to(file: Any) -> None:
    handler = logging.StreamHandler(file)
    handler.setFormatter(JsonFormatter())
    REQUESTS.addHandler(handler)
    REQUESTS.setLevel(logging.INFO)
    REQUESTS.propagate = False


def _asking(app: FastAPI, path: str, key: str) -> Ask:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"viewer_id=ann",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"authorization", f"Bearer {key}".encode())],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask() -> Seconds:
        statuses: list[int] = []
        answered = 0.0

        async def send(message: Any) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            answered = perf_counter()

        start = perf_counter()
        await app(dict(scope), receive, send)
        done = perf_counter()
        assert statuses == [200], statuses
        return answered - start, done - start

    return ask


async def _alternate(asks: dict[str, Ask], rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of each request, in blocks that take turns, after a round that warms both up."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in asks}
    for turn in range(rounds + 1):
        for name, ask in asks.items():
            taken = [await ask() for _ in range(BLOCK)]
            seconds[name] += taken if turn else []
    return seconds


if __name__ == "__main__":
    # Four hundred requests of each kind cannot tell a tenth from what else the machine does.
    run(measure, __doc__, quick_bars=False)
