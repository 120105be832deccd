"""``swipewise behavior``: what viewers do, in tables."""

from __future__ import annotations

import click

from swipewise.cli import behavior_crowd, behavior_platform, behavior_videos, shifts

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


for _each in (
    behavior_platform.activity,
    behavior_platform.funnel,
    behavior_platform.retention,
    behavior_videos.watching,
    behavior_videos.audience,
    behavior_crowd.segments,
    behavior_crowd.interest_map,
):
    command.add_command(_each)
command.add_command(shifts.command, "shifts")
