"""``swipewise behavior``: what viewers do, in tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli import behavior_crowd, shifts
from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.tables import hand_over, output_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from swipewise.events import Rollups
    from swipewise.workspace import Workspace

_PERIODS = 8

_EXAMPLES = """\b
Examples:
  swipewise behavior funnel                     from exposures to follows
  swipewise behavior retention --every week
  swipewise behavior audience clip00017         who watched a video, and how far
  swipewise behavior shifts --viewer ann
"""


@click.group(epilog=_EXAMPLES)
def command() -> None:
    """Look at what viewers do: activity, funnel, retention, watching, audiences, segments, shifts.

    Times are in UTC. Counts of closed days are kept in the workspace, so that only the first look takes long.
    """


command.add_command(behavior_crowd.segments)
command.add_command(behavior_crowd.interest_map)
command.add_command(shifts.command, "shifts")

_limit_option = click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Rows to print at most, 0 for all; --json and --output give all.",
)


@command.command(
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
@_limit_option
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

    newest = _newest(workspace)
    since = None if last is None else newest - _length(last)
    table = _collected(workspace, lambda: count(read_events(workspace.events_dir), every=every, since=since))
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


@command.command(
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
@_limit_option
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

    _newest(workspace)
    table = _counted(workspace, lambda rollups: whole(rollups.days))
    count = {row[Col.STEP]: row for row in table.to_dicts()}
    told = [f"{count[step][Col.SHARE]:.1%} {word}" for step, word in _TOLD if count[step][Col.SHARE] is not None]
    summary = f"{counted(count['exposure'][Col.INTERACTIONS], 'exposure')}" + (
        f": {', '.join(told)}" if told else ""
    )
    if every is not None:
        table = _counted(workspace, lambda rollups: funnel_over_time(rollups.days, every=every))
    shown = table.tail(limit) if limit else table
    hand_over(table, summary=summary, as_json=as_json, output=output, table=shown)


_TOLD = (
    ("view", "viewed"),
    ("finish", "finished"),
    ("like", "liked"),
    ("share", "shared"),
    ("follow", "followed"),
)


@command.command(
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
@_limit_option
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

    _newest(workspace)
    table = _collected(workspace, lambda: follow(read_active_days(workspace.events_dir), every=every, kind=kind))
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


@command.command(
    epilog="""\b
Examples:
  swipewise behavior watching
  swipewise behavior watching --video clip00017 --json
"""
)
@click.option("--video", metavar="ID", help="Of this video alone.")
@workspace_option
@output_option
@json_option
def watching(video: str | None, workspace: Workspace, output: Path | None, as_json: bool) -> None:
    """Draw the watch curve: the share of those who began that is still there after each part of a video."""
    from swipewise.behavior.watching import watch_curve
    from swipewise.errors import DataError
    from swipewise.events import Rollups
    from swipewise.events.rollups import WATCH_STEPS
    from swipewise.schema import Col

    _newest(workspace)
    if video is None:
        table = _counted(workspace, lambda rollups: watch_curve(rollups.watch, steps=WATCH_STEPS))
    else:
        table = watch_curve(Rollups.of(_of_video(workspace, video)).watch, steps=WATCH_STEPS)
    if not table[Col.WATCHERS][0]:
        raise DataError(
            f"nothing is known of how far anybody watched {video or 'any video'}: that takes events with "
            "watch_seconds, and videos in the catalogue ('swipewise videos add')"
        )
    whose = video or "all videos"
    watchers, remaining = int(table[Col.WATCHERS][0]), table[Col.REMAINING]
    half, whole = remaining[WATCH_STEPS // 2], remaining[-1]
    hand_over(
        table,
        summary=f"{whose} watched {counted(watchers, 'time')}: {half:.1%} to the middle, {whole:.1%} to the end",
        as_json=as_json,
        output=output,
    )


@command.command(
    epilog="""\b
Examples:
  swipewise behavior audience clip00017
  swipewise behavior audience clip00017 --limit 0
  swipewise behavior audience clip00017 -o audience.parquet
