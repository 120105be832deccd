"""Events that tests are written with: ann, bob, videos v1 to v3, minutes after ten o'clock on 2 March 2026."""

from datetime import UTC, datetime, timedelta

import polars as pl

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
