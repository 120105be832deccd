"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from docs.generate.markdown import in_cell, prose, table
from swipewise.cli import cli

_PROGRAM = "swipewise"
_VERBATIM = "\b"

_HEAD = """# Command line

Every command has `--help`, works in the workspace named by `--workspace` (`-w`), by `SWIPEWISE_WORKSPACE`, or in the
folder it is called from. It ends with 0 when it did what was asked, with 1 and one line on stderr where something about
the data or the workspace has to be mended, with 2 and such a line where the command line itself is wrong, and with 130
after Ctrl-C. Results go to stdout, progress and notes to stderr.
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with the words that call it; a group comes before its commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def command_page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for path, command in commands(cli):
        lines += _section(path, command)
    return "\n".join(lines)


def _section(path: tuple[str, ...], command: click.Command) -> list[str]:
    words = " ".join((_PROGRAM, *path))
    # A command keeps the names of its help from the first context it is seen in, also for calls that come after.
    context = click.Context(command, info_name=words, help_option_names=cli.context_settings["help_option_names"])
    lines = [f"{'#' * (1 + len(path))} {words}", ""]
    lines += _text(command.help or "")
    lines += ["```text", context.get_usage().removeprefix("Usage: "), "```", ""]
    if isinstance(command, click.Group):
        return lines + _text(command.epilog or "")
    records = [
        record
        for param in command.params
        if isinstance(param, click.Option) and (record := param.get_help_record(context)) is not None
    ]
    lines += table(("option", ""), ((f"`{names}`", in_cell(text)) for names, text in records))
    return lines + _text(command.epilog or "")


def _text(text: str) -> list[str]:
    """Help as Markdown: paragraphs, and blocks of examples that keep their lines."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(_VERBATIM):
            first, *rest = paragraph.removeprefix(_VERBATIM).strip("\n").splitlines()
            block = rest if first.endswith(":") else [first, *rest]
            lines += [*([prose(first), ""] if first.endswith(":") else []), "```sh"]
            lines += [line.removeprefix("  ") for line in block] + ["```", ""]
        elif paragraph.startswith("Example: "):
            lines += ["Example:", "", "```sh", paragraph.removeprefix("Example: "), "```", ""]
        elif paragraph:
            lines += [prose(paragraph), ""]
    return lines
