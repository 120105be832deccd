"""``swipewise viewers``: import profiles and look at them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.imports import as_json_object, check_taken, files_argument, in_words, map_option
from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.trail import take_down
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    from swipewise.workspace import Workspace


@click.group(epilog="Example: swipewise viewers import viewers.csv --workspace shop")
def command() -> None:
    """Import viewers' profiles, look at them, give out or erase all that is kept about a viewer."""


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
    check_taken(summary, files)


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


_EXPORT_EXAMPLES = """\b
Examples:
  swipewise viewers export ann > ann.jsonl
  swipewise viewers export ann | jq 'select(.kind == "event")'
"""


@command.command(epilog=_EXPORT_EXAMPLES)
@click.argument("viewer_id", metavar="VIEWER")
@workspace_option
def export(viewer_id: str, workspace: Workspace) -> None:
    """Print everything that is kept about a viewer, one JSON object a line.

    These are the profile, what the viewer asked of the feed, all events in order of time, and rows about the viewer
    that imports left out; "kind" says which.
    """
    from swipewise.errors import UnknownIdError
    from swipewise.events import export_viewer

    take_down(workspace, "viewers export", "a viewer")
    printed = False
    for row in export_viewer(workspace, viewer_id):
        click.echo(json.dumps(row, ensure_ascii=False))
        printed = True
    if not printed:
        raise UnknownIdError(f"nothing is kept about a viewer {viewer_id!r}")


_ERASE_EXAMPLES = """\b
Examples:
  swipewise viewers erase ann
  swipewise viewers erase ann --yes --workspace shop
"""


@command.command(epilog=_ERASE_EXAMPLES)
@click.argument("viewer_id", metavar="VIEWER")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an import or compaction that is running.",
)
@workspace_option
@json_option
def erase(viewer_id: str, yes: bool, wait: float, workspace: Workspace, as_json: bool) -> None:
    """Erase everything about a viewer from the workspace's stores; it cannot be taken back.

    Logs that are imported later do not bring the viewer back: only events after the erasure are taken, as those of a
    new viewer. Killed or held up, the same command goes on. What a trained model learned stays in it until the next
    'swipewise train'.
    """
    from swipewise.errors import WorkspaceError
    from swipewise.events import erase_viewer, export_viewer

    if not yes:
        question = f"Erase everything about viewer {viewer_id!r} from {workspace.root}?"
        if not click.confirm(question, err=True):
            raise click.ClickException("nothing was erased")
    take_down(workspace, "viewers erase", "a viewer")
    known = any(True for _ in export_viewer(workspace, viewer_id))
    erasure = erase_viewer(workspace, viewer_id, wait=wait)
    if erasure.pending is not None:
        raise WorkspaceError(
            f"viewer {viewer_id!r} is erased from the live store, not yet from files: {erasure.pending}"
        )
    done = f"erased viewer {viewer_id!r} with {counted(erasure.events, 'event')}"
    nobody = f"nothing was kept about a viewer {viewer_id!r}: is the id right? Its earlier events are not taken"
    facts = {"viewer_id": viewer_id, "events": erasure.events, "known": known}
    click.echo(json.dumps(facts) if as_json else done if known else nobody)
