"""``swipewise events export``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.wording import counted
from swipewise.cli.writing import file_argument

if TYPE_CHECKING:
    import polars as pl

    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise events export log.parquet
  swipewise events export january.csv --since 2026-01-01 --until 2026-02-01
  swipewise events export rows.parquet --interactions    the training rows: an exposure with all that followed
"""


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no date or time: write 2026-01-31 or 2026-01-31T12:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command(epilog=_EXAMPLES)
@file_argument
@click.option("--since", metavar="WHEN", callback=_moment, help="Only from this date or time on, UTC.")
@click.option("--until", metavar="WHEN", callback=_moment, help="Only before this date or time, UTC.")
@click.option("--interactions", is_flag=True, help="Fold events to interactions, one exposure a row.")
@workspace_option
@json_option
def export(
    file: Path,
    since: datetime | None,
    until: datetime | None,
    interactions: bool,
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Write the log, history and live, to FILE.parquet, .csv or .jsonl.

    One event a row, with the columns that 'events import' reads: event_id, viewer_id, video_id, action, at (UTC),
    watch_seconds, position. With --interactions one exposure a row: watch_seconds, watch_ratio, position and a flag
    an action. Events of erased viewers are in neither. FILE is whole or not there.
    """
    import polars as pl

    from swipewise.cli.writing import write_lazily
    from swipewise.events.history import History
    from swipewise.schema import Col

    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--since {since:%Y-%m-%dT%H:%M} is not before --until {until:%Y-%m-%dT%H:%M}")

    def written() -> int:
        rows = _rows(workspace, interactions)
        if since is not None:
            rows = rows.filter(pl.col(Col.AT) >= since)
        if until is not None:
            rows = rows.filter(pl.col(Col.AT) < until)
        return write_lazily(rows, file)

    count = History(workspace.events_dir).collected(written)
    what = "interaction" if interactions else "event"
    if as_json:
        click.echo(json.dumps({"file": str(file), f"{what}s": count}))
    else:
        click.echo(f"wrote {counted(count, what)} to {file}")


def _rows(workspace: Workspace, interactions: bool) -> pl.LazyFrame:
    from swipewise.catalog import Catalog
    from swipewise.events import read_events, read_interactions
    from swipewise.schema import Col

    if not interactions:
        return read_events(workspace.events_dir)
    durations = Catalog(workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    return read_interactions(workspace.events_dir, durations)
