"""``swipewise events``: import behaviour and look at it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli import events_export
from swipewise.cli.imports import as_json_object, check_taken, files_argument, in_words, map_option
from swipewise.cli.options import json_option, with_workspace, workspace_option
from swipewise.schema import FLAG_ACTIONS, Col

if TYPE_CHECKING:
    import polars as pl

    from swipewise.workspace import Workspace


@click.group(epilog="Example: swipewise events import log.parquet --workspace shop")
def command() -> None:
    """Import behaviour logs, look at them, write them to a file."""


command.add_command(events_export.export)


_IMPORT_EXAMPLES = """\b
Examples:
  swipewise events import events.parquet
  swipewise events import log.csv --map viewer_id=user --map video_id=item --map at=time_ms
  swipewise events import day1.jsonl day2.jsonl -w shop --json
"""


@command.command("import", epilog=_IMPORT_EXAMPLES)
@files_argument
@map_option
@workspace_option
@json_option
def import_files(files: tuple[Path, ...], mapping: Mapping[str, str], workspace: Workspace, as_json: bool) -> None:
    """Import behaviour from CSV, JSON Lines or Parquet files.

    With a column `action` (exposure, view, finish, like, comment, share, follow, skip, hide), one event a row;
    without, one interaction a row, with watch_seconds and 0/1 columns finish, like, and so on. Both need
    viewer_id, video_id and at (ISO 8601, or seconds or milliseconds since 1970); position and event_id are
    optional. A column mapped to watch_seconds whose name ends in _ms holds milliseconds. In video_id may stand the
    name of a video's file, bird.mp4 or bird, where one video alone has it.

    Importing a file again adds nothing twice. Rows that cannot be are left out, each with its reason in a file; it
    fails if nothing at all could be taken, and before anything is stored where viewers and videos stand in each
    other's column, or seconds are milliseconds.
    """
    from swipewise.catalog import Catalog
    from swipewise.catalog.names import file_names
    from swipewise.events import import_events

    videos = Catalog(workspace.catalog_dir).videos()
    started = time.monotonic()
    with _progress_bar(len(files)) as on_progress:
        summary = import_events(
            workspace,
            files,
            mapping=mapping,
            known_videos=set(videos[Col.VIDEO_ID]),
            lengths=videos,
            file_names=lambda: file_names(videos),
            on_progress=on_progress,
        )
    if as_json:
        click.echo(json.dumps(as_json_object(summary)))
    else:
        click.echo(in_words(summary, "event", time.monotonic() - started))
    check_taken(summary, files)


@command.command(epilog="Example: swipewise events compact --workspace shop")
@workspace_option
@json_option
def compact(workspace: Workspace, as_json: bool) -> None:
    """Move the events of closed days (UTC) from the live log to the history."""
    from swipewise.events import compact as move

    moved = move(workspace)
    click.echo(json.dumps(asdict(moved)) if as_json else f"moved {moved.moved} events of {moved.days} days")


@command.command(epilog="Example: swipewise events count --json")
@workspace_option
@json_option
def count(workspace: Workspace, as_json: bool) -> None:
    """Count what is in the log: events by action, viewers, videos, first and last day."""
    from swipewise.events import read_events
    from swipewise.events.history import History

    total, actions = History(workspace.events_dir).collected(lambda: _counts(read_events(workspace.events_dir)))
    facts = total[0] | {"actions": {row[Col.ACTION]: row["events"] for row in actions}}
    if as_json:
        click.echo(json.dumps(facts))
        return
    if not facts["events"]:
        click.echo(with_workspace("no events yet: 'swipewise events import FILE'"))
        return
    click.echo(f"{facts['events']} events of {facts['viewers']} viewers on {facts['videos']} videos")
    click.echo(f"from {facts['first_day']} to {facts['last_day']}")
    for action, number in facts["actions"].items():
        click.echo(f"  {action:<9} {number:>12}")


def _counts(events: pl.LazyFrame) -> list[list[dict[str, Any]]]:
    """One row of totals, and the events of each action, the most frequent first."""
    import polars as pl

    totals = events.select(
        pl.len().alias("events"),
        pl.col(Col.VIEWER_ID).n_unique().alias("viewers"),
        pl.col(Col.VIDEO_ID).n_unique().alias("videos"),
        pl.col(Col.AT).min().dt.strftime("%Y-%m-%d").alias("first_day"),
        pl.col(Col.AT).max().dt.strftime("%Y-%m-%d").alias("last_day"),
    )
    by_action = events.group_by(Col.ACTION).len("events").sort("events", Col.ACTION, descending=[True, False])
    return [frame.rows(named=True) for frame in pl.collect_all([totals, by_action])]


@command.command("list", epilog="Example: swipewise events list ann --limit 10")
@click.argument("viewer_id", metavar="VIEWER")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest.")
@workspace_option
@json_option
def list_interactions(viewer_id: str, limit: int, workspace: Workspace, as_json: bool) -> None:
    """List a viewer's last interactions, oldest first."""
    from swipewise.catalog import Catalog
    from swipewise.events import viewer_interactions

    durations = Catalog(workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    found = viewer_interactions(workspace.events_dir, viewer_id, durations, limit)
    for item in found:
        actions = [flag.value for flag in FLAG_ACTIONS if flag in item.actions]
        at = item.at.isoformat(timespec="seconds")
        if as_json:
            facts = asdict(item) | {"at": at, "actions": actions}
            click.echo(json.dumps(facts, ensure_ascii=False))
        else:
            watched = "-" if item.watch_seconds is None else f"{item.watch_seconds:.1f}s"
            share = "" if item.watch_ratio is None else f"{item.watch_ratio:.0%}"
            click.echo(f"{at}  {item.video_id}  {watched:>7} {share:>5}  {' '.join(actions)}".rstrip())
    if not found and not as_json:
        click.echo(f"no events of a viewer {viewer_id!r}")


@contextmanager
def _progress_bar(files: int) -> Iterator[Callable[[Path, int], None]]:
    """Files done and rows read on stderr, where somebody is there to watch."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rows]} rows"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("files", total=files, rows=0)
        rows = 0

        def update(_path: Path, added: int) -> None:
            nonlocal rows
            rows += added
            bar.update(task, advance=1, rows=rows)

        yield update
