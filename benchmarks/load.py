"""Load for a running server: feeds and events at a given rate; percentiles of how long they took, and what failed.

::

    python benchmarks/load.py http://127.0.0.1:8000 --feeds 50 --events 50 --seconds 60
    python benchmarks/load.py https://feed.example.com --key "$KEY" --viewers 100000 --json load.json

Requests are sent when they are due, whether earlier ones have been answered or not, and the time counts from when a
request was due: a server that falls behind cannot hide it. Events name videos of the feeds that came back. One process
of this script sends some hundreds of requests a second; for more start several. It exits with 1 where a request failed.

With ``--again`` a request whose connection broke is sent once more, as clients do whose worker may be killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import uuid4

import httpx

LATE_SHARE = 0.5
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of the server.

    Attributes:
        feeds, events: Requests a second of each kind.
        viewers: How many there are, drawn at random.
        size: Videos of a feed.
        late: Whether half of the events are dated a day ago, as those of clients that were offline.
        again: Whether a request whose connection broke is sent once more.
        connections: How many at a time.
    """

    feeds: float = 20.0
    events: float = 20.0
    viewers: int = 1000
    size: int = 20
    late: bool = False
    again: bool = False
    connections: int = 50


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the requests of one kind.

    Attributes:
        seconds: Of those that were answered.
        failures: Why others failed.
        broken: When connections broke, on the monotonic clock, and how.
    """

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[float, str]] = field(default_factory=list)


class Load:
    """Drives one server.

    Args:
        address: Its base URL.
        plan: What is asked.
        key: An API key, where the server wants one.
        seed: Of the viewers and videos drawn.

    Attributes:
        tallies: By kind of request.
        acknowledged: The ids of the events that were answered with 200.
    """

    def __init__(self, address: str, plan: Plan, *, key: str | None = None, seed: int = 0) -> None:
        self.tallies = {"feed": Tally(), "events": Tally()}
        self.acknowledged: list[str] = []
        self._address = address
        self._plan = plan
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._chance = random.Random(seed)
        self._shown: list[str] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Send requests for so long, or until told to stop, and wait for the last answers."""
        limits = httpx.Limits(max_connections=self._plan.connections, keepalive_expiry=2.0)
        async with httpx.AsyncClient(
            base_url=self._address, headers=self._headers, timeout=60, limits=limits
        ) as client:
            until = time.perf_counter() + seconds
            await asyncio.gather(
                self._send("feed", self._plan.feeds, until, stop, lambda: self._feed(client)),
                self._send("events", self._plan.events, until, stop, lambda: self._event(client)),
            )
            await asyncio.gather(*self._under_way)

    async def _send(
        self, kind: str, rate: float, until: float, stop: Callable[[], bool], ask: Callable[[], Awaitable[None]]
    ) -> None:
        if rate <= 0:
            return
        due = time.perf_counter()
        while due < until and not stop():
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._one(kind, due, ask))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            due += self._chance.expovariate(rate)

    async def _one(self, kind: str, due: float, ask: Callable[[], Awaitable[None]]) -> None:
        tally = self.tallies[kind]
        try:
            await ask()
        except httpx.HTTPStatusError as error:
            tally.failures[f"{error.response.status_code} {error.response.text[:200]}"] += 1
        except httpx.HTTPError as error:
            tally.failures[type(error).__name__] += 1
        else:
            tally.seconds.append(time.perf_counter() - due)

    async def _feed(self, client: httpx.AsyncClient) -> None:
        query: dict[str, str | int] = {"viewer_id": self._viewer(), "limit": self._plan.size}
        answer = await self._asked("feed", lambda: client.get("/v1/feed", params=query))
        shown = [each["video_id"] for each in answer.json()["recommendations"]]
        self._shown = shown or self._shown

    async def _event(self, client: httpx.AsyncClient) -> None:
        event: dict[str, Any] = {
            "event_id": uuid4().hex,
            "viewer_id": self._viewer(),
            "video_id": self._chance.choice(self._shown or ["unknown"]),
            "action": self._chance.choice(("exposure", "view", "like", "skip")),
        }
        if self._plan.late and self._chance.random() < LATE_SHARE:
            event["at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        await self._asked("events", lambda: client.post("/v1/events", json=event))
        self.acknowledged.append(event["event_id"])

    async def _asked(self, kind: str, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """An answer, to a second try where the first one's connection broke: both counts as one request."""
        try:
            answer = await ask()
        except httpx.TransportError as error:
            self.tallies[kind].broken.append((time.monotonic(), repr(error)))
            if not self._plan.again:
                raise
            answer = await ask()
        return answer.raise_for_status()

    def _viewer(self) -> str:
        return f"viewer{self._chance.randrange(self._plan.viewers):05}"


def summary(load: Load, seconds: float) -> dict[str, dict[str, Any]]:
    """Of each kind: how many were answered, how many a second, percentiles in milliseconds, failures by reason."""
    found = {}
    for kind, tally in load.tallies.items():
        cuts = quantiles(tally.seconds, n=100) if len(tally.seconds) > 1 else [float("nan")] * 99
        found[kind] = {
            "answered": len(tally.seconds),
            "a_second": round(len(tally.seconds) / seconds, 1),
            **{f"p{p}_ms": round(1000 * cuts[p - 1], 1) for p in PERCENTILES},
            "broken_connections": len(tally.broken),
            "failed": dict(tally.failures),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="such as http://127.0.0.1:8000")
    parser.add_argument("--key", help="an API key with the scopes feed and events")
    parser.add_argument("--feeds", type=float, default=20.0, help="a second  [default: 20]")
    parser.add_argument("--events", type=float, default=20.0, help="a second  [default: 20]")
    parser.add_argument("--seconds", type=float, default=30.0, help="[default: 30]")
    parser.add_argument("--viewers", type=int, default=1000, help="drawn at random  [default: 1000]")
    parser.add_argument("--size", type=int, default=20, help="videos of a feed  [default: 20]")
    parser.add_argument("--connections", type=int, default=50, help="at a time  [default: 50]")
    parser.add_argument("--again", action="store_true", help="send a request again whose connection broke")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary to this file as well")
    chosen = parser.parse_args()
    names = ("feeds", "events", "viewers", "size", "again", "connections")
    load = Load(chosen.address, Plan(**{name: getattr(chosen, name) for name in names}), key=chosen.key)
    began = time.perf_counter()
    asyncio.run(load.run(chosen.seconds))
    found = summary(load, time.perf_counter() - began)
    for kind, figures in found.items():
        print(kind, " ".join(f"{name}={value}" for name, value in figures.items()))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if any(figures["failed"] for figures in found.values()) else 0)


if __name__ == "__main__":
    main()