"""
)
@click.argument("video", metavar="VIDEO")
@_limit_option
@workspace_option
@output_option
@json_option
def audience(video: str, limit: int, workspace: Workspace, output: Path | None, as_json: bool) -> None:
    """List who met a video, how far they watched it, and what else they did; the keenest come first."""
    import numpy as np

    from swipewise.behavior.watching import audience as gather
    from swipewise.behavior.watching import first_exposures
    from swipewise.catalog import Catalog
    from swipewise.events import Rollups
    from swipewise.schema import Col

    rows = _of_video(workspace, video)
    table = gather(rows.lazy())
    catalogue = Catalog(workspace.catalog_dir).videos([video]).select(Col.VIDEO_ID, Col.UPLOADED_AT)
    path = first_exposures(Rollups.of(rows).videos, catalogue)
    waited = path[Col.SECONDS][0] if len(path) else None
    after = "" if waited is None else f", first shown {_span(waited)} after its upload"
    seen = table[Col.WATCH_RATIO].drop_nulls()
    middle = f", half of them to {float(np.median(seen)):.0%} of it or further" if len(seen) else ""
    hand_over(
        table,
        summary=f"{counted(len(table), 'viewer')} met {video} {counted(len(rows), 'time')}{middle}{after}",
        as_json=as_json,
        output=output,
        limit=limit,
    )


def _newest(workspace: Workspace) -> datetime:
    """The moment of the newest event; an empty log ends here."""
    import polars as pl

    from swipewise.errors import DataError
    from swipewise.events import read_events
    from swipewise.schema import Col

    newest = _collected(
        workspace, lambda: read_events(workspace.events_dir).select(pl.col(Col.AT).max()).collect()
    ).item()
    if newest is None:
        raise DataError(
            f"nobody has done anything in {workspace.root} yet: bring a log with 'swipewise events import FILE "
            f"-w {workspace.root}', or post events to 'swipewise serve'"
        )
    moment: datetime = newest
    return moment.astimezone(UTC)


def _collected(workspace: Workspace, query: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    from swipewise.events.history import History

    return History(workspace.events_dir).collected(query)


def _counted(workspace: Workspace, query: Callable[[Rollups], pl.DataFrame]) -> pl.DataFrame:
    """What a query gives of the kept counts."""
    from swipewise.events import read_rollups

    return _collected(workspace, lambda: query(read_rollups(workspace, _durations(workspace))))


def _durations(workspace: Workspace) -> pl.LazyFrame:
    from swipewise.catalog import Catalog
    from swipewise.schema import Col

    return Catalog(workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)


def _of_video(workspace: Workspace, video: str) -> pl.DataFrame:
    """The interactions with a video, with all actions.

    Raises:
        UnknownIdError: Nobody met it, nor is it in the catalogue.
    """
    from swipewise.catalog import Catalog
    from swipewise.errors import DataError, UnknownIdError
    from swipewise.events import video_interactions
    from swipewise.schema import Col

    known = Catalog(workspace.catalog_dir).videos([video])
    lengths = known.lazy().select(Col.VIDEO_ID, Col.DURATION)
    rows = _collected(workspace, lambda: video_interactions(workspace.events_dir, video, lengths).collect())
    if not rows.is_empty():
        return rows
    if known.is_empty():
        raise UnknownIdError(f"no video {video!r}: 'swipewise videos list' names those there are")
    raise DataError(f"nobody has met {video!r} yet: bring a log with 'swipewise events import FILE'")


def _length(text: str) -> timedelta:
    import re

    units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{text!r} is no length of time: write 30m, 12h or 90d", param_hint="--last")
    return int(match[1]) * units[match[2]]


def _span(seconds: float) -> str:
    """A length of time in words.

    >>> _span(90.0), _span(7200.0), _span(200_000.0)
    ('1.5 minutes', '2.0 hours', '2.3 days')
    """
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"
