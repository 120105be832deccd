"""TOML values held against the fields of a section, and where in the file they stand."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from swipewise.config.names import nearest
from swipewise.config.rules import RuleConfig, parse_rules
from swipewise.errors import ConfigError

_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a string in quotes", bool: "true or false"}


def parse_section(section: str, cls: type, table: dict[str, Any], text: str, path: Path) -> Any:
    """A section as its dataclass.

    Raises:
        ConfigError: A key is unknown, of the wrong type or out of range; the message places it.
    """
    known = {f.name: f for f in fields(cls)}
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        where = f"{path}:{line_of(text, section, key)}"
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} in [{section}]{nearest(key, known)}")
        if hints[key] == tuple[RuleConfig, ...]:
            values[key] = parse_rules(value, section, key, text, path, where)
        else:
            values[key] = _convert(value, hints[key], known[key].metadata, f"{where}: {section}.{key}")
    return cls(**values)


def _convert(value: Any, hint: Any, limits: Any, where: str) -> Any:
    """Check a TOML value against a field's type and limits."""
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{where} must be a list of strings, not {value!r}")
        value = tuple(value)
        return _named(value, value, limits, where)
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} must be {_TYPE_NAMES[hint]}, not {value!r}")
    if hint is float and not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, not {value!r}")
    low, high = limits["low"], limits["high"]
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low if low is not None else '-inf'} and {high}"
        raise ConfigError(f"{where} must be {bounds}, not {value!r}")
    return _named(value, (value,) if isinstance(value, str) else (), limits, where)


def _named(value: Any, given: Sequence[str], limits: Any, where: str) -> Any:
    """The value, if what it names may be named."""
    for name in given:
        if limits["names"] is not None and name not in limits["names"]:
            raise ConfigError(f"{where} names {name!r}{nearest(name, limits['names'])}")
    return value


def line_of(text: str, section: str, key: str | None = None) -> int:
    """The line of a key, or of its section where the key has none of its own; tomllib keeps no positions."""
    current: list[str] = []
    first = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\"'-]+)\s*\]", line):
            path = current = _parts(header[1])
        elif assigned := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = current + _parts(assigned[1])
        else:
            continue
        if path[0] == section:
            first = first or number
            if path[1:2] == [key]:
                return number
    return first or 1


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in dotted.split(".")]
