"""What events and profiles must be to be stored."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from swipewise.errors import DataError
from swipewise.schema import LONGEST_ID, Col, Event, Profile

# What str.strip takes for blank, beside control characters; "\s" means something else in every language.
BLANKS: Final = r"\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
ID_PATTERN: Final = rf"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f{BLANKS}][^\x00-\x1f\x7f]*$"
"""The rule of ``id_fault`` as a regular expression, for descriptions of what is taken."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_UNSOUND: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FEATURE_TYPES: Final = "a string, a number, true or false, or a list of these"


def features_json(profile: Profile) -> str:
    """A profile's features as they are stored; equal features give equal text.

    Raises:
        DataError: The viewer id is empty, or a feature is not text, number, bool or a list of these, or holds a whole
            number of more than 64 bits.
    """
    if fault := id_fault(profile.viewer_id):
        raise DataError(f"profile of viewer {profile.viewer_id[:LONGEST_ID]!r}: viewer_id {fault}")
    for name, value in profile.features.items():
        if fault := _feature_fault(value):
            raise DataError(f"profile of viewer {profile.viewer_id!r}: {name} {fault}")
    return json.dumps(profile.features, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def stated(features: Mapping[str, Any]) -> dict[str, Any]:
    """Features without those that say nothing: None, empty text, NaN.

    >>> stated({"age": "", "height": 1.8, "likes": None})
    {'height': 1.8}
    """

    def says_nothing(value: Any) -> bool:
        return value is None or value == "" or (isinstance(value, float) and math.isnan(value))

    return {name: value for name, value in features.items() if not says_nothing(value)}


def id_fault(value: str) -> str | None:
    r"""What keeps a text from being an id, None if nothing does.

    >>> id_fault("ann"), id_fault(" "), id_fault("a\nb")
    (None, 'is empty', 'holds a control character')
    """
    if not value.strip():
        return "is empty"
    if len(value) > LONGEST_ID:
        return f"has more than {LONGEST_ID} characters"
    # One look for both, as every event that is posted comes by here six times.
    if _UNSOUND.search(value) is None:
        return None
    return "holds a control character" if _CONTROL.search(value) else "is not valid Unicode"


def _feature_fault(value: Any) -> str | None:
    scalars = value if isinstance(value, list | tuple) else [] if value is None else [value]
    if not all(map(_is_scalar, scalars)):
        return f"= {value!r} must be {_FEATURE_TYPES}"
    if any(isinstance(scalar, int) and not -(2**63) <= scalar < 2**63 for scalar in scalars):
        return "holds a whole number of more than 64 bits: write it as text, or shorter as a float"
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def event_faults(event: Event) -> Iterator[str]:
    """The rules that an event breaks."""
    for name in (Col.EVENT_ID, Col.VIEWER_ID, Col.VIDEO_ID):
        if fault := id_fault(getattr(event, name)):
            yield f"{name} {fault}"
    if event.at.tzinfo is None:
        yield f"at = {event.at.isoformat()} has no time zone: give it in UTC"
    if event.watch_seconds is not None and not (0 <= event.watch_seconds < math.inf):
        yield f"watch_seconds = {event.watch_seconds} must be a number from 0"
    if event.position is not None and not (0 <= event.position < 2**31):
        yield f"position = {event.position} must be a whole number from 0"
