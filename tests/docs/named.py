"""Command lines that no block holds: those within sentences of the pages, and the examples in the help of commands."""

from __future__ import annotations

import re
import shlex

from docs.generate.commands import commands
from swipewise.cli import cli
from tests.docs.pages import PAGES, name_of, spans
from tests.docs.shell import PROGRAM, Line, parts, read

SCRIPT = re.compile(r"benchmarks/\w+\.py")


def spoken(*programs: str) -> list[Line]:
    """Where a sentence or a table of a page names one of these programs with its words."""
    lines = []
    for page in PAGES:
        for text in spans(page):
            if text.split()[0] in programs and (" " in text or "/" in text):
                lines.append(Line(name_of(page), tuple(_split(text))))
    return lines


def spoken_scripts() -> list[Line]:
    """The same of scripts of ``benchmarks/``, which are named without what runs them."""
    names = [word for page in PAGES for text in spans(page) for word in text.split()[:1] if SCRIPT.match(word)]
    return [Line(line.where, ("python", *line.words)) for line in spoken(*dict.fromkeys(names))]


def examples() -> list[Line]:
    """The command lines that the help of each command gives, without what they are piped into."""
    lines = []
    for path, command in commands(cli):
        for line in (command.epilog or "").splitlines():
            text = re.split(r" {2,}", line.strip().removeprefix("Example: "))[0]
            for words in parts(_split(text)):
                if words[:1] == [PROGRAM]:
                    lines.append(Line(f"{PROGRAM} {' '.join(path)} --help", tuple(words)))
    return lines


def named() -> dict[str, list[Line]]:
    """All of Swipewise that could be given as they stand, each once, by the first word after the program's name."""
    groups: dict[str, dict[tuple[str, ...], Line]] = {}
    for line in (*examples(), *spoken(PROGRAM)):
        if _is_whole(line):
            groups.setdefault(line.words[1], {}).setdefault(line.words, line)
    return {name: list(lines.values()) for name, lines in groups.items()}


def _is_whole(line: Line) -> bool:
    try:
        read(line.words)
    except AssertionError:
        return False
    return True


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe of a sentence
        return text.split()
