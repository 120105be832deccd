"""Puts the layers around an app: observation outside, then pages of elsewhere, then keys and limits."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from swipewise.config import ServerConfig
from swipewise.events.audit_log import AuditLog
from swipewise.server.exchange import App
from swipewise.server.guard import Guard
from swipewise.server.keyring import KeyRing
from swipewise.server.limits import BodyLimits
from swipewise.server.metrics import Metrics
from swipewise.server.observer import Observer
from swipewise.server.tracing import Traces

_SENT_BY_PAGES = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID")
_READ_BY_PAGES = ("ETag", "Location", "Retry-After", "X-Request-ID")


def protect(
    app: FastAPI,
    config: ServerConfig,
    ring: KeyRing,
    audit: AuditLog,
    metrics: Metrics,
    traces: Traces | None,
) -> None:
    """Guard and observe every route of an app, also those that are added or mounted later."""

    def guarded(inner: App) -> Guard:
        return Guard(BodyLimits(inner, config.body_seconds), config, ring, audit)

    # The last one added is the outermost.
    app.add_middleware(guarded)
    if config.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_SENT_BY_PAGES,
            expose_headers=_READ_BY_PAGES,
        )
    app.add_middleware(Observer, routes=app, metrics=metrics, traces=traces)
