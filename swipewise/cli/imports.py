"""What `events import` and `viewers import` share: the column mapping and the summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.wording import counted

if TYPE_CHECKING:
    from swipewise.events import ImportSummary


def _parse(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for value in values:
        name, equals, source = value.partition("=")
        if not (name and equals and source):
            raise click.BadParameter(f"{value!r} is not of the form column=name, such as viewer_id=user")
        if name in mapping:
            raise click.BadParameter(f"{name!r} is mapped twice: to {mapping[name]!r} and to {source!r}")
        mapping[name] = source
    return mapping


files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)

map_option = click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=NAME",
    callback=_parse,
    help="Our COLUMN is called NAME in the files; may be given several times.",
)


def as_json_object(summary: ImportSummary) -> dict[str, Any]:
    """A summary as it is printed with --json."""
    rejects = summary.rejects_file
    return asdict(summary) | {"rejects_file": None if rejects is None else str(rejects)}


def check_taken(summary: ImportSummary, files: Sequence[Path]) -> None:
    """See that something could be read.

    Raises:
        InputFileError: The files hold no rows, or none of their rows could be read.
    """
    from swipewise.errors import InputFileError

    if summary.added or summary.duplicates or summary.erased:
        return
    named = ", ".join(map(str, files))
    if not summary.rejected:
        raise InputFileError(f"{named}: no rows below the header: is it the right file?")
    raise InputFileError(
        f"{named}: no row could be taken ({_first_reason(summary)}): each is with its reason in {summary.rejects_file}"
    )


def _first_reason(summary: ImportSummary) -> str:
    """The place and reason of the first rejected row."""
    assert summary.rejects_file is not None, "rows were rejected"
    with summary.rejects_file.open(encoding="utf-8") as file:
        first = json.loads(file.readline())
    return f"row {first['row']}: {first['reason']}"


def in_words(summary: ImportSummary, what: str, seconds: float) -> str:
    """A summary as text: ``what`` was counted, and where to look when rows were left out."""
    lines = [f"added {counted(summary.added, what)}, {summary.duplicates:,} known already, in {seconds:.1f} s"]
    if summary.rejected:
        lines.append(
            f"rejected {counted(summary.rejected, 'row')} ({_first_reason(summary)}); each with its reason in "
            f"{summary.rejects_file}"
        )
    if summary.erased:
        lines.append(f"left out {counted(summary.erased, what)} of viewers who were erased")
    if summary.unused_columns:
        named = ", ".join(summary.unused_columns)
        lines.append(f"nothing was taken from the columns {named}: --map COLUMN=NAME reads one under another name")
    if summary.by_file:
        lines.append(f"videos that are named by their files: {summary.by_file:,}")
    if summary.unknown_videos:
        examples = ", ".join(summary.unknown_examples)
        more = ", ..." if summary.unknown_videos > len(summary.unknown_examples) else ""
        lines.append(
            f"not in the catalogue: {counted(summary.unknown_videos, 'video')} ({examples}{more}); their events are "
            "kept and count once videos with these ids are added (see 'swipewise videos list')"
        )
    return "\n".join(lines)
