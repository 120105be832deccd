"""The process that serves: uvicorn, with a bound on slow heads and a pause before it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from functools import partial
from types import FrameType
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from swipewise.config import ServerConfig
from swipewise.server.listening import BACKLOG
from swipewise.server.logs import log_config
from swipewise.server.memory import settle
from swipewise.server.notify import notify

LONGEST_HEAD: Final = 32 * 1024
"""Bytes of a request's head; a longer one is answered 400."""

_TAKEN_AT_ONCE: Final = 1
_CLOSE: Final = (b"connection", b"close")
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose next request does not get beyond its head in time.

    uvicorn bounds only the silence between two requests.

    Args:
        head_seconds: The time.
        arguments: What uvicorn hands to its protocols.
    """

    def __init__(self, *, head_seconds: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting, or not where the head is complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._unwatch()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_seconds, self._too_late)

    def _unwatch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


class Server(uvicorn.Server):
    """Serves an app until it is told to stop by a signal.

    At the first signal `/readyz` says so, and for ``server.drain_seconds`` everything else goes on, so that a load
    balancer has the time to look elsewhere. Then no connection is taken any more, and requests under way have
    ``server.shutdown_seconds`` to end. A second signal ends the pause.

    Args:
        app: From ``create_app``.
        config: The limits and times.
        tls_cert, tls_key: PEM files; empty: plain HTTP, and a key that lies in the certificate's file.
        worker: Which of several workers on one socket it is, as its log says; None where there is one.
    """

    def __init__(
        self,
        app: FastAPI,
        config: ServerConfig,
        *,
        tls_cert: str = "",
        tls_key: str = "",
        worker: int | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(PatientProtocol, head_seconds=config.header_seconds),  # type: ignore[arg-type]
                log_config=log_config(worker),
                log_level="warning",
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=LONGEST_HEAD,
                # uvicorn counts the connection that it asks about.
                limit_concurrency=config.connections + 1,
                # So many connections are taken at a time: one, so that workers share what comes at once.
                backlog=BACKLOG if worker is None else _TAKEN_AT_ONCE,
                timeout_graceful_shutdown=config.shutdown_seconds,
                ssl_certfile=tls_cert or None,
                ssl_keyfile=tls_key or None,
                ssl_ciphers=_CIPHERS,
            )
        )
        self._app = app
        self._drain_seconds = config.drain_seconds
        self._stop: tuple[float, int] | None = None
        self._supervised = worker is not None
        self._retiring = False

    def retire(self) -> None:
        """Stop, with others left on the socket, who take every new connection: no request of any client fails."""
        self._retiring = self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        settle()
        await super().startup(sockets)
        # uvicorn has the queue of those that wait as short as the number that is taken at a time.
        for listener in sockets or ():
            listener.listen(BACKLOG)
        if not self._supervised:
            notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is under way."""
        if self._retiring:
            await self._see_off()
        await super().shutdown(sockets)

    async def _see_off(self) -> None:
        """Have each client close its connection, as one that is closed here may just be sent the next request."""
        for server in self.servers:
            server.close()
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers.append(_CLOSE)
        until = time.monotonic() + self.config.timeout_keep_alive
        while self.server_state.connections and time.monotonic() < until:
            for connection in self.server_state.connections:
                cycle = getattr(connection, "cycle", None)
                if cycle and not cycle.response_started and _CLOSE not in cycle.default_headers:
                    cycle.default_headers = [*cycle.default_headers, _CLOSE]
            await asyncio.sleep(0.05)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal to stop."""
        self._app.state.readiness.stopping = True
        if self._stop is not None or self._drain_seconds == 0:
            super().handle_exit(sig, frame)
        else:
            self._stop = (time.monotonic() + self._drain_seconds, sig)

    async def on_tick(self, counter: int) -> bool:
        """Stop once the pause is over."""
        if self._stop is not None and not self.should_exit and time.monotonic() >= self._stop[0]:
            super().handle_exit(signal.Signals(self._stop[1]), None)
        return await super().on_tick(counter)
