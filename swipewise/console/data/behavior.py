"""What viewers do on the whole platform, from counts kept a closed day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from swipewise.behavior.funnel import funnel
from swipewise.behavior.retention import overall, retention
from swipewise.behavior.watching import watch_curve
from swipewise.catalog import Catalog
from swipewise.events.history import History
from swipewise.events.reading import read_active_days
from swipewise.events.rollups import WATCH_STEPS, read_rollups
from swipewise.schema import Col
from swipewise.workspace import Workspace

COHORTS: Final = 10
"""The latest that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """Tables as of ``behavior.funnel``, ``behavior.retention`` (weeks) and ``behavior.watching``.

    ``returning`` is ``retention`` over all cohorts together.
    """

    funnel: pl.DataFrame
    retention: pl.DataFrame
    returning: pl.DataFrame
    watched: pl.DataFrame


def platform_behavior(workspace: Workspace, catalog: Catalog) -> Behavior:
    """Count what viewers do; days that are closed are counted once and kept.

    Raises:
        StoreError: A store cannot be read or written.
        WorkspaceError: Another process counts, and does not end.
    """
    durations = catalog.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    history = History(workspace.events_dir)

    def counted() -> tuple[pl.DataFrame, pl.DataFrame]:
        rollups = read_rollups(workspace, durations)
        return funnel(rollups.days), watch_curve(rollups.watch, steps=WATCH_STEPS)

    steps, watched = history.collected(counted)
    weeks = history.collected(lambda: retention(read_active_days(workspace.events_dir), every="week"))
    return Behavior(funnel=steps, retention=weeks, returning=overall(weeks), watched=watched)
