"""``swipewise behavior activity``, ``funnel`` and ``retention``: what everybody does on the platform."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.behavior_reading import collected, kept_counts, limit_option, newest_event
from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.tables import hand_over, output_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from swipewise.workspace import Workspace

_PERIODS = 8


@click.command(
    epilog="""\b
Examples:
  swipewise behavior activity                          events a day
  swipewise behavior activity --every minute --last 2h
  swipewise behavior activity --every week -o weeks.csv
"""
)
@click.option(
    "--every",
    type=click.Choice(["minute", "hour", "day", "week"]),
    default="day",
    show_default=True,
    help="What to count by.",
)
@click.option("--last", metavar="TIME", help="Only the last 30m, 12h or 90d before the newest event.")
@limit_option
@workspace_option
@output_option
@json_option
def activity(
    every: str, last: str | None, limit: int, workspace: Workspace, output: Path | None, as_json: bool
) -> None:
    """Count events by minute, hour, day or week, and by action; the newest come last."""
    from swipewise.behavior.activity import activity as count
    from swipewise.events import read_events
    from swipewise.schema import Col

    newest = newest_event(workspace)
    since = None if last is None else newest - _length(last)
    table = collected(workspace, lambda: count(read_events(workspace.events_dir), every=every, since=since))
    total, peak = int(table[Col.EVENTS].sum()), table.row(int(table[Col.EVENTS].arg_max() or 0), named=True)
    article = "an" if every == "hour" else "a"
    hand_over(
        table,
        summary=f"{counted(total, 'event')} from {table[Col.AT][0]:%Y-%m-%d %H:%M} on, {total / len(table):,.1f} "
        f"{article} {every}; most, {peak[Col.EVENTS]:,}, in the {every} of {peak[Col.AT]:%Y-%m-%d %H:%M}",
        as_json=as_json,
        output=output,
        table=table.tail(limit) if limit else table,
    )


@click.command(
    epilog="""\b
Examples:
  swipewise behavior funnel
  swipewise behavior funnel --every week --json
  swipewise behavior funnel -o funnel.parquet -w shop
"""
)
@click.option(
    "--every", type=click.Choice(["day", "week"]), help="A row a day or week instead of one for each step."
)
@limit_option
@workspace_option
@output_option
@json_option
def funnel(every: str | None, limit: int, workspace: Workspace, output: Path | None, as_json: bool) -> None:
    """Count how many exposures led to a view, a finish, a like, a comment, a share, a follow.

    An interaction is an exposure with all that the viewer did until the same video was shown to them again; an
    action counts once in it. Steps after the view are no preconditions of one another, so a later step may have more.
    """
    from swipewise.behavior.funnel import funnel as whole
    from swipewise.behavior.funnel import funnel_over_time
    from swipewise.schema import Col

    newest_event(workspace)
    table = kept_counts(workspace, lambda rollups: whole(rollups.days))
    count = {row[Col.STEP]: row for row in table.to_dicts()}
    told = [f"{count[step][Col.SHARE]:.1%} {word}" for step, word in _TOLD if count[step][Col.SHARE] is not None]
    summary = f"{counted(count['exposure'][Col.INTERACTIONS], 'exposure')}" + (
        f": {', '.join(told)}" if told else ""
    )
    if every is not None:
        table = kept_counts(workspace, lambda rollups: funnel_over_time(rollups.days, every=every))
    shown = table.tail(limit) if limit else table
    hand_over(table, summary=summary, as_json=as_json, output=output, table=shown)


_TOLD = (
    ("view", "viewed"),
    ("finish", "finished"),
    ("like", "liked"),
    ("share", "shared"),
    ("follow", "followed"),
)


@click.command(
    epilog="""\b
Examples:
  swipewise behavior retention
  swipewise behavior retention --every week --kind rolling
  swipewise behavior retention -o retention.csv          a row a cohort and period
"""
)
@click.option(
    "--every", type=click.Choice(["day", "week"]), default="day", show_default=True, help="The length of a period."
)
@click.option(
    "--kind",
    type=click.Choice(["classic", "rolling"]),
    default="classic",
    show_default=True,
    help="Whether those count who came in that very period, or who came in it or later.",
)
@limit_option
@workspace_option
@output_option
@json_option
def retention(every: str, kind: str, limit: int, workspace: Workspace, output: Path | None, as_json: bool) -> None:
    """Follow viewers by the day or week in which they came first: how many of them came again, and when.

    Whoever was there before the log begins counts as new on its first day; the last period may not be over yet.
    """
    from swipewise.behavior.retention import overall
    from swipewise.behavior.retention import retention as follow
    from swipewise.events import read_active_days
    from swipewise.schema import Col

    newest_event(workspace)
    table = collected(workspace, lambda: follow(read_active_days(workspace.events_dir), every=every, kind=kind))
    periods = overall(table)
    viewers = int(periods[Col.SIZE][0])
    again = (
        f", {periods[Col.SHARE][1]:.1%} of those who could came again a {every} later" if len(periods) > 1 else ""
    )
    hand_over(
        table,
        summary=f"{counted(viewers, 'viewer')} in {counted(table[Col.COHORT].n_unique(), 'cohort')}{again} ({kind})",
        as_json=as_json,
        output=output,
        table=_triangle(table),
        limit=limit,
    )


def _triangle(table: pl.DataFrame) -> pl.DataFrame:
    """A row a cohort, a column for each of the first periods; the latest cohorts come first."""
    import polars as pl

    from swipewise.schema import Col

    near = table.filter(pl.col(Col.PERIOD) < _PERIODS)
    wide = near.pivot(Col.PERIOD, index=[Col.COHORT, Col.SIZE], values=Col.SHARE)
    return wide.sort(Col.COHORT, descending=True)


def _length(text: str) -> timedelta:
    import re

    units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{text!r} is no length of time: write 30m, 12h or 90d", param_hint="--last")
    return int(match[1]) * units[match[2]]
