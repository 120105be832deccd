"""Command lines of the documentation: split, read as the real command reads them, and where possible run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from swipewise.cli import cli
from tests.docs.pages import Block

PROGRAM = "swipewise"


@dataclass(frozen=True, slots=True)
class Line:
    """One command line: its words without comments, and where it stands."""

    where: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where} {' '.join(self.words)}"


def lines_of(block: Block) -> list[Line]:
    """The command lines of a block; those that go on after a backslash or within quotes are one."""
    lines: list[Line] = []
    pending, began = "", block.line
    for offset, text in enumerate(block.text.splitlines(), 1):
        pending = f"{pending}\n{text}" if pending else text
        began = began if "\n" in pending else block.line + offset
        if pending.rstrip().endswith("\\"):
            pending = pending.rstrip()[:-1]
            continue
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quote is still open
            continue
        lines += [Line(f"{block.page}:{began}", tuple(part)) for part in parts(words) if part]
        pending = ""
    assert not pending, f"{block} ends within a command"
    return lines


def parts(words: Sequence[str]) -> list[list[str]]:
    """Commands joined by && and |, each without what it is redirected to and the variables set before it."""
    parts: list[list[str]] = [[]]
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("&&", "|"):
            parts.append([])
        elif word in (">", ">>", "2>"):
            skip = True
        elif not parts[-1] and "=" in word and word.partition("=")[0].isidentifier():
            continue
        else:
            parts[-1].append(word)
    return parts


def read(words: Sequence[str], *, whole: bool = True) -> tuple[str, ...]:
    """Have the command line's own parser read a command of Swipewise; nothing runs and nothing is opened.

    Args:
        words: The command line, from ``swipewise`` on.
        whole: Whether arguments that it needs must be there; a sentence may leave them out.

    Returns:
        The words that name the command.
    """
    assert words[0] == PROGRAM
    command: click.Command = cli
    path: list[str] = []
    rest = list(words[1:])
    context = click.Context(cli, info_name=PROGRAM, **cli.context_settings)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if path == ["feed"] and command.get_command(context, rest[0]) is None:
            rest.insert(0, "show")  # a viewer stands where a command would
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]!r}"
        command, context = found, click.Context(found, info_name=rest[0], parent=context)
        path.append(rest.pop(0))
    if isinstance(command, click.Group):
        assert rest in (["--help"], ["-h"], ["--version"]) or not (whole or rest), f"{path} is a group of commands"
        return tuple(path)
    values, left, _ = command.make_parser(context).parse_args(rest)
    assert not left, f"nothing takes {left}"
    for param in command.params:
        given = _given(values.get(param.name or ""))
        if given:
            param.type_cast_value(context, values[param.name or ""])
        elif whole and param.required:
            raise AssertionError(f"{param.human_readable_name} is missing")
    return tuple(path)


def _given(value: Any) -> bool:
    # What was not given is None in older versions of click, and a sentinel in newer ones.
    return value is not None and value != () and type(value).__name__ != "Sentinel"
