"""``swipewise models``: which run is served."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.trail import take_down

if TYPE_CHECKING:
    from swipewise.feed.bundles import Bundle
    from swipewise.workspace import Workspace


@click.group(epilog="Example: swipewise models list --workspace shop")
def command() -> None:
    """Choose which run is served.

    The newest finished run is, unless publish = "manual" in [server] of swipewise.toml: then it is the one published.
    """


@command.command("list", epilog="Example: swipewise models list -w shop")
@workspace_option
@json_option
def list_runs(workspace: Workspace, as_json: bool) -> None:
    """List the finished runs, newest first."""
    from swipewise.feed.publishing import list_models

    models = list_models(workspace)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in models], indent=1))
        return
    for each in models:
        ndcg = "-" if each.validation_ndcg is None else f"{each.validation_ndcg:.4f}"
        click.echo(f"{each.run}  validation NDCG@10 {ndcg}{'  published' if each.published else ''}")
    if not models:
        click.echo("no finished run yet: 'swipewise train'")


@command.command(epilog="Example: swipewise models publish 20260101-120000-000000-0cd83d -w shop")
@click.argument("run")
@workspace_option
@json_option
def publish(run: str, workspace: Workspace, as_json: bool) -> None:
    """Serve a run from now on.

    Its parts are checked first: one that does not load on this catalogue is refused. Running servers take it up within
    server.refresh_seconds, and refuse it by themselves where a file is not what was published.
    """
    from swipewise.feed import publishing
    from swipewise.training.workspace_data import other_encoders

    take_down(workspace, "models publish", run)
    bundle = publishing.publish(workspace, run)
    for note in other_encoders(bundle.encoders, workspace):
        click.echo(f"note: {note}", err=True)
    _show(bundle, as_json)


@command.command(epilog="Example: swipewise models rollback -w shop")
@workspace_option
@json_option
def rollback(workspace: Workspace, as_json: bool) -> None:
    """Go back to the run that was published before."""
    from swipewise.feed import publishing

    take_down(workspace, "models rollback", "the model before")
    _show(publishing.rollback(workspace), as_json)


def _show(bundle: Bundle, as_json: bool) -> None:
    click.echo(json.dumps(asdict(bundle), indent=1) if as_json else f"published {bundle.run}")
