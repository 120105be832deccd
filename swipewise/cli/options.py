"""Options that several commands share."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click

_TYPED = "swipewise.workspace"
# Commands that work in no workspace, or make one.
_HINT = re.compile(r"'(swipewise (?!init|simulate|demo|datasets|restore|completion)[^']+)'")


def _open(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Any:
    from swipewise.workspace import Workspace

    ctx.meta[_TYPED] = value
    return Workspace.open(value)


def with_workspace(said: str, ctx: click.Context | None = None) -> str:
    """The commands that a message advises, each with the workspace of ``--workspace`` if that was typed.

    >>> with click.Context(click.Command("train")) as context:
    ...     context.meta[_TYPED] = Path("shop")
    ...     with_workspace("add some with 'swipewise videos add PATH'")
    "add some with 'swipewise videos add PATH -w shop'"

    Args:
        said: The message, its commands in single quotes.
        ctx: Of the command; None: the one that is running.
    """
    typed = (ctx or click.get_current_context()).meta.get(_TYPED)
    if typed is None or "'" in (place := shlex.quote(str(typed))):  # there are no quotes within quotes
        return said

    def named(hint: re.Match[str]) -> str:
        return hint[0] if " -w " in hint[1] or "--workspace" in hint[1] else f"'{hint[1]} -w {place}'"

    return _HINT.sub(named, said)


workspace_option = click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_open,
    help="The workspace to work in.  [default: here, or $SWIPEWISE_WORKSPACE]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON instead of text.")
