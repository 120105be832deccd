"""``swipewise feed export``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.bars import counting_bar
from swipewise.cli.options import json_option, with_workspace, workspace_option
from swipewise.cli.wording import counted
from swipewise.cli.writing import check_place, file_argument

if TYPE_CHECKING:
    from polars import DataFrame

    from swipewise.feed.engine import FeedEngine
    from swipewise.feed.exporting import Parts
    from swipewise.workspace import Workspace

_BLOCK = 200  # viewers a part

_EXAMPLES = """\b
Examples:
  swipewise feed export feeds.parquet
  swipewise feed export feeds.csv --size 50 --viewers chosen.csv -w shop
  swipewise feed export feeds.parquet --on ray
"""


@click.command(epilog=_EXAMPLES)
@file_argument
@click.option(
    "--size", type=click.IntRange(1, 1000), help="Videos a viewer.  [default: feed.size of the workspace]"
)
@click.option(
    "--viewers",
    "chosen",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV, JSONL or Parquet whose column viewer_id says whose.  [default: all with an event or a profile]",
)
@click.option("--fresh", is_flag=True, help="Begin anew, whatever an export to FILE that was stopped has made.")
@click.option(
    "--on",
    type=click.Choice(["ray"]),
    help="Who makes them: the workers of the Ray cluster at RAY_ADDRESS, or on this machine.  [default: this process]",
)
@workspace_option
@json_option
def export(
    file: Path,
    size: int | None,
    chosen: Path | None,
    fresh: bool,
    on: str | None,
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Write the feeds of all viewers to FILE.parquet, .csv or .jsonl, as they would be served now.

    A row a place: viewer_id, position, video_id, score, source, propensity, level. FILE is whole or not there.
    Nothing is logged of it, as nobody is shown it.

    An export that is stopped goes on where it was when the same command is given again within a day; where the model,
    the catalogue, the configuration, the history or the viewers have changed, it begins anew and says so.
    """
    from swipewise.feed.batch import known_viewers
    from swipewise.feed.engine import FeedEngine
    from swipewise.feed.exporting import export_parts, export_plan

    began = time.monotonic()
    check_place(file)
    viewers = known_viewers(workspace) if chosen is None else _named_in(chosen)
    with FeedEngine.open(workspace) as engine:
        note = engine.note
        plan = export_plan(engine, viewers, size=size, block=_BLOCK)
        with export_parts(file, plan, fresh=fresh) as parts:
            _make(parts, engine, viewers, size, on)
            places = _join(parts, file, len(viewers))
    if note:
        click.echo(with_workspace(f"note: {note}"), err=True)
    seconds = time.monotonic() - began
    if as_json:
        click.echo(json.dumps({"file": str(file), "viewers": len(viewers), "places": places, "seconds": seconds}))
        return
    click.echo(
        f"wrote {counted(places, 'place')} of {counted(len(viewers), 'viewer')} to {file} in {seconds:.1f} s"
    )


def _make(parts: Parts, engine: FeedEngine, viewers: Sequence[str], size: int | None, on: str | None) -> None:
    """Write the parts that are not there."""
    starts = range(0, len(viewers), _BLOCK)
    missing = [number for number in range(len(starts)) if not parts.has(number)]
    # Only the last part is shorter, so that blocks of what is missing are the parts that are.
    asked = [viewer for number in missing for viewer in viewers[starts[number] : starts[number] + _BLOCK]]
    if parts.changed:
        click.echo(f"an export that was stopped begins anew: {', '.join(parts.changed)} changed", err=True)
    elif len(asked) < len(viewers):
        done = len(viewers) - len(asked)
        click.echo(
            f"going on with an export that was stopped: {done:,} of {len(viewers):,} viewers are done", err=True
        )
    with _progress_bar(len(viewers)) as advance:
        advance(len(viewers) - len(asked))
        blocks = _made(engine, asked, size, on)
        for number, block in zip(missing, blocks, strict=True):
            parts.write(number, block)
            advance(_BLOCK)


def _join(parts: Parts, file: Path, viewers: int) -> int:
    """Make the file of its parts; returns its rows."""
    from swipewise.cli.writing import written_in_blocks
    from swipewise.feed.frames import FEED_SCHEMA

    places = 0
    with written_in_blocks(file, FEED_SCHEMA) as write:
        for block in parts.read(len(range(0, viewers, _BLOCK))):
            write(block)
            places += len(block)
    return places


def _made(engine: FeedEngine, viewers: Sequence[str], size: int | None, on: str | None) -> Iterator[DataFrame]:
    """The feeds, block by block, by this process or by others."""
    if on == "ray":
        from swipewise.feed.on_ray import feeds_on_ray

        return feeds_on_ray(engine.workspace, viewers, size=size, block=_BLOCK)
    from swipewise.feed.batch import feeds_in_blocks

    return feeds_in_blocks(engine, viewers, size=size, block=_BLOCK)


def _named_in(path: Path) -> Sequence[str]:
    """The viewers that a table names, each once, in its order."""
    from swipewise.datasets.tables import Kind, require_columns, whole
    from swipewise.errors import InputFileError
    from swipewise.schema import Col

    if not path.is_file():
        raise InputFileError(f"{path}: no such file: --viewers names a table with a column {Col.VIEWER_ID}")
    require_columns(path, (Col.VIEWER_ID,))
    ids = whole(path, {Col.VIEWER_ID: Kind.ID})[Col.VIEWER_ID].drop_nulls()
    viewers: list[str] = ids.unique(maintain_order=True).to_list()
    return viewers


@contextmanager
def _progress_bar(viewers: int) -> Iterator[Callable[[int], None]]:
    with counting_bar() as bar:
        task = bar.add_task("viewers", total=viewers)
        yield lambda done: bar.advance(task, done)
