"""The feed over HTTP: what may be asked, how it is answered, and what is logged of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from time import time_ns
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from swipewise.errors import DataError
from swipewise.events.answer_log import AnswerLog
from swipewise.events.answers import Answer, Place
from swipewise.feed.context import Context
from swipewise.feed.cursor import LONGEST
from swipewise.feed.engine import FeedEngine
from swipewise.feed.requests import Request
from swipewise.feed.stages import Feed
from swipewise.schema import Recommendation
from swipewise.server.intake import BadRequestError
from swipewise.server.messages import FieldProblem, Id, Problem
from swipewise.server.metrics import Metrics
from swipewise.server.tracing import Traces

MAX_FEED: Final = 1000
MAX_CONTEXT: Final = 20

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    422: {
        "model": Problem,
        "description": "Not as it should be, such as a cursor of another viewer; names the field",
    },
    503: {"model": Problem, "description": "The event log cannot be reached now; try again after Retry-After"},
}

Code = Annotated[str, Field(min_length=1, max_length=64)]
Fact = Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^=]+=.+$")]


class EvidenceAnswer(BaseModel):
    """A video of the viewer's history that speaks for a recommendation."""

    video_id: str
    similarity: float


class RecommendationAnswer(BaseModel):
    """One place of a feed and why it is there."""

    video_id: str
    position: int = Field(description="From 0, through all pages of a session.")
    score: float
    source: str = Field(description="Who proposed it; `explore`: it was drawn.")
    propensity: float = Field(
        description="Probability of this video at this place, given those before; 1: not drawn."
    )
    modality_weights: dict[str, float]
    evidence: list[EvidenceAnswer]
    controls: list[str] = Field(description="What the viewer asked for that lowered it.")

    @classmethod
    def of(cls, each: Recommendation) -> Self:
        """Put a recommendation into words for the wire."""
        return cls(
            video_id=each.video_id,
            position=each.position,
            score=each.score,
            source=each.source,
            propensity=each.propensity,
            modality_weights=each.modality_weights,
            evidence=[EvidenceAnswer(video_id=e.video_id, similarity=e.similarity) for e in each.evidence],
            controls=list(each.controls),
        )


class StepAnswer(BaseModel):
    """One stage of the feed's making."""

    stage: str
    count: int
    milliseconds: float


class DroppedAnswer(BaseModel):
    """A candidate that did not make the feed, and why."""

    video_id: str
    source: str
    reason: str


_EXAMPLE: Final[dict[str, Any]] = {
    "viewer_id": "ann",
    "request_id": "0b0f6c1f1d5a4f0e9a55b0a3c2f7d9e1",
    "level": "model",
    "note": None,
    "controls": ["audio counts 0.5 times"],
    "policy": "softmax@1 temperature=1",
    "recommendations": [
        {
            "video_id": "clip00017",
            "position": 0,
            "score": 2.31,
            "source": "interest",
            "propensity": 1.0,
            "modality_weights": {"visual": 0.4, "text": 0.3, "audio": 0.2, "attributes": 0.1},
            "evidence": [{"video_id": "clip00003", "similarity": 0.71}],
            "controls": [],
        }
    ],
    "cursor": "AecgcnMWe4ojGi4fxg",
    "trace": [{"stage": "source: interest", "count": 500, "milliseconds": 1.2}],
    "dropped": {"outranked": 1},
    "dropped_videos": [{"video_id": "clip00099", "source": "popular", "reason": "outranked"}],
}


