"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from swipewise.errors import SwipewiseError


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """It works, but not as it might."""
    FAIL = "fail"
    """Something does not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination: what was looked at, how it is, what was found, and what to do about it."""

    check: str
    state: State
    found: str
    mend: str | None = None


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, state=State.OK, found=found)


def warn(check: str, found: str, mend: str) -> Finding:
    """It works, but not as it might."""
    return Finding(check=check, state=State.WARN, found=found, mend=mend)


def fail(check: str, found: str, mend: str) -> Finding:
    """Something does not work."""
    return Finding(check=check, state=State.FAIL, found=found, mend=mend)


def guarded(check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; an error that a user can meet is a failure with the error's own way out."""
    try:
        yield from look()
    except SwipewiseError as error:
        told = " ".join(str(error).split())
        found, colon, mend = told.partition(": ")
        # Where the first part names a file alone, what is wrong comes after it.
        if colon and " " not in found:
            rest, colon, mend = mend.partition(": ")
            found = f"{found}: {rest}"
        yield fail(check, found, mend or "see the message")
