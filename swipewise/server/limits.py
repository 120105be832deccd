"""How much one client may ask for: requests a second, bytes of a body, and time to send it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from starlette.exceptions import HTTPException

from swipewise.config import ServerConfig
from swipewise.events.keys import Scope
from swipewise.server.exchange import App, HttpScope, Message, Receive, Send
from swipewise.server.intake import MAX_BYTES

SLOWEST: Final = 8 * 1024
"""Bytes a second at which a body keeps its time."""

_MOST_CLIENTS: Final = 20_000


def share_of_rates(config: ServerConfig, workers: int) -> ServerConfig:
    """The limits of one of several workers, among which the system spreads connections."""
    return replace(
        config,
        rate_events=config.rate_events / workers,
        rate_feed=config.rate_feed / workers,
        rate_admin=config.rate_admin / workers,
    )


class RateLimits:
    """A token bucket for each client and scope, in this process.

    A bucket is kept as one number, the moment at which it will be full again.

    Args:
        config: The rates.
        clock: Seconds that only grow.
    """

    def __init__(self, config: ServerConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = {Scope.EVENTS: config.rate_events, Scope.FEED: config.rate_feed}
        self._other_rate = config.rate_admin
        self._burst_seconds = config.rate_burst_seconds
        self._clock = clock
        self._full_at: dict[tuple[str, Scope | None], float] = {}

    def wait(self, client: str, scope: Scope | None) -> float:
        """Take a token; seconds until there will be one where there is none, 0.0 where one was taken."""
        rate = self._rates.get(scope, self._other_rate) if scope is not None else self._other_rate
        if rate == 0:
            return 0.0
        now, bucket = self._clock(), (client, scope)
        full_at = max(self._full_at.get(bucket, now), now) + 1 / rate
        # Where the rate is low, one request must fit all the same.
        late = full_at - now - max(self._burst_seconds, 1 / rate)
        if late > 1e-9:
            return late
        if bucket not in self._full_at and len(self._full_at) >= _MOST_CLIENTS:
            self._forget(now)
        self._full_at[bucket] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget the buckets that are full; if none is, all, as memory matters more."""
        waiting = {bucket: at for bucket, at in self._full_at.items() if at > now}
        self._full_at = waiting if len(waiting) < _MOST_CLIENTS else {}


class BodyLimits:
    """Bounds the body of a request in bytes and in time, whoever reads it.

    Args:
        app: What reads it.
        seconds: Time for a body, beside what its length adds at ``SLOWEST``.
    """

    def __init__(self, app: App, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send, *, max_bytes: float) -> None:
        """Pass a request on; reading its body raises HTTPException (408, 413) when it is too slow or too large."""
        body = _Body(receive, self._seconds, max_bytes) if scope["type"] == "http" else receive
        await self._app(scope, body, send)


class _Body:
    """The channel of one request, with the bounds."""

    def __init__(self, receive: Receive, seconds: float, max_bytes: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._began: float | None = None
        self._taken = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        allowed = self._seconds + self._taken / SLOWEST
        try:
            async with asyncio.timeout_at(self._began + allowed):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408,
                f"only {self._taken} bytes of the body came in {allowed:.0f} seconds, send it faster",
                {"Connection": "close"},
            ) from None
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._taken > self._max_bytes:
            raise HTTPException(
                413, f"the body is larger than {MAX_BYTES} bytes, send less at a time", {"Connection": "close"}
            )
        return message
