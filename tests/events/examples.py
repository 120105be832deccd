"""Events that tests are written with: ann, bob, videos v1 to v3, minutes after ten o'clock on 2 March 2026."""

from datetime import UTC, datetime, timedelta

import polars as pl

from swipewise.events.answers import Answer, Place
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.schema import Action, Event

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
DURATIONS = pl.LazyFrame({"video_id": ["v1", "v2", "v3"], "duration_seconds": [10.0, 0.0, None]})


def minute(number: float) -> datetime:
    return TEN + timedelta(minutes=number)


def event(
    event_id: str,
    action: str = "view",
    at: datetime = TEN,
    *,
    viewer: str = "ann",
    video: str = "v1",
    watch: float | None = None,
    position: int | None = None,
) -> Event:
    return Event(
        event_id=event_id,
        viewer_id=viewer,
        video_id=video,
        action=Action(action),
        at=at,
        watch_seconds=watch,
        position=position,
    )


def frame(*events: Event) -> pl.LazyFrame:
    rows = [tuple(getattr(item, name) for name in EVENT_SCHEMA) for item in events]
    return pl.LazyFrame(rows, schema=EVENT_SCHEMA, orient="row")


def answer(request_id: str, viewer: str = "ann", at: datetime = TEN) -> Answer:
    return Answer(
        request_id=request_id,
        viewer_id=viewer,
        at=at,
        level="model",
        policy="softmax@1 temperature=1",
        places=(
            Place(video_id="v1", position=0, source="interest", score=1.5, propensity=1.0),
            Place(video_id="ü", position=1, source="explore", score=0.25, propensity=0.1 + 0.2),
        ),
        pool=(("ü", 0.25), ("v3", -1.0)),
    )
