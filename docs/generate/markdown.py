"""Markdown from plain text: escaping, tables and links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ACTIVE = re.compile(r"([\\`*_{}<>|\[\]])")


def escaped(text: str) -> str:
    r"""Text that means nothing to Markdown.

    >>> escaped("a_b | <id>")
    'a\\_b \\| \\<id\\>'
    """
    return _ACTIVE.sub(r"\\\1", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, with an empty one after it; none where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines, ""]


def prose(text: str) -> str:
    """Text of the code with its ``names`` as Markdown's `names`."""
    parts = re.split(r"(``.+?``|`[^`\n]+`)", text)
    return "".join(f"`{part.strip('`')}`" if part.startswith("`") else escaped(part) for part in parts)


def in_cell(text: str) -> str:
    """Prose in one line, as a cell of a table takes it."""
    return " ".join(prose(text).split())
