"""How figures are written out, on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from swipewise.evaluation.segments import Group, Segment, group_of
from swipewise.evaluation.significance import LEVEL

Figure = Mapping[str, Any]
"""``value``, ``low`` and ``high`` of an estimate in ``report.json``."""


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or that there is none.

    >>> number(0.12345), number(None)
    ('0.123', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign.

    >>> signed(0.1), signed(-0.1)
    ('+0.100', '−0.100')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def interval(found: Figure | None, digits: int = 3) -> str:
    """From where to where, or that there is no interval."""
    if found is None or found["low"] is None or found["high"] is None:
        return "no interval"
    return f"{found['low']:.{digits}f} to {found['high']:.{digits}f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """A p-value as precisely as random signs allow.

    >>> p_value(0.0001), p_value(0.0312), p_value(None)
    ('<0.001', '0.031', '–')
    """
    if p is not None and p < 0.001:
        return "<0.001"
    return number(p)


def verdict(against: Mapping[str, Any]) -> int:
    """1 where the model is better by more than chance, -1 where it is worse, 0 where it cannot be told.

    Both have to say so: the interval of the difference, and the p-value corrected for the number of comparisons.
    """
    low, high, p = against["difference"]["low"], against["difference"]["high"], against["p_holm"]
    if p is None or p >= LEVEL:
        return 0
    return int(low is not None and low > 0) - int(high is not None and high < 0)


def segment_title(segment: str) -> str:
    """A segment's name as a heading.

    >>> segment_title("all"), segment_title("cold videos"), segment_title("tags=cats"), segment_title("without audio")
    ('All viewers', 'Cold videos', 'Tag cats', 'Videos without audio')
    """
    if segment == Segment.ALL:
        return "All viewers"
    if group_of(segment) == Group.MODALITY:
        return f"Videos {segment}"
    if group_of(segment) == Group.CATEGORY:
        column, _, value = segment.partition("=")
        return f"{column.removesuffix('s').capitalize()} {value}"
    return segment.capitalize()


def day(moment: str) -> str:
    """A moment's date.

    >>> day("2025-03-01T12:00:00+00:00")
    '1 Mar 2025'
    """
    when = datetime.fromisoformat(moment)
    return f"{when.day} {when:%b %Y}"


def minute(moment: str) -> str:
    """A moment to the minute.

    >>> minute("2025-03-01T12:00:59+00:00")
    '2025-03-01 12:00'
    """
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
