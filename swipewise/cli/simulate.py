"""``swipewise simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option

if TYPE_CHECKING:
    from swipewise.simulate.platform import Written
    from swipewise.simulate.world import WorldConfig

_EXAMPLES = """\b
Examples:
  swipewise simulate world
  swipewise simulate small --videos 200 --viewers 300 --seed 7
"""


@click.command(epilog=_EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--videos", type=click.IntRange(10, 1_000_000), default=None, help="Clips to render.  [default: 1000]"
)
@click.option("--viewers", type=click.IntRange(2, 10_000_000), default=None, help="Viewers.  [default: 1000]")
@click.option("--days", type=click.IntRange(2, 365), default=None, help="Days of behaviour.  [default: 30]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of everything drawn.")
@click.option(
    "--taste-groups", type=click.IntRange(0, 1000), help="Groups of viewers who like the same.  [default: 0]"
)
@json_option
def command(
    directory: Path,
    videos: int | None,
    viewers: int | None,
    days: int | None,
    seed: int,
    taste_groups: int | None,
    as_json: bool,
) -> None:
    """Write a simulated short-video platform whose truth is known to DIRECTORY.

    Real mp4 files whose themes can be seen and heard, captions, and viewers with planted tastes who watch, like, share
    and skip. truth.parquet holds what each viewer truly wants. With --taste-groups viewers come in groups that weigh
    modalities alike and like the same; each viewer's group is in truth.parquet then.
    """
    import json
    from dataclasses import asdict

    from swipewise.simulate.world import WorldConfig

    sizes = {"videos": videos, "viewers": viewers, "days": days, "taste_groups": taste_groups}
    config = WorldConfig(seed=seed, **{name: value for name, value in sizes.items() if value is not None})
    written = write_with_progress(directory, config)
    if as_json:
        click.echo(json.dumps(asdict(written) | {"directory": str(directory)}))
        return
    click.echo(
        f"wrote {written.videos:,} clips and {written.exposures:,} exposures of {written.viewers:,} viewers "
        f"({written.events:,} events) to {directory}"
    )
    click.echo(f"next: swipewise init shop && swipewise videos add {directory / 'videos.jsonl'} -w shop")


def write_with_progress(directory: Path, config: WorldConfig) -> Written:
    """Simulate with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from swipewise.simulate.platform import write_world

    console = Console(stderr=True)
    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("clips", total=config.videos)
        return write_world(directory, config, on_clip=lambda done, _total: progress.update(bar, completed=done))
