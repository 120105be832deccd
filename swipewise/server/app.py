"""The HTTP API: a feed for a viewer, and events from clients."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import swipewise
from swipewise.catalog import Catalog
from swipewise.errors import StoreError, UnknownIdError
from swipewise.events import finish_erasures
from swipewise.events.answer_log import AnswerLog
from swipewise.events.answers import Answers
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.jobs import JobQueue
from swipewise.events.keys import KeyStore
from swipewise.feed.engine import FeedEngine
from swipewise.ingest.work import JobRunner
from swipewise.server.catalogue import catalogue_routes
from swipewise.server.description import describe_keys
from swipewise.server.feeds import feed_routes
from swipewise.server.intake import MAX_EVENTS, BadRequestError, body_of, invalid, parse_events
from swipewise.server.keyring import KeyRing
from swipewise.server.messages import EventsAnswer, PostedEvent, Problem, one_or_many
from swipewise.server.metrics import Metrics
from swipewise.server.models import model_routes
from swipewise.server.operations import Readiness, operation_routes
from swipewise.server.problems import problem, store_problem
from swipewise.server.protection import protect
from swipewise.server.thumbnails import thumbnail_routes
from swipewise.server.videos import VideoIntake, video_routes
from swipewise.server.viewers import viewer_routes
from swipewise.workspace import Workspace

_logger = logging.getLogger(__name__)

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "Too large"},
    422: {"model": Problem, "description": "Not as it should be; names the field"},
    503: {"model": Problem, "description": "The event log cannot be reached now; try again after Retry-After"},
}
_EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": one_or_many(PostedEvent, MAX_EVENTS)},
    }
}


def create_app(workspace: Workspace, *, warm: bool = False) -> FastAPI:
    """The API of one workspace; it opens the stores now and closes them when the server stops.

    Args:
        workspace: Whose feed, and whose catalogue takes posted videos.
        warm: Whether the processes that decode posted videos start with the server, not with the first video.

    Raises:
        StoreError: A store cannot be read.
    """
    engine = FeedEngine.open(workspace)
    runner = JobRunner(workspace, publish=engine.look_for_videos, warm=warm)
    records = Database(workspace.events_dir)
    intake = VideoIntake(workspace, JobQueue(records), runner)
    app = FastAPI(title="Swipewise", version=swipewise.__version__, lifespan=_lifespan)
    app.state.engine, app.state.runner, app.state.intake = engine, runner, intake
    catalog = Catalog(workspace.catalog_dir)
    app.state.answers = AnswerLog(Answers(records), days=workspace.config.feed.log_days)
    audit, metrics = AuditLog(records), Metrics(intake.queue.counts, lambda: app.state.answers.lost)
    app.state.metrics = metrics
    app.state.records, app.state.readiness = records, Readiness(catalog, intake.queue)
    protect(app, workspace.config.server, KeyRing(KeyStore(records)), audit, metrics)
    _add_problems(app)
    describe_keys(app)
    app.include_router(operation_routes(engine, app.state.readiness, metrics, audit))
    app.include_router(video_routes(intake))
    app.include_router(feed_routes(engine, metrics, app.state.answers))

    @app.post("/v1/events", responses=_PROBLEMS, openapi_extra=_EVENTS_BODY)
    def post_events(body: Annotated[bytes, Depends(body_of("events"))]) -> EventsAnswer:
        """Take one event or a list of them, all or none.

        They are on disk when the answer comes, and an `event_id` counts once however often it is sent: a client
        that got no answer sends the same again.
        """
        events = [each.to_event() for each in parse_events(body)]
        appended = engine.observe(events)
        metrics.events_taken(appended)
        return EventsAnswer(
            added=appended.added,
            duplicates=appended.duplicates,
            erased=appended.erased,
            event_ids=[event.event_id for event in events],
            unknown_videos=list(engine.unknown_videos(events)),
        )

    app.include_router(thumbnail_routes(catalog))
    app.include_router(catalogue_routes(engine, runner))
    app.include_router(model_routes(engine))
    app.include_router(viewer_routes(engine))

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: FeedEngine = app.state.engine
    runner: JobRunner = app.state.runner
    stop = threading.Event()
    refresher = threading.Thread(target=_keep_fresh, args=(engine, stop), name="swipewise-refresh", daemon=True)
    refresher.start()
    runner.start()
    app.state.answers.start()
    try:
        yield
    finally:
        stop.set()
        runner.stop()
        app.state.answers.stop()
        app.state.records.close()
        refresher.join(timeout=10)
        engine.close()


def _keep_fresh(engine: FeedEngine, stop: threading.Event) -> None:
    """Refresh again and again, with pauses long enough that it takes a tenth of one core at most."""
    pause = engine.workspace.config.server.refresh_seconds
    while not stop.wait(pause):
        start = perf_counter()
        for what, work in (
            ("look for new videos, runs and popularity", engine.refresh),
            ("finish erasures", lambda: finish_erasures(engine.workspace)),
        ):
            try:
                work()
            except Exception:
                # The server goes on with what it has; the next round may succeed.
                _logger.exception("cannot %s", what)
        pause = max(engine.workspace.config.server.refresh_seconds, 9 * (perf_counter() - start))


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
        return problem(error.status_code, Problem(error=message), error.headers)
