"""The outermost layer: names each request, measures it, writes its log line, and adds headers to its answer."""

from __future__ import annotations

import logging
import re
from contextlib import nullcontext
from time import perf_counter
from typing import Final
from uuid import uuid4

from fastapi import FastAPI
from starlette.datastructures import Headers

from swipewise.server.exchange import (
    EXCHANGE,
    App,
    Exchange,
    HttpScope,
    Message,
    Receive,
    RouteFinder,
    Send,
    request_id,
)
from swipewise.server.logs import log_request
from swipewise.server.messages import Problem
from swipewise.server.metrics import Metrics
from swipewise.server.problems import problem
from swipewise.server.tracing import Traces

_logger = logging.getLogger(__name__)

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)
_CLIENT_GONE: Final = 499
_PROTECTIVE: Final = (
    # No browser is to guess a type, show an answer inside a page of elsewhere, or tell others its address, which names
    # viewers.
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_CACHE: Final = b"cache-control"
# What is answered belongs to one viewer and one moment, unless a route says otherwise.
_NO_STORE: Final = (_CACHE, b"no-store")


class Observer:
    """ASGI middleware around all others.

    Args:
        app: What answers.
        routes: Whose routes name the requests.
        metrics: Counts them.
        traces: Trace them, where that is wanted.
    """

    def __init__(self, app: App, routes: FastAPI, metrics: Metrics, traces: Traces | None) -> None:
        self._app = app
        self._finder = RouteFinder(routes)
        self._metrics = metrics
        self._traces = traces

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        """Pass a request on; an error that nobody has answered is answered here, and raised again for the log."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named = headers.get("x-request-id", "")
        exchange = Exchange(
            request_id=named if _SANE_ID.fullmatch(named) else uuid4().hex,
            method=self._finder.method(scope),
            route=self._finder.route(scope),
        )
        scope[EXCHANGE] = exchange
        with self._traces.request(exchange, headers) if self._traces else nullcontext():
            await self._measured(exchange, scope, receive, send)

    async def _measured(self, exchange: Exchange, scope: HttpScope, receive: Receive, send: Send) -> None:
        start, token = perf_counter(), request_id.set(exchange.request_id)
        answer = _Answer(send, exchange)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, answer)
        except Exception:
            if not exchange.status:
                await _internal_error(scope, receive, answer)
            exchange.status = 500
            raise
        finally:
            exchange.status = exchange.status or _CLIENT_GONE
            seconds = perf_counter() - start
            self._metrics.in_flight.dec()
            self._metrics.answered(exchange, seconds)
            log_request(exchange, seconds)
            request_id.reset(token)


class _Answer:
    """The channel of one answer: notes the status, adds the headers."""

    def __init__(self, send: Send, exchange: Exchange) -> None:
        self._send = send
        self._exchange = exchange

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._exchange.status = message["status"]
            headers = [
                *message.get("headers", ()),
                (b"x-request-id", self._exchange.request_id.encode()),
                *_PROTECTIVE,
            ]
            if not any(name == _CACHE for name, _ in headers):
                headers.append(_NO_STORE)
            message = {**message, "headers": headers}
        elif kind == "websocket.accept":
            self._exchange.status = 101
        elif kind == "websocket.close" and not self._exchange.status:
            self._exchange.status = 403
        await self._send(message)


async def _internal_error(scope: HttpScope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        told = Problem(error="internal error: the server's log has the details")
        # uvicorn closes the connection, which a client must know before it sends its next request there.
        answer = problem(500, told, {"Connection": "close"})
        await answer(scope, receive, send)
