"""``swipewise models``: which run is served."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, with_workspace, workspace_option
from swipewise.cli.trail import take_down

if TYPE_CHECKING:
    from swipewise.feed.bundles import Bundle
    from swipewise.workspace import Workspace


def _npz(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix != ".npz":
        raise click.BadParameter(f"{str(value)!r} says no format: name it .npz")
    return value


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
        click.echo(with_workspace("no finished run yet: 'swipewise train'"))


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


@command.command(epilog="Example: swipewise models export 20260101-120000-000000-0cd83d -w shop")
@click.argument("run")
@click.option(
    "--videos",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_npz,
    metavar="FILE.npz",
    help="Write the catalogue as the encoder reads it to this .npz as well, for programs without Swipewise.",
)
@workspace_option
@json_option
def export(run: str, videos: Path | None, workspace: Workspace, as_json: bool) -> None:
    """Export a run's encoder, which then reads viewers' histories in half the time; needs the extra [onnx].

    In single precision, and in 8 bits where NDCG@10 on the validation period stays within 0.5% of the network's own.
    Servers take it up when they next load the run. 'models publish' does this by itself.
    """
    from swipewise.feed import publishing

    take_down(workspace, "models export", run)
    manifest = publishing.export(workspace, run)
    if videos is not None:
        _write_videos(workspace, run, videos)
    if as_json:
        click.echo(json.dumps(asdict(manifest), indent=1))
        return
    click.echo(f"exported {run}: {', '.join(manifest.files)}")
    for name, ndcg in manifest.ndcg.items():
        click.echo(f"  {name}  NDCG@10 {ndcg:.4f} of {manifest.viewers:,} viewers")
    for name, reason in manifest.left_out.items():
        click.echo(f"note: {name} is left out: {reason}", err=True)


@command.command(epilog="Example: swipewise models rollback -w shop")
@workspace_option
@json_option
def rollback(workspace: Workspace, as_json: bool) -> None:
    """Go back to the run that was published before."""
    from swipewise.feed import publishing

    take_down(workspace, "models rollback", "the model before")
    _show(publishing.rollback(workspace), as_json)


def _write_videos(workspace: Workspace, run: str, path: Path) -> None:
    from swipewise.cli.writing import whole_file
    from swipewise.training.exported_videos import write_videos

    with whole_file(path) as part, part.open("wb") as file:
        count = write_videos(workspace, workspace.runs_dir / run, file)
    click.echo(f"wrote {count:,} videos to {path}", err=True)


def _show(bundle: Bundle, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(bundle), indent=1))
        return
    click.echo(f"published {bundle.run}")
    if bundle.retrieval:
        click.echo(f"  {bundle.retrieval}")
