"""The reference of ``swipewise.toml``, from the dataclasses that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any, get_type_hints

from docs.generate.markdown import in_cell, prose, table
from swipewise.config import Config, RuleConfig
from swipewise.config.names import ENCODER_NAMES, HUGGINGFACE, PYTHON, unknown_encoder
from swipewise.config.rules import MATCHED
from swipewise.config.whole import as_toml

VARIABLES = {
    "SWIPEWISE_WORKSPACE": "the workspace that commands work in where none is named",
    "SWIPEWISE_DATABASE": "address of the live log; comes before `events.database`",
    "SWIPEWISE_DATABASE_PASSWORD": "its password, where the address has none",
}
"""Variables of the environment that Swipewise itself reads, beside those of libraries below it."""

_HEAD = """# Configuration

`swipewise init` writes a `swipewise.toml` with every key, its default and what it means, each commented out. A key left
out keeps its default. An unknown key, a wrong type and a value out of range are errors that name file, line and the
nearest valid key; nothing is ignored. Keys count from the next command on, for a server from its next start.
"""

_TYPES = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text", tuple: "list of texts"}


def configuration_page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for section, cls in get_type_hints(Config).items():
        lines += [f"## [{section}]", "", prose(cls.__doc__), ""]
        rows = ((f"`{key.name}`", *_cells(section, key)) for key in fields(cls))
        lines += table(("key", "default", "takes", ""), rows)
        if section == "feed":
            lines += _rules()
    lines += [
        "## Environment",
        "",
        *table(("variable", ""), ((f"`{name}`", what) for name, what in VARIABLES.items())),
    ]
    return "\n".join(lines)


def _cells(section: str, key: Field[Any]) -> tuple[str, str, str]:
    return f"`{as_toml(key.default)}`", _takes(section, key), in_cell(key.metadata["help"])


def _takes(section: str, key: Field[Any]) -> str:
    """What a value may be: the names it may have, else its type with its limits."""
    if section == "encoders" and key.name in ENCODER_NAMES:
        prefixes = [
            prefix for prefix in (HUGGINGFACE, PYTHON) if unknown_encoder(key.name, f"{prefix}a:b") is None
        ]
        named = [*ENCODER_NAMES[key.name], *(f"{prefix}…" for prefix in prefixes), "none"]
        return ", ".join(f"`{name}`" for name in named)
    if key.name == "rules":
        return "tables, see below"
    kind = tuple if isinstance(key.default, tuple) else type(key.default)
    if names := key.metadata["names"]:
        listed = ", ".join(f"`{name}`" for name in names)
        return f"list of {listed}" if kind is tuple else listed
    return ", ".join([_TYPES[kind], *_limits(key.metadata["low"], key.metadata["high"])])


def _limits(low: float | None, high: float | None) -> Iterator[str]:
    if low is not None and high is not None:
        yield f"{low:g} to {high:g}"
    elif low is not None:
        yield f"at least {low:g}"


def _rules() -> list[str]:
    """What a ``[[feed.rules]]`` may say; [feeds](feeds.md) has an example."""
    what = {
        "reason": "what is said of the videos it leaves out",
        "block": "the videos that are left out, by " + ", ".join(f"`{name}`" for name in MATCHED),
        "require": "all others are left out; of `block` and `require` a rule has one",
        "when": "what the request's context, else the viewer's profile must say for it to hold; nothing: always",
        "unless": "it does not hold where all of this is said",
    }
    assert set(what) == {each.name for each in fields(RuleConfig)}, "a rule has other keys than are told here"
    return ["### [[feed.rules]]", "", *table(("key", ""), ((f"`{name}`", text) for name, text in what.items()))]
