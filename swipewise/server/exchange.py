"""What is known of a request on its way through the server, from the outermost layer to the log line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Match

Message = MutableMapping[str, Any]
HttpScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[HttpScope, Receive, Send], Awaitable[None]]

EXCHANGE: Final = "swipewise.exchange"
"""Where the ASGI scope holds the ``Exchange``."""

WEBSOCKET: Final = "WEBSOCKET"
"""Stands for the method of a request that opens a WebSocket."""

_LONGEST_KEPT: Final = 256

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is worked on here, for whatever is logged meanwhile."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request and what became of it.

    Attributes:
        request_id: Names it in logs, in the audit and in the answer.
        method: Its method; ``HEAD`` counts as ``GET``.
        route: The template of the route that takes it, such as ``/v1/jobs/{job_id}``; None where none does.
        key: The name of the key it came with, once that is known.
        status: How it was answered; 0 until then.
        trace_id: Of the trace it belongs to, where there is one.
    """

    request_id: str
    method: str
    route: str | None
    key: str | None = None
    status: int = 0
    trace_id: str | None = None


class RouteFinder:
    """Finds the route that will take a request before it is dispatched, with the routes' own matching.

    Routes that are added later are found once the number of the app's routes has changed.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._count = -1
        self._routes: list[RouteContext] = []
        self._find = lru_cache(maxsize=4096)(self._matched)

    def method(self, scope: HttpScope) -> str:
        """The request's method."""
        if scope["type"] == "websocket":
            return WEBSOCKET
        return "GET" if scope["method"] == "HEAD" else str(scope["method"])

    def route(self, scope: HttpScope) -> str | None:
        """The template of the route that takes a request, None where none does."""
        if len(self._app.routes) != self._count:
            self._count = len(self._app.routes)
            self._routes = list(iter_route_contexts(self._app.routes))
            self._find.cache_clear()
        path = scope["path"]
        # What clients may make as long as they like is not kept.
        find = self._find if len(path) <= _LONGEST_KEPT else self._matched
        return find(scope["type"], scope.get("method", ""), path, scope.get("root_path", ""))

    def _matched(self, kind: str, method: str, path: str, root_path: str) -> str | None:
        scope = {"type": kind, "method": method, "path": path, "root_path": root_path, "headers": []}
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return route.path
        return None
