"""What goes over the wire."""

from __future__ import annotations

from datetime import MINYEAR, UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import uuid4

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.dataclasses import dataclass

from swipewise.events.rules import ID_PATTERN
from swipewise.schema import LONGEST_ID, Action, Event

CLOCK_TOLERANCE = timedelta(days=1)
"""How far ahead of this machine's clock an event may be dated."""
MOST_WATCH_SECONDS: Final = 1e6
LARGEST_POSITION: Final = 1_000_000


def _whole(value: Any) -> Any:
    # JSON knows no difference between 3 and 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _not_in_the_future(at: datetime) -> datetime:
    now = datetime.now(UTC)
    try:
        moment = at.astimezone(UTC)
    except OverflowError as error:
        if at.year == MINYEAR:
            raise ValueError(f"{at.isoformat()} lies before the year 1 in UTC: check the clock") from error
        moment = datetime.max.replace(tzinfo=UTC)
    # Compared in UTC, as between two zones that takes ten times as long.
    if moment > now + CLOCK_TOLERANCE:
        raise ValueError(f"{at.isoformat()} lies in the future, it is {now.isoformat()} here: check the clock")
    return moment


Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=ID_PATTERN)]
# Spelled out, as a reference would lead nowhere from where the API's description quotes this schema.
ActionName = Annotated[Action, WithJsonSchema({"type": "string", "enum": [action.value for action in Action]})]
Moment = Annotated[AwareDatetime, AfterValidator(_not_in_the_future)]


def one_or_many(model: type[Any], most: int) -> dict[str, Any]:
    """The JSON schema of a body that holds one of something or a list of at most so many."""
    one = TypeAdapter(model).json_schema()
    return {"schema": {"anyOf": [one, {"type": "array", "items": one, "maxItems": most}]}}


# An Event itself: pydantic fills it without a call of __init__.
# A Field that does not say kw_only itself is read, and complained about, before those without a default.
@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class PostedEvent(Event):
    """One thing a viewer did.

    A client that may retry gives its own `event_id`: an event without one gets a new one at each attempt, and a
    retry then counts twice.
    """

    event_id: Id = Field(default_factory=lambda: str(uuid4()), kw_only=True, description="Generated when absent.")
    viewer_id: Id
    video_id: Id
    action: ActionName
    at: Moment = Field(
        default_factory=lambda: datetime.now(UTC),
        kw_only=True,
        description="ISO 8601 with a time zone; the moment of receipt when absent.",
    )
    watch_seconds: float | None = Field(
        default=None, kw_only=True, ge=0, le=MOST_WATCH_SECONDS, allow_inf_nan=False
    )
    position: Annotated[int | None, BeforeValidator(_whole)] = Field(
        default=None, kw_only=True, ge=0, le=LARGEST_POSITION, description="Place in the feed, from 0."
    )


class EventsAnswer(BaseModel):
    """What became of posted events. All are on disk, also those with unknown videos."""

    added: int
    duplicates: int = Field(description="Events whose event_id was known already.")
    erased: int = Field(description="Of viewers who were erased, dated before that; not taken.")
    event_ids: list[str] = Field(description="In the order posted, generated ones included.")
    unknown_videos: list[str] = Field(description="Videos that are not in the catalogue; not an error.")


class HealthAnswer(BaseModel):
    """The state of the server. Without a run, `note` says why and feeds are made of what is popular."""

    status: str
    videos: int
    run: str | None
    note: str | None


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """Any error."""

    error: str
    fields: list[FieldProblem] | None = None
