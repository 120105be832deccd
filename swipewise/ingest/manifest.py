"""What a manifest's row says about a video, checked value by value."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from swipewise.ingest.locations import scheme_of
from swipewise.schema import LONGEST_ID, Col

_LONGEST_URI = 4096
LONGEST_TEXT = 20_000
"""Characters of a text that is said of a video."""
_MOST_TAGS = 1000
_SHOWN = 60
# The epoch in seconds stays below this until the year 5138; larger numbers count milliseconds, then microseconds.
_LARGEST_SECONDS = 1e11


def location_of(uri: Any, folder: Path) -> str:
    """Where the file lies that a uri names: an absolute path, relative ones from ``folder``, or a remote uri as it is.

    Raises:
        ValueError: It is no text, empty, or cannot be a path.
    """
    if not isinstance(uri, str) or not uri.strip():
        raise ValueError("no uri")
    text = uri.strip()
    if len(text) > _LONGEST_URI:
        raise ValueError(f"a uri of {len(text):,} characters: at most {_LONGEST_URI:,} are taken")
    if scheme_of(text):
        return text
    for scheme in ("file://", "local://"):
        if text.lower().startswith(scheme):
            text = unquote(text[len(scheme) :])
    if "\0" in text:
        raise ValueError(f"{_shortened(text)} cannot be a path: it holds a null byte")
    return os.path.abspath(folder / text)  # noqa: PTH100 - resolve() would follow links to another name


def video_id_of(value: Any) -> str | None:
    """The id a row gives, None where it gives none.

    Raises:
        ValueError: It cannot serve as an id.
    """
    try:
        text = _text(value)
    except ValueError as error:
        raise ValueError(f"{Col.VIDEO_ID} {_shortened(value)} {error}") from error
    if text is None:
        return None
    if len(text) > LONGEST_ID or not text.isprintable():
        raise ValueError(f"video_id {text[:40]!r} must be at most {LONGEST_ID} printable characters")
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
                raise ValueError(f"{name} {_shortened(value)} {error}") from error
    return stated


def _text(value: Any) -> str | None:
    """Text; whole numbers are taken too, as ids often are."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text")
    text = str(value).strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"has {len(text):,} characters: at most {LONGEST_TEXT:,} are taken, shorten it")
    if "\0" in text:
        raise ValueError("holds a null byte: remove it")
    return text or None


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _tags(value: Any) -> tuple[str, ...]:
    """A list, or text with commas or else spaces between the tags; a leading # is dropped."""
    return _distinct(tag.lstrip("#") for tag in _list(value))


def _regions(value: Any) -> tuple[str, ...]:
    """The same of regions, whose case says nothing."""
    return _distinct(region.lower() for region in _list(value))


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split(",") if "," in value else value.split()
    if not isinstance(value, list):
        raise ValueError("must be a list, or text with commas or spaces between them")
    if len(value) > _MOST_TAGS:
        raise ValueError(f"are {len(value):,}: at most {_MOST_TAGS:,} are taken")
    return [_text(each) or "" for each in value]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


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
    Col.REGIONS: _regions,
    Col.AVAILABLE_FROM: _moment,
    Col.AVAILABLE_UNTIL: _moment,
}

COLUMNS: Final = (Col.URI, Col.VIDEO_ID, *_PARSERS)
"""The columns of a manifest that are read."""
