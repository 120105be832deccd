"""``swipewise demo``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from swipewise.simulate.world import WorldConfig
    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise demo                   a platform in ./demo, under six minutes on two cores
  swipewise demo --quick /tmp/try  a small one; its figures mean little
"""


@click.command(epilog=_EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="demo")
@click.option("--quick", is_flag=True, help="A small world and a short training.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the simulated platform."
)
def command(directory: Path, quick: bool, seed: int) -> None:
    """Run the whole main job in DIRECTORY: raw clips to a measured feed and a report.

    The clips and vectors of an earlier run are kept, and a training that was interrupted is taken up.
    """
    from swipewise.cli.simulate import write_with_progress
    from swipewise.cli.train import show, train_with_progress
    from swipewise.simulate.truth import WORLD_NAME
    from swipewise.simulate.world import WorldConfig

    began = time.monotonic()
    world = directory / "world"
    workspace = _workspace(directory, world)
    size = WorldConfig(seed=seed, videos=120, viewers=150) if quick else WorldConfig(seed=seed)
    _title("1. a simulated platform: clips, captions, viewers with planted tastes")
    if (world / WORLD_NAME).exists():
        _refuse_another_world(world, size)
        click.echo(f"kept from an earlier run: {size.videos:,} clips, {size.viewers:,} viewers")
    else:
        written = write_with_progress(world, size)
        click.echo(f"{written.videos:,} clips, {written.exposures:,} exposures of {written.viewers:,} viewers")
    _title("2. ingestion: decode and encode every clip")
    _run(directory, "videos", "add", str(world / "videos.jsonl"))
    _title("3. behaviour and profiles")
    _run(directory, "events", "import", str(world / "events.parquet"))
    _run(directory, "viewers", "import", str(world / "viewers.parquet"))
    _title("4. training")
    show(train_with_progress(_shortened(workspace) if quick else workspace))
    _title("5. evaluation against the baselines and the oracle")
    _run(directory, "evaluate")
    _title("6. a feed, and why")
    _run(directory, "feed", "viewer00000", "--size", "5")
    click.echo(f"\nThe demo took {time.monotonic() - began:.0f} s. What to try next:")
    click.echo(f"  open {directory / 'report' / 'index.html'}")
    click.echo(f"  swipewise feed somebody-new -w {directory}")
    click.echo(f"  swipewise serve -w {directory}")


def _workspace(directory: Path, world: Path) -> Workspace:
    """The demo's workspace; one with data of its own is refused: simulated videos would mix with real ones."""
    from swipewise.errors import WorkspaceError
    from swipewise.workspace import CONFIG_NAME, Workspace

    if not (directory / CONFIG_NAME).exists():
        return Workspace.create(directory)
    workspace = Workspace.open(directory)
    if not world.exists() and (workspace.catalog_dir.exists() or workspace.events_dir.exists()):
        raise WorkspaceError(f"{directory} is a workspace with data of its own: choose another for the demo")
    return workspace


def _refuse_another_world(world: Path, wanted: WorldConfig) -> None:
    from swipewise.errors import WorkspaceError
    from swipewise.simulate.truth import Truth

    made, asked = Truth.load(world).world.config.as_dict(), wanted.as_dict()
    other = ", ".join(f"{name} {value}" for name, value in made.items() if value != asked[name])
    if other:
        raise WorkspaceError(
            f"{world} was made with other settings ({other}): give the options of the earlier run, or choose "
            "another folder ('make demo DEMO=other')"
        )


def _run(directory: Path, *words: str) -> None:
    """Run a command on the demo's workspace as if it had been typed."""
    from swipewise.cli import cli

    cli.main([*words, "--workspace", str(directory)], standalone_mode=False)


def _title(text: str) -> None:
    click.echo(f"\n== {text}")


def _shortened(workspace: Workspace) -> Workspace:
    from dataclasses import replace

    training = replace(workspace.config.training, epochs=2)
    return replace(workspace, config=replace(workspace.config, training=training))
