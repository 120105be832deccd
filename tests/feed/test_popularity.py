"""What counts as popular, counted from a real event log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.config import EventsConfig
from swipewise.events import EventLog, read_events
from swipewise.feed.popularity import Popularity, freshness
from swipewise.feed.roster import Roster
from swipewise.feed.trending import count_popularity
from swipewise.schema import Action, Col, Event
from tests.feed.fakes import NOW, shelf

DURATIONS = pl.LazyFrame({Col.VIDEO_ID: ["a", "b"], Col.DURATION: [10.0, 10.0]})


class Log:
    """Appends events with ids of their own and counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0

    def add(
        self, viewer: str, video: str, action: str, *, hours_ago: float = 1, watched: float | None = None
    ) -> None:
        self.written += 1
        event = Event(
            event_id=str(self.written),
            viewer_id=viewer,
            video_id=video,
            action=Action(action),
            at=NOW - timedelta(hours=hours_ago),
            watch_seconds=watched,
        )
        with EventLog.open(self.folder) as log:
            log.append([event])

    def count(self, *, days: float = 7, now: datetime = NOW, positive: EventsConfig | None = None) -> Popularity:
        return count_popularity(
            read_events(self.folder), DURATIONS, now=now, days=days, positive=positive or EventsConfig()
        )


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_an_empty_log(log: Log) -> None:
    assert log.count() == Popularity()


def test_counts_viewers_and_not_their_repetitions(log: Log) -> None:
    log.add("ann", "a", "exposure", hours_ago=4)
    log.add("ann", "a", "like", hours_ago=3)
    log.add("ann", "a", "exposure", hours_ago=2)
    log.add("ann", "a", "like")
    log.add("ann", "a", "share")
    log.add("bob", "a", "like")
    log.add("bob", "b", "finish")
    assert log.count().counts == {"a": 2, "b": 1}
    assert log.count().ranking == ("a", "b")


def test_watching_most_of_a_video_counts_unless_it_was_turned_away(log: Log) -> None:
    log.add("ann", "a", "view", watched=8)
    log.add("bob", "a", "view", watched=7.9)
    log.add("cid", "b", "view", watched=10)
    log.add("cid", "b", "hide")
    log.add("dan", "b", "view", watched=10)
    log.add("dan", "b", "skip")
    log.add("eve", "b", "like")
    log.add("eve", "b", "hide")
    assert log.count().counts == {"a": 1}


def test_what_counts_is_configured(log: Log) -> None:
    log.add("ann", "a", "like")
    log.add("ann", "b", "share")
    assert log.count(positive=EventsConfig(positive=("share",))).counts == {"b": 1}
    assert log.count(positive=EventsConfig(positive=())).counts == {}


def test_only_the_last_days_count(log: Log) -> None:
    log.add("ann", "a", "like", hours_ago=25)
    log.add("ann", "b", "like", hours_ago=23)
    assert log.count(days=1).counts == {"b": 1}


def test_a_log_that_ends_in_the_past_counts_its_own_last_days(log: Log) -> None:
    log.add("ann", "a", "like", hours_ago=24 * 100)
    log.add("ann", "b", "like", hours_ago=24 * 102)
    assert log.count(days=1).counts == {"a": 1}


def test_events_dated_ahead_wait_for_their_time(log: Log) -> None:
    log.add("ann", "a", "like", hours_ago=-1)
    log.add("ann", "b", "like")
    assert log.count().counts == {"b": 1}
    assert log.count(now=NOW + timedelta(hours=2)).counts == {"a": 1, "b": 1}


def test_a_roster_numbers_the_shelf_and_the_popular_beside_it() -> None:
    gone = replace(shelf(dict.fromkeys("abc", 0)), removed=frozenset({1}))
    found = Roster.of(gone, Popularity.of({"x": 2, "b": 1, "a": 1}, rises={"y": 3.0, "c": 1.0}))
    assert found.names_of(found.popular_R) == ["x", "a", "b"]
    assert found.names_of(found.rising_R) == ["y", "c"]
    every_N = found.numbers_of(["a", "b", "c", "nobody", "x", "y"])
    assert found.names_of(every_N) == ["a", "b", "c", "x", "y"]
    assert found.there(every_N).tolist() == [True, False, True, False, False]
    assert found.likes_A[every_N].tolist() == pytest.approx([0.6931472, 0.6931472, 0, 1.0986123, 0])
    assert found.rises_A[every_N].tolist() == pytest.approx([0, 0, 0.6931472, 0, 1.3862944])


def test_a_window_of_0_days_keeps_only_what_is_new_this_hour() -> None:
    ages = np.array([NOW.timestamp(), NOW.timestamp() - 86400, NOW.timestamp() + 60])
    assert freshness(ages, NOW, half_life_days=0).tolist() == pytest.approx([1, 0, 1], abs=1e-6)


def test_what_rises_is_liked_more_than_before_and_by_more_than_one(log: Log) -> None:
    for number in range(12):
        log.add(f"old{number}", "steady", "like", hours_ago=30 + number * 11)
        log.add(f"old{number}", "big", "like", hours_ago=30 + number * 11)
    for viewer in ("p", "q"):
        log.add(viewer, "steady", "like")
        log.add(viewer, "new", "like")
    for viewer in "pqrstu":
        log.add(viewer, "big", "like")
    log.add("p", "lonely", "like")
    log.add("old1", "again", "like", hours_ago=50)
    log.add("old1", "again", "like")
    log.add("old2", "again", "like", hours_ago=50)
    log.add("old2", "again", "like")
    popularity = log.count()
    expected = 12 * 24 / (7 * 24 - 24)  # a day's share of twelve likes in six days
    assert popularity.rises == {
        "big": pytest.approx((6 - expected) / (expected + 1) ** 0.5),
        "new": 2.0,
    }
    assert popularity.rising == ("big", "new")
    assert popularity.ranking[:2] == ("big", "steady")


def test_exposures_count_viewers_who_were_shown_it_whatever_they_made_of_it(log: Log) -> None:
    log.add("ann", "a", "exposure")
    log.add("ann", "a", "exposure")
    log.add("bob", "a", "skip")
    log.add("bob", "b", "like")
    log.add("cid", "a", "exposure", hours_ago=24 * 30)
    popularity = log.count()
    assert popularity.exposures == {"a": 2, "b": 1}
    assert popularity.counts == {"b": 1}


def test_a_window_shorter_than_the_last_hours_has_nothing_to_hold_them_against(log: Log) -> None:
    log.add("ann", "a", "like")
    log.add("bob", "a", "like")
    assert log.count(days=1).rises == {}
