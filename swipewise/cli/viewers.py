"""``swipewise viewers``: import profiles and look at them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.imports import as_json_object, files_argument, in_words, map_option
from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.workspace import Workspace


@click.group(epilog="Example: swipewise viewers import viewers.csv --workspace shop")
def command() -> None:
    """Import viewers' profiles and look at them."""


_IMPORT_EXAMPLES = """\b
Examples:
  swipewise viewers import viewers.parquet
  swipewise viewers import users.csv --map viewer_id=user_id --map age=age_group
"""


@command.command("import", epilog=_IMPORT_EXAMPLES)
@files_argument
@map_option
@workspace_option
@json_option
def import_files(files: tuple[Path, ...], mapping: Mapping[str, str], workspace: Workspace, as_json: bool) -> None:
    """Import profiles from CSV, JSON Lines or Parquet files.

    The column viewer_id says whose a row is; every other column is a feature: text, a number, true or false, or,
    in JSON Lines and Parquet, a list of these. A viewer's later row replaces the earlier one.
    """
    from swipewise.events import import_viewers

    started = time.monotonic()
    summary = import_viewers(workspace, files, mapping=mapping)
    if as_json:
        click.echo(json.dumps(as_json_object(summary)))
    else:
        click.echo(in_words(summary, "profile", time.monotonic() - started))


@command.command(epilog="Example: swipewise viewers show ann")
@click.argument("viewer_id", metavar="VIEWER")
@workspace_option
@json_option
def show(viewer_id: str, workspace: Workspace, as_json: bool) -> None:
    """Show a viewer's profile."""
    from swipewise.errors import UnknownIdError
    from swipewise.events import EventLog

    with EventLog.open(workspace.events_dir) as log:
        profile = log.profile(viewer_id)
    if profile is None:
        raise UnknownIdError(
            f"no profile of a viewer {viewer_id!r}: import some with 'swipewise viewers import FILE'"
        )
    if as_json:
        click.echo(json.dumps({"viewer_id": viewer_id, **profile.features}, ensure_ascii=False))
        return
    for name, value in profile.features.items():
        click.echo(f"{name:<24} {', '.join(map(str, value)) if isinstance(value, list) else value}")
