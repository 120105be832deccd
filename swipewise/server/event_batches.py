"""Posted events that are as they should be, read column by column: a fraction of the time that one by one takes.

What is not, or may not be, is left to the model of ``messages``, which says what is wrong and decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import uuid4

import msgspec
from msgspec import UNSET, Meta, UnsetType

from swipewise.events import LiveRow
from swipewise.events.moments import microseconds
from swipewise.schema import LONGEST_ID, Action
from swipewise.server.messages import CLOCK_TOLERANCE, LARGEST_POSITION, MOST_WATCH_SECONDS

_Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]


class _Posted(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields of ``PostedEvent``, with those of its rules that cost nothing here."""

    viewer_id: _Id
    video_id: _Id
    action: Action
    event_id: _Id | UnsetType = UNSET
    at: str | UnsetType = UNSET
    watch_seconds: Annotated[float, Meta(ge=0, le=MOST_WATCH_SECONDS)] | None = None
    position: Annotated[int, Meta(ge=0, le=LARGEST_POSITION)] | None = None


_ONE: Final = msgspec.json.Decoder(_Posted)
_MANY: Final = msgspec.json.Decoder(list[_Posted])
_MOMENTS: Final = list[Annotated[datetime, Meta(tz=True)]]
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Rounded here and cut off there.
_BEYOND_MICROSECONDS: Final = re.compile(r"\.\d{7}")
_YEAR_1: Final = microseconds(datetime.min.replace(tzinfo=UTC))


def rows_of_sound(body: bytes, most: int) -> list[LiveRow] | None:
    """The rows of a body, one event or a list of them; None where anything in it may break a rule of ``PostedEvent``.

    Args:
        body: JSON.
        most: Events that it may hold.
    """
    try:
        posted = _MANY.decode(body) if body.lstrip()[:1] == b"[" else [_ONE.decode(body)]
        given = [each.at for each in posted if each.at is not UNSET]
        moments = None if _has(_BEYOND_MICROSECONDS, given) else msgspec.convert(given, _MOMENTS)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    event_ids = [str(uuid4()) if each.event_id is UNSET else each.event_id for each in posted]
    viewer_ids, video_ids = [each.viewer_id for each in posted], [each.video_id for each in posted]
    if moments is None or len(posted) > most or not _are_ids([*event_ids, *viewer_ids, *video_ids]):
        return None
    now = datetime.now(UTC)
    stored = list(map(microseconds, moments))
    if stored and not _YEAR_1 <= min(stored) <= max(stored) <= microseconds(now + CLOCK_TOLERANCE):
        return None
    if len(stored) < len(posted):
        told, received = iter(stored), microseconds(now)
        stored = [received if each.at is UNSET else next(told) for each in posted]
    actions = [each.action.value for each in posted]
    watched, positions = [each.watch_seconds for each in posted], [each.position for each in posted]
    return list(zip(event_ids, viewer_ids, video_ids, actions, stored, watched, positions, strict=True))


def _are_ids(texts: list[str]) -> bool:
    """Whether each is an id as ``events.rules.id_fault`` has it."""
    return all(map(str.strip, texts)) and not _has(_CONTROL, texts)


def _has(pattern: re.Pattern[str], texts: list[str]) -> bool:
    """Whether one of some texts holds what no two of them put together hold."""
    return pattern.search("".join(texts)) is not None
