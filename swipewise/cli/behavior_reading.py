"""What the commands of ``swipewise behavior`` read alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import polars as pl

    from swipewise.events import Rollups
    from swipewise.workspace import Workspace

limit_option = click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Rows to print at most, 0 for all; --json and --output give all.",
)


def newest_event(workspace: Workspace) -> datetime:
    """The moment of the newest event; an empty log ends here."""
    import polars as pl

    from swipewise.errors import DataError
    from swipewise.events import read_events
    from swipewise.schema import Col

    newest = collected(
        workspace, lambda: read_events(workspace.events_dir).select(pl.col(Col.AT).max()).collect()
    ).item()
    if newest is None:
        raise DataError(
            f"nobody has done anything in {workspace.root} yet: bring a log with 'swipewise events import FILE', or "
            "post events to 'swipewise serve'"
        )
    moment: datetime = newest
    return moment.astimezone(UTC)


def collected(workspace: Workspace, query: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """What a query gives, also where an erasure takes files away meanwhile."""
    from swipewise.events.history import History

    return History(workspace.events_dir).collected(query)


def kept_counts(workspace: Workspace, query: Callable[[Rollups], pl.DataFrame]) -> pl.DataFrame:
    """What a query gives of the kept counts."""
    from swipewise.events import read_rollups

    return collected(workspace, lambda: query(read_rollups(workspace, _durations(workspace))))


def _durations(workspace: Workspace) -> pl.LazyFrame:
    from swipewise.catalog import Catalog
    from swipewise.schema import Col

    return Catalog(workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)


def of_video(workspace: Workspace, video: str) -> pl.DataFrame:
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
    rows = collected(workspace, lambda: video_interactions(workspace.events_dir, video, lengths).collect())
    if not rows.is_empty():
        return rows
    if known.is_empty():
        raise UnknownIdError(f"no video {video!r}: 'swipewise videos list' names those there are")
    raise DataError(f"nobody has met {video!r} yet: bring a log with 'swipewise events import FILE'")
