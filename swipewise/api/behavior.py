"""What viewers do, as frames: the functions of ``swipewise.behavior`` on the stores of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swipewise.api.results import Segments
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl


class Behavior:
    """What viewers of a workspace do; ``Workspace.behavior`` gives it. Times are in UTC, weeks begin on Mondays.

    Args:
        workspace: Whose viewers.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def activity(self, *, every: str = "day") -> pl.DataFrame:
        """Events by minute, hour, day or week: at, events, and a column an action.

        Raises:
            DataError: There are no events.
            StoreError: A store cannot be read.
        """
        from swipewise.behavior.activity import activity
        from swipewise.events import read_events
        from swipewise.events.history import History

        events_dir = self._workspace.events_dir
        return History(events_dir).collected(lambda: activity(read_events(events_dir), every=every))

    def funnel(self, *, every: str | None = None) -> pl.DataFrame:
        """From exposures to follows: step, interactions, share; with ``every`` (day or week) a row a period.

        Raises:
            StoreError: A store cannot be read or written.
            WorkspaceError: Another process counts, and does not end.
        """
        from swipewise.behavior.funnel import funnel, funnel_over_time
        from swipewise.catalog import Catalog
        from swipewise.events import read_rollups
        from swipewise.events.history import History
        from swipewise.schema import Col

        durations = Catalog(self._workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)

        def counted() -> pl.DataFrame:
            days = read_rollups(self._workspace, durations).days
            return funnel(days) if every is None else funnel_over_time(days, every=every)

        return History(self._workspace.events_dir).collected(counted)

    def retention(self, *, every: str = "week", kind: str = "classic") -> pl.DataFrame:
        """Of those who came first in a day or week, how many came again: cohort, size, period, active, share.

        Args:
            every: "day" or "week".
            kind: "classic": in that very period; "rolling": in it or later.

        Raises:
            StoreError: A store cannot be read.
        """
        from swipewise.behavior.retention import retention
        from swipewise.events import read_active_days
        from swipewise.events.history import History

        events_dir = self._workspace.events_dir
        return History(events_dir).collected(
            lambda: retention(read_active_days(events_dir), every=every, kind=kind)
        )

    def segments(self, *, count: int | None = None, least: int = 10, most: int = 16, seed: int = 0) -> Segments:
        """Groups of viewers who like the same, by the tastes that the last run finds in each of them.

        Args:
            count: How many; None: as many as the data shows.
            least: Interactions that a viewer needs to be put into one.
            most: Segments that are tried.
            seed: Of the search.

        Raises:
            UnknownIdError: There is no finished run.
            DataError: The model knows no tastes, or too few viewers are known.
        """
        from swipewise.behavior.segments import describe_segments
        from swipewise.schema import Col
        from swipewise.training.crowd import Crowd, caption_words
        from swipewise.training.runs import latest_run

        crowd = Crowd.read(self._workspace, latest_run(self._workspace.runs_dir))
        members, taste_UT = crowd.segments(least=least, most=most, count=count, seed=seed)
        topics = crowd.topics(caption_words(self._workspace, crowd.dataset.video_ids))
        return Segments(
            segments=describe_segments(members[Col.SEGMENT].to_numpy(), taste_UT, topics), members=members
        )

    def shifts(self, viewer: str | None = None, *, odds: float | None = None) -> pl.DataFrame:
        """Whose interest changed, the newest first.

        Args:
            viewer: Only this one's.
            odds: How sure to be of a shift; None: as ``swipewise behavior shifts`` is.

        Returns:
            viewer_id, at, noticed_at, interactions, odds, modality, and from and to as structs of words and videos.

        Raises:
            UnknownIdError: There is no such viewer.
            DataError: There are no videos or no interactions.
        """
        import polars as pl

        from swipewise.training.shifted import SHIFT_SCHEMA, as_row, found_shifts

        found = found_shifts(self._workspace, viewer=viewer, odds=odds)
        rows = pl.DataFrame([as_row(shift, found) for shift in found.shifts], schema=SHIFT_SCHEMA)
        return rows.with_columns(pl.col("at", "noticed_at").str.to_datetime(time_zone="UTC"))
