"""Activity, funnel, retention and watch curves, on logs small enough to count by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from swipewise.behavior.activity import activity
from swipewise.behavior.funnel import STEPS, funnel, funnel_over_time
from swipewise.behavior.retention import overall, retention
from swipewise.behavior.watching import audience, first_exposures, watch_curve
from swipewise.schema import FLAG_ACTIONS, Action

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
UTC_TIME = pl.Datetime("us", "UTC")


def events(*rows: tuple[int, str]) -> pl.LazyFrame:
    """Minutes after noon, and actions."""
    return pl.LazyFrame(
        {"at": [NOON + timedelta(minutes=minute) for minute, _ in rows], "action": [action for _, action in rows]},
        schema={"at": UTC_TIME, "action": pl.String},
    )


def test_activity_counts_events_and_fills_gaps() -> None:
    table = activity(events((0, "exposure"), (1, "view"), (1, "like"), (130, "exposure")), every="hour")
    assert table["at"].to_list() == [NOON + timedelta(hours=hour) for hour in range(3)]
    assert table["events"].to_list() == [3, 0, 1]
    assert table["exposure"].to_list() == [1, 0, 1]
    assert table["like"].to_list() == [1, 0, 0]
    assert table.columns == ["at", "events", *Action]


def test_activity_of_a_stretch_and_of_nothing() -> None:
    log = events((0, "exposure"), (5, "exposure"), (9, "exposure"))
    part = activity(log, every="minute", since=NOON + timedelta(minutes=5), until=NOON + timedelta(minutes=9))
    assert part.select("at", "events").rows() == [(NOON + timedelta(minutes=5), 1)]
    assert activity(events(), every="day").is_empty()
    assert activity(log, every="week")["at"].to_list() == [NOON.replace(hour=0)]


def days(**counts: list[int]) -> pl.LazyFrame:
    rows = len(next(iter(counts.values())))
    return pl.LazyFrame(
        {"day": [MONDAY + timedelta(days=day) for day in range(rows)], "interactions": [9] * rows}
        | {str(step): counts.get(step, [0] * rows) for step in STEPS}
    )


def test_the_funnel_sums_days_and_takes_shares_of_exposures() -> None:
    table = funnel(days(exposure=[6, 2], view=[3, 1], like=[1, 1]))
    assert table["step"].to_list() == ["exposure", "view", "finish", "like", "comment", "share", "follow"]
    assert table["interactions"].to_list() == [8, 4, 0, 2, 0, 0, 0]
    assert table["share"].to_list()[:4] == [1.0, 4 / 8, 0.0, 2 / 8]


def test_a_funnel_without_exposures_has_no_shares() -> None:
    assert funnel(days(view=[3]))["share"].null_count() == len(STEPS)
    assert funnel(days(view=[3]).clear())["interactions"].to_list() == [0] * len(STEPS)


def test_the_funnel_by_week() -> None:
    table = funnel_over_time(days(exposure=[1] * 8), every="week")
    assert table.select("day", "exposure", "interactions").rows() == [
        (MONDAY, 7, 63),
        (MONDAY + timedelta(days=7), 1, 9),
    ]


def active(**viewers: list[int]) -> pl.LazyFrame:
    """Days after Monday on which each viewer was there."""
    return pl.LazyFrame(
        [(name, MONDAY + timedelta(days=day)) for name, there in viewers.items() for day in there],
        schema={"viewer_id": pl.String, "day": pl.Date},
        orient="row",
    )


LOG = {"ann": [0, 1, 3], "bob": [0, 3], "cyd": [1], "dan": [1, 2]}


def test_classic_retention_is_of_the_very_day() -> None:
    table = retention(active(**LOG))
    first = table.filter(cohort=MONDAY)
    assert first.select("period", "active", "size").rows() == [(0, 2, 2), (1, 1, 2), (2, 0, 2), (3, 2, 2)]
    assert first["share"].to_list() == [1.0, 0.5, 0.0, 1.0]
    second = table.filter(cohort=MONDAY + timedelta(days=1))
    assert second["active"].to_list() == [2, 1, 0]
    assert len(table) == 7


def test_rolling_retention_is_of_that_day_or_a_later_one() -> None:
    table = retention(active(**LOG), kind="rolling")
    assert table.filter(cohort=MONDAY)["active"].to_list() == [2, 2, 2, 2]
    assert table.filter(cohort=MONDAY + timedelta(days=1))["active"].to_list() == [2, 1, 0]


def test_weeks_begin_on_mondays_and_days_within_one_count_once() -> None:
    table = retention(active(ann=[0, 1, 6, 7], bob=[6], cyd=[13]), every="week")
    assert table.rows() == [
        (MONDAY, 2, 0, 2, 1.0),
        (MONDAY, 2, 1, 1, 0.5),
        (MONDAY + timedelta(days=7), 1, 0, 1, 1.0),
    ]


def test_overall_retention_counts_only_those_who_could_have_come() -> None:
    table = overall(retention(active(**LOG)))
    assert table["size"].to_list() == [4, 4, 4, 2]
    assert table["active"].to_list() == [4, 2, 0, 2]
    assert retention(active()).is_empty()


def test_the_watch_curve_falls_from_all_to_those_who_saw_the_end() -> None:
    watch = pl.LazyFrame(
        {"step": [0, 2, 4, 4], "watchers": [1, 2, 3, 4]}, schema={"step": pl.UInt8, "watchers": pl.UInt32}
    )
    table = watch_curve(watch, steps=4)
    assert table["watched"].to_list() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert table["watchers"].to_list() == [10, 9, 9, 7, 7]
    assert table["remaining"].to_list() == pytest.approx([1.0, 0.9, 0.9, 0.7, 0.7])
    assert watch_curve(watch.clear(), steps=4)["remaining"].null_count() == 5


def test_the_audience_of_a_video() -> None:
    rows = pl.LazyFrame(
        {
            "viewer_id": ["ann", "bob", "ann", "cyd"],
            "at": [NOON, NOON, NOON - timedelta(days=1), NOON],
            "watch_seconds": [2.0, 9.0, 1.0, None],
            "watch_ratio": [0.2, 0.9, 0.1, None],
        }
        | {str(flag): [flag == "like", False, False, False] for flag in FLAG_ACTIONS}
    )
    table = audience(rows)
    assert table["viewer_id"].to_list() == ["bob", "ann", "cyd"]
    ann = table.row(1, named=True)
    assert (ann["interactions"], ann["at"], ann["watch_ratio"]) == (2, NOON - timedelta(days=1), 0.2)
    assert ann["watch_seconds"] == pytest.approx(3.0)
    assert table["like"].to_list() == [False, True, False]


def test_from_upload_to_first_exposure() -> None:
    videos = pl.LazyFrame(
        {"video_id": ["a", "a", "c"], "first_exposure_at": [NOON, None, NOON], "interactions": [2, 3, 4]}
    )
    catalogue = pl.DataFrame(
        {"video_id": ["a", "b", "c"], "uploaded_at": [NOON - timedelta(minutes=2), NOON, None]},
        schema_overrides={"uploaded_at": UTC_TIME},
    )
    table = first_exposures(videos, catalogue)
    assert table.select("video_id", "seconds", "interactions").rows() == [
        ("a", 120.0, 5),
        ("b", None, 0),
        ("c", None, 4),
    ]
