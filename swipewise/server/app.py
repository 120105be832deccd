"""The HTTP API: a feed for a viewer, and events from clients."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import swipewise
from swipewise.catalog import Catalog
from swipewise.errors import StoreError, UnknownIdError
from swipewise.events.answer_log import AnswerLog
from swipewise.events.answers import Answers
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.jobs import JobQueue
from swipewise.events.keys import KeyStore
from swipewise.feed.engine import FeedEngine
from swipewise.server.background import Background
from swipewise.server.catalogue import catalogue_routes
from swipewise.server.description import describe_refusals
from swipewise.server.events import event_routes
from swipewise.server.exchange import methods_at
from swipewise.server.feeds import feed_routes
from swipewise.server.intake import BadRequestError, invalid
from swipewise.server.keyring import KeyRing
from swipewise.server.limits import share_of_rates
from swipewise.server.messages import Problem
from swipewise.server.metrics import Metrics
from swipewise.server.models import model_routes
from swipewise.server.operations import Readiness, operation_routes
from swipewise.server.pageless import add_signpost
from swipewise.server.problems import problem, store_problem
from swipewise.server.protection import protect
from swipewise.server.queries import known_queries
from swipewise.server.siblings import ALONE, Place, Siblings
from swipewise.server.threads import pool_size, size_pool
from swipewise.server.thumbnails import thumbnail_routes
from swipewise.server.tracing import Traces, open_traces
from swipewise.server.videos import VideoIntake, video_routes
from swipewise.server.viewers import viewer_routes
from swipewise.workspace import Workspace

_logger = logging.getLogger(__name__)


def create_app(
    workspace: Workspace, *, warm: bool = False, place: Place = ALONE, traces: Traces | None = None
) -> FastAPI:
    """The API of one workspace; it opens the stores now and closes them when the server stops.

    Args:
        workspace: Whose feed, and whose catalogue takes posted videos.
        warm: Whether the processes that decode posted videos start with the server, not with the first video.
        place: Of this process among those that serve the workspace from one socket.
        traces: Of requests; None: those that configuration and environment ask for, if any.

    Raises:
        StoreError: A store cannot be read.
        MissingExtraError: Traces are asked for, and OpenTelemetry is not installed.
    """
    traces = traces or open_traces(workspace.config.server, place.number if place.count > 1 else None)
    engine = FeedEngine.open(workspace)
    siblings = Siblings(place)
    background = Background(engine, siblings, place, warm=warm)
    records = Database(workspace.events_dir)
    intake = VideoIntake(workspace, JobQueue(records), background.wake)
    app = FastAPI(
        title="Swipewise",
        version=swipewise.__version__,
        lifespan=_lifespan,
        dependencies=[Depends(known_queries)],
    )
    app.state.engine, app.state.background, app.state.intake = engine, background, intake
    catalog = Catalog(workspace.catalog_dir)
    app.state.answers = AnswerLog(Answers(records), days=workspace.config.feed.log_days)
    audit = AuditLog(records)
    metrics = Metrics(intake.queue.counts, lambda: app.state.answers.lost, siblings, place)
    app.state.records, app.state.metrics, app.state.traces = records, metrics, traces
    app.state.readiness = Readiness(catalog, intake.queue)
    protect(
        app,
        share_of_rates(workspace.config.server, place.count),
        KeyRing(KeyStore(records)),
        audit,
        metrics,
        traces,
    )
    _add_problems(app)
    describe_refusals(app)
    app.include_router(operation_routes(engine, app.state.readiness, metrics, audit))
    app.include_router(video_routes(intake))
    app.include_router(feed_routes(engine, metrics, app.state.answers, traces))
    app.include_router(event_routes(engine, metrics))
    app.include_router(thumbnail_routes(catalog))
    app.include_router(catalogue_routes(engine, background.look))
    app.include_router(model_routes(engine, background.look))
    app.include_router(viewer_routes(engine))
    if place.count > 1:
        add_signpost(app, workspace.root, place.count)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: FeedEngine = app.state.engine
    threads = pool_size(engine.workspace.config.server.threads)
    size_pool(threads)
    read_by = f", histories are read by {engine.inference}" if engine.inference else ""
    _logger.info("%d requests are worked on at a time%s", threads, read_by)
    app.openapi()  # takes a moment, which no request should wait for
    background: Background = app.state.background
    background.start(app.state.metrics)
    app.state.answers.start()
    try:
        yield
    finally:
        background.stop()
        app.state.answers.stop()
        if app.state.traces is not None:
            app.state.traces.close()
        app.state.records.close()
        app.state.engine.close()


def _add_problems(app: FastAPI) -> None:
    """Every error is answered as ``{"error": ...}``."""

    @app.exception_handler(BadRequestError)
    def bad_request(_request: Request, error: BadRequestError) -> JSONResponse:
        return problem(error.status, Problem(error=str(error), fields=error.fields))

    @app.exception_handler(RequestValidationError)
    def bad_parameter(_request: Request, error: RequestValidationError) -> JSONResponse:
        complaint = invalid(error.errors())
        return problem(complaint.status, Problem(error=str(complaint), fields=complaint.fields))

    @app.exception_handler(UnknownIdError)
    def not_found(_request: Request, error: UnknownIdError) -> JSONResponse:
        return problem(404, Problem(error=str(error)))

    @app.exception_handler(StoreError)
    def store_failed(_request: Request, error: StoreError) -> JSONResponse:
        _logger.error("%s", error)
        return store_problem(error)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{error.detail}: {request.method} {request.url.path}"
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Each route knows of its own methods alone.
            headers = {"Allow": ", ".join(methods_at(app, request.scope))}
        return problem(error.status_code, Problem(error=message), headers)
