"""The routes for those who run the server: is it up, is it ready, what does it measure, who did what."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from swipewise.catalog import Catalog
from swipewise.errors import StoreError
from swipewise.events.audit_log import MOST_ENTRIES, AuditEntry, AuditLog
from swipewise.events.jobs import JobQueue
from swipewise.feed.engine import FeedEngine
from swipewise.server.messages import HealthAnswer
from swipewise.server.metrics import Metrics

_logger = logging.getLogger(__name__)


class ReadyAnswer(BaseModel):
    """Whether requests should be sent here, and if not, why."""

    ready: bool
    reason: str | None = None


class AuditAnswer(BaseModel):
    """An action of an administrator. `status` is how the request was answered, null where it never was."""

    at: datetime
    who: str
    key_id: str | None
    action: str
    target: str
    status: int | None
    request_id: str | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Put an entry into words for the wire."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class AuditsAnswer(BaseModel):
    """What administrators did, the newest first."""

    entries: list[AuditAnswer]


class Readiness:
    """Whether the server can and will answer.

    Attributes:
        stopping: Whether it was told to stop; it then still answers, but is not to be sent more.
    """

    def __init__(self, catalog: Catalog, queue: JobQueue) -> None:
        self._catalog = catalog
        self._queue = queue
        self.stopping = False

    def fault(self) -> str | None:
        """Why not, None when all is well."""
        if self.stopping:
            return "the server is shutting down"
        for what, look in (("live log", self._queue.look), ("catalogue", self._catalog.version)):
            try:
                look()
            except StoreError as error:
                # Anybody may ask; where stores lie is for the log.
                _logger.warning("not ready: %s", error)
                return f"the {what} cannot be read: the server's log has the details"
        return None


_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {
        "model": ReadyAnswer,
        "description": "A store cannot be read, or the server is shutting down; says which",
    }
}
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}
}


def operation_routes(engine: FeedEngine, readiness: Readiness, metrics: Metrics, audit: AuditLog) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> HealthAnswer:
        """Whether the server is up, and what it ranks with."""
        return HealthAnswer(status="ok", videos=engine.videos, run=engine.run, note=engine.note)

    @router.get("/readyz", response_model=ReadyAnswer, responses=_NOT_READY)
    def readyz() -> Response:
        """Whether requests should be sent here: the stores can be read, and the server is not shutting down."""
        fault = readiness.fault()
        answer = ReadyAnswer(ready=fault is None, reason=fault)
        return JSONResponse(answer.model_dump(), 200 if fault is None else 503)

    @router.get("/metrics", response_class=PlainTextResponse, responses=_METRICS)
    def get_metrics() -> Response:
        """What the server counts and times."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @router.get("/v1/audit")
    def get_audit(
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES, description="Entries wanted, the newest first.")] = 100,
    ) -> AuditsAnswer:
        """What was done with keys of scope `admin`, and to keys."""
        return AuditsAnswer(entries=[AuditAnswer.of(entry) for entry in audit.newest(limit)])

    return router
