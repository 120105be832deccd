"""``swipewise transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_EPILOG = """\b
Examples:
  swipewise transfer --from shop -w other              shop's last run on other's test period
  swipewise transfer --from shop --run 20250301-abc -w other --json
"""


@click.command(epilog=_EPILOG)
@workspace_option
@click.option(
    "--from",
    "source_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The workspace whose model is transferred.",
)
@click.option("--run", "run_name", help="Name of its run.  [default: the last]")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Settings that are tried for each baseline on the validation period.",
)
@json_option
def command(workspace: Workspace, source_dir: Path, run_name: str | None, trials: int, as_json: bool) -> None:
    """Rank for the viewers of this workspace with a model that was trained in another one.

    All ids are new to the model, even where names coincide: it has the content, the tags, the histories and the
    profiles to go by. It is compared with the last run of this workspace, if there is one, with ItemCF and with
    popularity. The report is kept in the workspace's report/transfers, a file a run, and shown by the console.
    """
    from rich.console import Console

    from swipewise.evaluation.report import json_of
    from swipewise.evaluation.transfer_report import print_transfer, write_transfer
    from swipewise.evaluation.transfer_session import transfer_workspace
    from swipewise.workspace import Workspace

    with Console(stderr=True, highlight=False).status("loading the model") as status:
        report = transfer_workspace(
            Workspace.open(source_dir), workspace, run_name=run_name, trials=trials, on_step=status.update
        )
    path = write_transfer(report, workspace.report_dir)
    if as_json:
        click.echo(json_of(report), nl=False)
    else:
        print_transfer(report, Console(highlight=False))
        click.echo(f"report: {path}")
