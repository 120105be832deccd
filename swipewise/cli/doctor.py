"""``swipewise doctor``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option

if TYPE_CHECKING:
    from swipewise.doctor.finding import Finding

_EXAMPLES = """\b
Examples:
  swipewise doctor
  swipewise doctor -w shop
  swipewise doctor --json | jq '.[] | select(.state != "ok")'
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--workspace",
    "-w",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The workspace to look at.  [default: here, or $SWIPEWISE_WORKSPACE; none is no failure]",
)
@json_option
def command(root: Path | None, as_json: bool) -> None:
    """Check the installation and a workspace, and say what to mend.

    Looks at Python, libraries, codecs, extras and a GPU; then at the workspace's configuration, disk, stores, encoders,
    model and index, and whether its address is free. Nothing is changed but that stores of earlier versions are
    brought up to date, as by every command. Exit code 1 where something fails.
    """
    from swipewise.doctor.finding import State, warn
    from swipewise.doctor.installation import check_installation
    from swipewise.doctor.workspace import check_workspace
    from swipewise.workspace import CONFIG_NAME, VARIABLE

    findings = list(check_installation())
    place = root or Path(os.environ.get(VARIABLE) or ".")
    if root is not None or VARIABLE in os.environ or (place / CONFIG_NAME).is_file():
        findings += check_workspace(place)
    else:
        findings.append(warn("workspace", f"none in {place.resolve()}", "swipewise init DIR, or name one with -w"))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], ensure_ascii=False, indent=1))
    else:
        _print(findings)
    if any(each.state is State.FAIL for each in findings):
        raise SystemExit(1)


def _print(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    table = Table("check", "state", "found", "what to do", box=None)
    for column in table.columns[2:]:
        column.overflow = "fold"
    for each in findings:
        state = Text(each.state, style=colours[each.state])
        table.add_row(each.check, state, Text(each.found), Text(each.mend or ""))
    console = Console()
    Console(width=console.width if console.is_terminal else 160).print(table)
    counts = {state: sum(each.state == state for each in findings) for state in colours}
    click.echo(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
