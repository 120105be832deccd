"""Fills a history with interactions whose rows are known to be right and new, in bounded memory."""

from __future__ import annotations

import polars as pl

from swipewise.errors import DataError
from swipewise.events.checking import as_events
from swipewise.events.frames import INTERACTION_SCHEMA
from swipewise.events.history import History
from swipewise.schema import Col
from swipewise.workspace import Workspace

_PAIR = (Col.VIEWER_ID, Col.VIDEO_ID)


def append_interactions(workspace: Workspace, interactions: pl.DataFrame) -> int:
    """Add interactions to the history in one commit, each as an exposure and what followed it at the same moment.

    Rows of one viewer, video and moment are put a microsecond apart, so that reading folds each row back into an
    interaction of its own.

    Args:
        workspace: The caller holds its history's lock.
        interactions: ``event_id``, which no event has yet, and the columns of an interaction but ``watch_ratio``;
            flags that are absent are False. As ``check_rows`` gives them.

    Returns:
        How many events they became.

    Raises:
        DataError: A column is missing.
        StoreError: The history cannot be written.
    """
    wanted = [Col.EVENT_ID, *_PAIR, Col.AT, Col.WATCH_SECONDS, Col.POSITION]
    if missing := [name for name in wanted if name not in interactions.columns]:
        raise DataError(f"interactions without {', '.join(missing)}: they have {', '.join(interactions.columns)}")
    flags = [name for name in interactions.columns if name in INTERACTION_SCHEMA and name not in wanted]
    events = as_events(_apart(interactions.select(*wanted, *flags)), is_long=False)
    if not events.is_empty():
        History(workspace.events_dir).append(events)
    return len(events)


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Later rows of the same viewer, video and moment a microsecond later each, until no two coincide."""
    key = [*_PAIR, Col.AT]
    while rows.select(pl.struct(key).is_duplicated().any()).item():
        earlier = pl.int_range(pl.len()).over(key)
        rows = rows.with_columns(pl.col(Col.AT) + pl.duration(microseconds=earlier))
    return rows
