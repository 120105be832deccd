"""``swipewise behavior watching`` and ``audience``: how far videos are watched, and who meets one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.behavior_reading import kept_counts, limit_option, newest_event, of_video
from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.tables import hand_over, output_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    from swipewise.workspace import Workspace


@click.command(
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

    newest_event(workspace)
    if video is None:
        table = kept_counts(workspace, lambda rollups: watch_curve(rollups.watch, steps=WATCH_STEPS))
    else:
        table = watch_curve(Rollups.of(of_video(workspace, video)).watch, steps=WATCH_STEPS)
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


@click.command(
    epilog="""\b
Examples:
  swipewise behavior audience clip00017
  swipewise behavior audience clip00017 --limit 0
  swipewise behavior audience clip00017 -o audience.parquet
"""
)
@click.argument("video", metavar="VIDEO")
@limit_option
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

    rows = of_video(workspace, video)
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


def _span(seconds: float) -> str:
    """A length of time in words.

    >>> _span(90.0), _span(7200.0), _span(200_000.0)
    ('1.5 minutes', '2.0 hours', '2.3 days')
    """
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"
