"""Posted events: read within limits, checked, and complained about by field."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter, ValidationError

from swipewise.events import LiveRow
from swipewise.events.live import row_of
from swipewise.events.rules import ID_PATTERN, id_fault
from swipewise.server.event_batches import rows_of_sound
from swipewise.server.messages import FieldProblem, PostedEvent

MAX_BYTES = 2 * 1024 * 1024
MAX_EVENTS = 1000
_MAX_PROBLEMS = 20

_ONE = TypeAdapter(PostedEvent)
# Bounded before its items are looked at, so that no body makes thousands of complaints.
_MANY = TypeAdapter(Annotated[list[PostedEvent], Field(max_length=MAX_EVENTS)])


class BadRequestError(Exception):
    """A request that cannot be taken, with its HTTP status; answered as a ``Problem``."""

    def __init__(self, status: int, message: str, fields: list[FieldProblem] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields


def body_of(what: str) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency that gives a route its body; it is parsed in the route's own thread, not in that of all requests."""

    async def body(request: Request) -> bytes:
        return await read_body(request, what)

    return body


def parse_events(body: bytes) -> list[LiveRow]:
    """The events of a body, one object or a list of them, as the live log holds them.

    Raises:
        BadRequestError: It holds too many (413), is not JSON or not as it should be (422).
    """
    rows = rows_of_sound(body, MAX_EVENTS)
    return rows_one_by_one(body) if rows is None else rows


def rows_one_by_one(body: bytes) -> list[LiveRow]:
    """As :func:`parse_events`, which it is the reference of: each event is held against its model."""
    try:
        events = _MANY.validate_json(body) if body.lstrip()[:1] == b"[" else [_ONE.validate_json(body)]
    except ValidationError as error:
        found = error.errors(include_url=False)
        if any(each["type"] == "too_long" and not each["loc"] for each in found):
            raise BadRequestError(413, f"too many events in one request: send at most {MAX_EVENTS}") from error
        raise invalid(found, (field.name for field in fields(PostedEvent))) from error
    return [row_of(event) for event in events]


def invalid(errors: Iterable[Mapping[str, Any]], known_fields: Iterable[str] = ()) -> BadRequestError:
    """The complaint about what pydantic found: each field with the value received and the way out."""
    found, known = list(errors), tuple(known_fields)
    problems = [
        FieldProblem(field=_place(error["loc"]), message=_message(error, known)) for error in found[:_MAX_PROBLEMS]
    ]
    first = problems[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return BadRequestError(422, f"{first.field}: {first.message}{more}", problems)


async def read_body(request: Request, what: str) -> bytes:
    """The body, given up as soon as it is too long.

    Raises:
        BadRequestError: It is (413); fewer of ``what`` are then to be sent at a time.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise BadRequestError(413, f"the body is larger than {MAX_BYTES} bytes: send fewer {what} at a time")
    return bytes(body)


def _place(location: tuple[int | str, ...]) -> str:
    """``(3, "action")`` as ``[3].action``; the query and body prefixes of FastAPI are left out.

    >>> _place((3, "action")), _place(("query", "limit")), _place(())
    ('[3].action', 'limit', 'body')
    """
    parts = location[1:] if location and location[0] in ("query", "path", "body") else location
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "body"


def _message(error: Mapping[str, Any], known_fields: tuple[str, ...]) -> str:
    kind, value = error["type"], error.get("input")
    if kind == "missing":
        return "is required"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        what = "parameter" if error["loc"][0] == "query" else "field"
        return f"is not a {what}{_nearest(str(error['loc'][-1]), known_fields) if known_fields else ''}"
    if kind == "enum":
        valid = tuple(re.findall(r"'([^']*)'", error["ctx"]["expected"]))
        return f"unknown {error['loc'][-1]} {_shortened(value)}{_nearest(str(value), valid)}"
    if kind == "json_invalid":
        return f"is not JSON: {error['ctx']['error']}"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == ID_PATTERN:
        return f"{value!r} {id_fault(str(value))}"
    if kind.startswith(("datetime_", "timezone_")):
        return f"{_shortened(value)} is not a time with its zone, such as 2026-01-31T18:30:00Z"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{text[:1].lower()}{text[1:]}, not {_shortened(value)}" if kind != "value_error" else text


def _nearest(name: str, valid: tuple[str, ...]) -> str:
    close = get_close_matches(name, valid, n=1, cutoff=0.6)
    return f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(valid)}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
