"""What a manifest's row says about a video, checked value by value."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from swipewise.schema import Col

_LONGEST_ID = 256
# The epoch in seconds stays below this until the year 5138; larger numbers count milliseconds, then microseconds.
_LARGEST_SECONDS = 1e11


def file_of(uri: Any, folder: Path) -> Path:
    """The absolute path that a uri names, relative ones from ``folder``.

    Raises:
        ValueError: It is no text, empty, or not on this machine.
    """
    if not isinstance(uri, str) or not uri.strip():
        raise ValueError("no uri")
    text = uri.strip()
    if text.startswith("file://"):
        text = unquote(text.removeprefix("file://"))
    elif "://" in text:
        raise ValueError(f"{text!r} is not on this machine: fetch the file and name its path")
    if "\0" in text:
        raise ValueError(f"{text!r} cannot be a path")
    return Path(os.path.abspath(folder / text))  # noqa: PTH100 - resolve() would follow links to another name


def video_id_of(value: Any) -> str | None:
    """The id a row gives, None where it gives none.

    Raises:
        ValueError: It cannot serve as an id.
    """
    text = _text(value)
    if text is None:
        return None
    if len(text) > _LONGEST_ID or not text.isprintable():
        raise ValueError(f"video_id {text[:40]!r} must be at most {_LONGEST_ID} printable characters")
    return text


def stated_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``schema.Video`` that a row states; a field that is None says nothing, an empty one clears.

    Raises:
        ValueError: A value cannot be understood; the message names column and value.
    """
    stated = {}
    for name, parse in _PARSERS.items():
        if (value := values.get(name)) is not None:
            try:
                stated[name] = parse(value)
            except (ValueError, OverflowError) as error:
                raise ValueError(f"{name} {value!r} {error}") from error
    return stated


def _text(value: Any) -> str | None:
    """Text; whole numbers are taken too, as ids often are."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text")
    return str(value).strip() or None


def _tags(value: Any) -> tuple[str, ...]:
    """A list, or text with commas or else spaces between the tags; a leading # is dropped."""
    if isinstance(value, str):
        value = value.split(",") if "," in value else value.split()
    if not isinstance(value, list):
        raise ValueError("must be a list, or text with commas or spaces between the tags")
    tags = [(_text(tag) or "").lstrip("#") for tag in value]
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _moment(value: Any) -> datetime | None:
    """ISO 8601 or seconds, milliseconds or microseconds since 1970; UTC unless it says otherwise."""
    if isinstance(value, str):
        if not value.strip():
            return None
        value = _number(value) or value.strip()
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("is no ISO 8601 time, such as 2026-01-31T12:00:00Z, and no number") from error
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(float(value))
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError("must be an ISO 8601 time or a number of seconds since 1970")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _from_epoch(number: float) -> datetime:
    if not math.isfinite(number):
        raise ValueError("is no time")
    while abs(number) > _LARGEST_SECONDS:
        number /= 1000
    return datetime.fromtimestamp(number, UTC)


_PARSERS: Final[dict[str, Callable[[Any], Any]]] = {
    Col.CAPTION: _text,
    Col.CREATOR: _text,
    Col.MUSIC: _text,
    Col.TAGS: _tags,
    Col.LANGUAGE: _text,
    Col.UPLOADED_AT: _moment,
}

COLUMNS: Final = (Col.URI, Col.VIDEO_ID, *_PARSERS)
"""The columns of a manifest that are read."""
