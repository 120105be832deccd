"""``[[feed.rules]]``: which videos a feed leaves out, for which viewers and requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from swipewise.config.names import nearest
from swipewise.errors import ConfigError

MATCHED: Final = ("tags", "creators", "languages", "videos")
"""What of a video a rule can name."""

Named = Mapping[str, tuple[str, ...]]
"""Names, and the values of which one has to be there; every name has to be met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConfig:
    """A policy rule.

    Attributes:
        reason: What is said of the videos that it leaves out.
        block: The videos that are left out.
        require: All others are; one of the two is given.
        when: What the request's context, else the viewer's profile must say for it to hold; nothing: it always does.
        unless: It does not hold where all of this is said.
    """

    reason: str
    block: Named = field(default_factory=dict)
    require: Named = field(default_factory=dict)
    when: Named = field(default_factory=dict)
    unless: Named = field(default_factory=dict)


def parse_rules(value: Any, section: str, key: str, text: str, path: Path, where: str) -> tuple[RuleConfig, ...]:
    """The rules of a file.

    Raises:
        ConfigError: One is not as it should be; the message places it.
    """
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ConfigError(
            f"{where}: {section}.{key} are tables: write each below [[{section}.{key}]], not {value!r}"
        )
    lines = [f"{path}:{number}" for number in _headers(text, section, key)]
    return tuple(
        # Written in one line, they have the line of their key.
        _rule(each, lines[place] if lines else where, f"{section}.{key}[{place}]")
        for place, each in enumerate(value)
    )


def _rule(table: dict[str, Any], where: str, name: str) -> RuleConfig:
    known = {each.name for each in fields(RuleConfig)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {name} has an unknown key {key!r}{nearest(key, known)}")
    reason = table.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigError(f"{where}: {name} needs a reason, which is said of what it leaves out, not {reason!r}")
    if ("block" in table) == ("require" in table):
        raise ConfigError(f"{where}: {name} needs block or require, one of the two")
    named = {key: _named(table.get(key, {}), f"{where}: {name}.{key}") for key in known - {"reason"}}
    for key in ("block", "require"):
        for each in named[key]:
            if each not in MATCHED:
                raise ConfigError(f"{where}: {name}.{key} names {each!r}{nearest(each, MATCHED)}")
        if key in table and not named[key]:
            raise ConfigError(f"{where}: {name}.{key} must name at least one of {', '.join(MATCHED)}")
    return RuleConfig(reason=reason.strip(), **named)


def _named(table: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise ConfigError(f'{where} must be a table, such as {{ region = ["us"] }}, not {table!r}')
    return {name: _values(value, f"{where}.{name}") for name, value in table.items()}


def _values(value: Any, where: str) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(each, str | int | float) for each in given):
        raise ConfigError(f"{where} must be a text, number, true or false, or a list of these, not {value!r}")
    return tuple(dict.fromkeys(map(plain, given)))


def plain(value: str | float | bool) -> str:
    """A value as rules compare it: whatever its case, and whether it is written as text or as what it is.

    >>> plain("US"), plain(18), plain(True)
    ('us', '18', 'true')
    """
    return str(value).strip().casefold()


def _headers(text: str, section: str, key: str) -> Iterator[int]:
    """The lines of the headers of a list of tables, in order."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*\[\[\s*{section}\s*\.\s*{key}\s*\]\]", line):
            yield number