class FeedAnswer(BaseModel):
    """A feed. `trace`, `dropped` (reasons and how many) and `dropped_videos` are given with `trace=true`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    viewer_id: str
    request_id: str = Field(description="Names this answer, also in the log of answers.")
    level: str = Field(description="What it could lean on: model, profile or popular.")
    note: str | None = Field(description="Why the level is not model.")
    controls: list[str] = Field(description="What the viewer asked for that bears on all of it.")
    policy: str | None = Field(description="How places are drawn; null where none is.")
    recommendations: list[RecommendationAnswer]
    cursor: str | None = Field(
        description="Asks for the next page, without what was shown; null where a session has to begin anew."
    )
    trace: list[StepAnswer] | None = None
    dropped: dict[str, int] | None = None
    dropped_videos: list[DroppedAnswer] | None = None

    @classmethod
    def of(cls, feed: Feed, *, trace: bool) -> Self:
        """Put a feed into words for the wire."""
        answer = cls(
            viewer_id=feed.viewer_id,
            request_id=feed.request_id,
            level=feed.level,
            note=feed.note,
            controls=list(feed.controls),
            policy=feed.explored.policy,
            recommendations=[RecommendationAnswer.of(each) for each in feed.recommendations],
            cursor=feed.cursor,
        )
        if trace:
            answer.trace = [
                StepAnswer(stage=s.stage, count=s.count, milliseconds=s.milliseconds) for s in feed.trace
            ]
            answer.dropped = dict(Counter(each.reason for each in feed.dropped))
            answer.dropped_videos = [
                DroppedAnswer(video_id=each.video_id, source=each.source, reason=each.reason)
                for each in feed.dropped
            ]
        return answer


def feed_routes(engine: FeedEngine, metrics: Metrics, answers: AnswerLog, traces: Traces | None) -> APIRouter:
    """The route of feeds, whose answers are logged and, where there are ``traces``, traced."""
    router = APIRouter()

    @router.get("/v1/feed", response_model=FeedAnswer, responses=_PROBLEMS)
    def get_feed(
        viewer_id: Annotated[Id, Query(description="Anybody; need not be known.")],
        limit: Annotated[int | None, Query(ge=1, le=MAX_FEED, description="Videos wanted.")] = None,
        cursor: Annotated[
            str | None,
            Query(max_length=LONGEST, description="Of the answer before: goes on without what was shown."),
        ] = None,
        language: Annotated[
            Code | None, Query(description="Such as en: leaves out videos known to be in others.")
        ] = None,
        region: Annotated[
            Code | None, Query(description="Where it is watched; without it what is bound to regions is left out.")
        ] = None,
        context: Annotated[
            list[Fact] | None,
            Query(
                max_length=MAX_CONTEXT, description="What rules may ask for, such as `device=tv`; may be repeated."
            ),
        ] = None,
        explain: Annotated[bool, Query(description="Whether each video comes with its reasons.")] = True,
        trace: Annotated[
            bool, Query(description="Also give each stage's count and time, and what was left out and why.")
        ] = False,
    ) -> Response:
        """The videos to show next, each with its score, its source and why it is there."""
        began = time_ns()
        request = Request(
            cursor=cursor,
            context=Context(language=language, region=region, more=_facts(context or ())),
            explained=explain,
        )
        try:
            feed = engine.feed(viewer_id, size=limit, request=request)
        except DataError as error:
            raise BadRequestError(
                422, str(error), [FieldProblem(field="cursor", message=str(error).removeprefix("cursor "))]
            ) from error
        metrics.feed_made(feed.trace)
        if traces is not None:
            traces.feed(feed.trace, began)
        answers.put(logged(feed))
        # As it is: FastAPI would check all of it again.
        return Response(FeedAnswer.of(feed, trace=trace).model_dump_json(), media_type="application/json")

    return router


def _facts(pairs: Sequence[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def logged(feed: Feed) -> Answer:
    """What is logged of a feed that is answered now."""
    return Answer(
        request_id=feed.request_id,
        viewer_id=feed.viewer_id,
        at=datetime.now(UTC),
        level=feed.level,
        policy=feed.explored.policy,
        places=tuple(
            Place(
                video_id=each.video_id,
                position=each.position,
                source=each.source,
                score=each.score,
                propensity=each.propensity,
            )
            for each in feed.recommendations
        ),
        pool=feed.explored.pool,
    )
