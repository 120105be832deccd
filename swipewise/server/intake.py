"""Posted events: read within limits, checked, and complained about by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from swipewise.schema import Action
from swipewise.server.messages import FieldProblem, PostedEvent

MAX_BYTES = 2 * 1024 * 1024
MAX_EVENTS = 1000
_MAX_PROBLEMS = 20

_ONE = TypeAdapter(PostedEvent)
_MANY = TypeAdapter(list[PostedEvent])


class BadRequestError(Exception):
    """A request that cannot be taken, with its HTTP status; answered as a ``Problem``."""

    def __init__(self, status: int, message: str, fields: list[FieldProblem] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields


async def posted_events(request: Request) -> list[PostedEvent]:
    """The events of a request body: one object or a list of them.

    Raises:
        BadRequestError: The body is too large (413), not JSON or not as it should be (422).
    """
    return parse_events(await read_body(request, "events"))


def parse_events(body: bytes) -> list[PostedEvent]:
    """Check a body.

    Raises:
        BadRequestError: It is not JSON, holds too many events, or one of them is not as it should be.
    """
    try:
        events = _MANY.validate_json(body) if body.lstrip()[:1] == b"[" else [_ONE.validate_json(body)]
    except ValidationError as error:
        raise invalid(error.errors(include_url=False), PostedEvent.model_fields) from error
    if len(events) > MAX_EVENTS:
        raise BadRequestError(413, f"{len(events)} events in one request: send at most {MAX_EVENTS}")
    return events


def invalid(errors: Iterable[Mapping[str, Any]], known_fields: Iterable[str] = ()) -> BadRequestError:
    """The complaint about what pydantic found: each field with the value received and the way out."""
    problems = [
        FieldProblem(field=_place(error["loc"]), message=_message(error, tuple(known_fields))) for error in errors
    ]
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    message = f"{first.field}: {first.message}{more}"
    return BadRequestError(422, message, problems[:_MAX_PROBLEMS])


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
    if kind == "extra_forbidden":
        return f"is not a field{_nearest(str(error['loc'][-1]), known_fields)}"
    if kind == "enum":
        return (
            f"unknown action {_shortened(value)}{_nearest(str(value), tuple(action.value for action in Action))}"
        )
    if kind == "json_invalid":
        return f"is not JSON ({error['ctx']['error']}): send one as an object, or a list of them"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{text[:1].lower()}{text[1:]}, not {_shortened(value)}" if kind != "value_error" else text


def _nearest(name: str, valid: tuple[str, ...]) -> str:
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(valid)}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
