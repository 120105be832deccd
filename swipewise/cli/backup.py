"""``swipewise backup``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    from swipewise.backup import Manifest

_EXAMPLES = """\b
Examples:
  swipewise backup /backups/monday -w shop    while the server runs
  swipewise backup --verify /backups/monday   read it all again
"""


@click.command(epilog=_EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--verify", is_flag=True, help="Check the backup that is there instead of making one.")
@click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path, file_okay=False),
    help="The workspace to copy.  [default: here, or $SWIPEWISE_WORKSPACE]",
)
@json_option
def command(directory: Path, verify: bool, workspace: Path | None, as_json: bool) -> None:
    """Copy the workspace to DIRECTORY: events, videos, runs, jobs, profiles, uploads and configuration.

    Servers and other commands may go on meanwhile. The backup is whole or not there, and yours alone to read.
    It holds no passwords: a queued job whose address needs one has to be posted again once it was rejected.
    """
    from swipewise.backup import make_backup, verify_backup
    from swipewise.workspace import Workspace

    manifest = verify_backup(directory) if verify else make_backup(Workspace.open(workspace), directory)
    if as_json:
        click.echo(json.dumps({"directory": str(directory), **facts(manifest)}))
        return
    click.echo(f"{'checked' if verify else 'made'} {directory}: {in_words(manifest)}")


def facts(manifest: Manifest) -> dict[str, Any]:
    """What a manifest says, for programs."""
    return {
        "made_at": manifest.made_at,
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "rows": manifest.rows,
        "history_version": manifest.history_version,
    }


def in_words(manifest: Manifest) -> str:
    """What a manifest says, on one line."""
    files, rows = counted(len(manifest.files), "file"), counted(sum(manifest.rows.values()), "row")
    return f"{files} of {manifest.bytes / 1e6:.1f} MB, {rows} of the live log, as of {manifest.made_at}"
