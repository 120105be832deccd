"""The route that takes events."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from swipewise.feed.engine import FeedEngine
from swipewise.server.intake import MAX_EVENTS, body_of, parse_events
from swipewise.server.messages import EventsAnswer, PostedEvent, Problem, one_or_many
from swipewise.server.metrics import Metrics

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


def event_routes(engine: FeedEngine, metrics: Metrics) -> APIRouter:
    """The route of the live log of an engine's workspace.

    Args:
        engine: What the events count for at once.
        metrics: Told how many were taken.
    """
    router = APIRouter()

    @router.post("/v1/events", response_model=EventsAnswer, responses=_PROBLEMS, openapi_extra=_EVENTS_BODY)
    def post_events(body: Annotated[bytes, Depends(body_of("events"))]) -> Response:
        """Take one event or a list of them, all or none.

        They are on disk when the answer comes, and an `event_id` counts once however often it is sent: a client
        that got no answer sends the same again.
        """
        rows = parse_events(body)
        appended = engine.observe_rows(rows)
        metrics.events_taken(appended)
        answer = EventsAnswer(
            added=appended.added,
            duplicates=appended.duplicates,
            erased=appended.erased,
            event_ids=[event_id for event_id, *_ in rows],
            unknown_videos=engine.unknown_videos(video_id for _, _, video_id, *_ in rows),
        )
        # As it is: FastAPI would check all of it again.
        return Response(answer.model_dump_json(), media_type="application/json")

    return router
