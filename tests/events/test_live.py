from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import polars as pl
import pytest

from swipewise.errors import DataError, StoreError
from swipewise.events import Appended, EventLog, migrations, read_events, read_profiles, viewer_interactions
from swipewise.events.database import Database
from swipewise.events.live import row_of
from swipewise.schema import Action, Profile
from swipewise.workspace import Workspace
from tests.events.examples import DURATIONS, TEN, event, frame, minute

pytestmark = pytest.mark.usefixtures("live_store")


def test_appended_events_are_read_back_as_they_were(workspace: Workspace) -> None:
    events = [event("a", "exposure", position=3), event("b", "view", minute(1), watch=2.5)]
    with EventLog.open(workspace.events_dir) as log:
        assert (log.append(events).added, log.append([]).added) == (2, 0)
        # Before the log is closed, and by another reader.
        assert read_events(workspace.events_dir).collect().equals(frame(*events).collect())


def test_an_event_id_counts_once(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        once = log.append([event("a"), event("a", watch=9.0), event("b")])
        assert (once.added, once.duplicates) == (2, 1)
    with EventLog.open(workspace.events_dir) as log:
        again = log.append([event("b"), event("c")])
        assert (again.added, again.duplicates) == (1, 1)
    assert read_events(workspace.events_dir).collect()["event_id"].sort().to_list() == ["a", "b", "c"]


def test_many_events_at_once_count_once_each(workspace: Workspace) -> None:
    names = [f"e{number}" for number in range(250)]
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("e7"), event("e130"), event("e249")])
        appended = log.append([event(name) for name in [*names, "e0", "e7", "e200"]])
        assert (appended.added, appended.duplicates) == (247, 6)
    assert sorted(read_events(workspace.events_dir).collect()["event_id"]) == sorted(names)


def test_batches_of_one_transaction_are_counted_each_by_itself(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        batches = [[row_of(event(name)) for name in names] for names in ("ab", "", "bc")]
        assert log.append_batches(batches) == [
            Appended(added=2, duplicates=0),
            Appended(added=0, duplicates=0),
            Appended(added=1, duplicates=1),
        ]
        assert log.append_batches([[]]) == [Appended(added=0, duplicates=0)]
    assert sorted(read_events(workspace.events_dir).collect()["event_id"]) == ["a", "b", "c"]


def test_a_row_that_the_store_refuses_takes_all_of_its_transaction_along(workspace: Workspace) -> None:
    rows = [row_of(event(f"e{number}")) for number in range(150)]
    broken = [*rows[:50], ("e50", None, *rows[50][2:]), *rows[51:]]
    with EventLog.open(workspace.events_dir) as log:
        with pytest.raises(StoreError, match=r"viewer_id"):
            log.append_batches([[row_of(event("before"))], broken])  # type: ignore[list-item]
        assert read_events(workspace.events_dir).collect().is_empty()
        assert log.append_batches([rows])[0].added == 150


def test_times_of_any_zone_are_the_same_moment(workspace: Workspace) -> None:
    east = TEN.astimezone(timezone(timedelta(hours=8))).replace(microsecond=123_456)
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a", at=east)])
    assert read_events(workspace.events_dir).collect()["at"].to_list() == [TEN.replace(microsecond=123_456)]


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (event(""), "event '': event_id is empty"),
        (event("x", viewer=" "), "event 'x': viewer_id is empty"),
        (event("x", video="v\n1"), "event 'x': video_id holds a control character"),
        (event("x", viewer="\ud800"), "viewer_id is not valid Unicode"),
        (event("x", at=datetime(2026, 3, 2)), "at = 2026-03-02T00:00:00 has no time zone: give it in UTC"),
        (event("x", watch=-1.0), "watch_seconds = -1.0 must be a number from 0"),
        (event("x", watch=float("nan")), "watch_seconds = nan must be"),
        (event("x", watch=float("inf")), "watch_seconds = inf must be"),
        (event("x", position=-1), "position = -1 must be a whole number from 0"),
    ],
)
def test_one_bad_event_stores_none_of_the_batch(workspace: Workspace, bad: object, fault: str) -> None:
    with EventLog.open(workspace.events_dir) as log, pytest.raises(DataError, match=fault):
        log.append([event("good"), bad])  # type: ignore[list-item]
    assert read_events(workspace.events_dir).collect().is_empty()


def test_several_writers_share_the_log(workspace: Workspace) -> None:
    added = []

    def write(name: str) -> None:
        with EventLog.open(workspace.events_dir) as log:
            for number in range(20):
                added.append(log.append([event(f"{name}{number}"), event(f"shared{number}")]).added)

    threads = [threading.Thread(target=write, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 3 * 20 + 20
    assert read_events(workspace.events_dir).select(pl.len()).collect().item() == 80


def test_reading_makes_no_store(workspace: Workspace) -> None:
    assert read_events(workspace.events_dir).collect().is_empty()
    assert read_profiles(workspace.events_dir).columns == ["viewer_id"]
    assert viewer_interactions(workspace.events_dir, "ann", DURATIONS, 5) == []
    assert not workspace.events_dir.exists()


def test_profiles_replace_earlier_ones_and_only_changes_count(workspace: Workspace) -> None:
    ann = Profile(viewer_id="ann", features={"age": 30, "tags": ["cats", "sea"], "pro": True, "city": "Łódź"})
    with EventLog.open(workspace.events_dir) as log:
        assert log.put_profiles([]) == Appended(added=0, duplicates=0)
        assert log.put_profiles([ann, Profile(viewer_id="bob")]) == Appended(added=2, duplicates=0)
        bob = [Profile(viewer_id="bob", features={"age": age}) for age in (7, 1.5)]
        assert log.put_profiles([ann, *bob]) == Appended(added=1, duplicates=2)
        assert log.profile("ann") == ann
        assert log.profile("nobody") is None
    with EventLog.open(workspace.events_dir) as log:
        assert log.profile("bob") == Profile(viewer_id="bob", features={"age": 1.5})


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (Profile(viewer_id=""), "viewer '': viewer_id is empty"),
        (Profile(viewer_id="ann", features={"age": float("nan")}), "age = nan must be a string, a number"),
        (Profile(viewer_id="ann", features={"home": {"city": "x"}}), "home = .* must be a string, a number"),
        (Profile(viewer_id="ann", features={"tags": [["x"]]}), "tags = .* must be a string, a number"),
        (
            Profile(viewer_id="ann", features={"age": 10**60}),
            "age holds a whole number of more than 64 bits: write",
        ),
        (Profile(viewer_id="ann", features={"age": 10**5000}), "age holds a whole number of more than 64 bits"),
        (Profile(viewer_id="ann", features={"ages": [1, -(2**63) - 1]}), "ages holds a whole number of more than"),
    ],
)
def test_bad_profiles_are_refused(workspace: Workspace, profile: Profile, fault: str) -> None:
    with EventLog.open(workspace.events_dir) as log, pytest.raises(DataError, match=fault):
        log.put_profiles([Profile(viewer_id="good"), profile])
    assert read_profiles(workspace.events_dir).is_empty()


def test_whole_numbers_of_64_bits_come_back_as_they_were(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.put_profiles([Profile(viewer_id=str(age), features={"age": age}) for age in (2**63 - 1, -(2**63))])
    assert sorted(read_profiles(workspace.events_dir)["age"]) == [-(2**63), 2**63 - 1]


def test_profile_fields_become_columns_of_one_type(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.put_profiles(
            [
                Profile(viewer_id="bob", features={"age": 2.5, "mixed": "x", "likes": "sea"}),
                Profile(viewer_id="ann", features={"age": 30, "mixed": 7, "likes": ["cats"], "pro": True}),
            ]
        )
    assert read_profiles(workspace.events_dir).to_dicts() == [
        {"viewer_id": "ann", "age": 30.0, "likes": ["cats"], "mixed": "7", "pro": True},
        {"viewer_id": "bob", "age": 2.5, "likes": ["sea"], "mixed": "x", "pro": None},
    ]


def test_a_viewers_interactions_are_the_newest_in_order(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event(f"e{n}", "exposure", minute(n), video=f"v{n}") for n in range(1, 4)])
        log.append(
            [event("w", "view", minute(4), video="v1", watch=4.0), event("l", "like", minute(5), video="v3")]
        )
        log.append([event("other", "exposure", viewer="bob")])
    last = viewer_interactions(workspace.events_dir, "ann", DURATIONS, 2)
    assert [(item.video_id, item.actions) for item in last] == [
        ("v2", frozenset()),
        ("v3", frozenset({Action.LIKE})),
    ]
    first = viewer_interactions(workspace.events_dir, "ann", DURATIONS, 9)[0]
    assert (first.watch_seconds, first.watch_ratio, first.at) == (4.0, 0.4, minute(1))


def test_a_store_of_a_newer_version_is_left_alone(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a")])
    database = Database(workspace.events_dir)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    database.close()
    newest = len(migrations.MIGRATIONS)
    with pytest.raises(StoreError, match=f"has schema 99, this Swipewise knows up to {newest}: upgrade Swipewise"):
        EventLog.open(workspace.events_dir)
    with pytest.raises(StoreError, match="schema 99"):
        read_events(workspace.events_dir)


def test_a_store_of_an_older_version_is_migrated_and_keeps_its_rows(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:

    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a")])
    steps = (
        *migrations.MIGRATIONS,
        lambda connection: connection.exec_driver_sql("CREATE TABLE later (x INTEGER)"),
    )
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    for _ in range(2):
        database = Database(workspace.events_dir)
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT version FROM schema_version").scalar() == len(steps)
            assert connection.exec_driver_sql("SELECT count(*) FROM later").scalar() == 0
        database.close()
    assert read_events(workspace.events_dir).collect()["event_id"].to_list() == ["a"]


def test_nothing_changes_an_event(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a", watch=1.0)])
        log.append([replace(event("a"), watch_seconds=5.0)])
    assert read_events(workspace.events_dir).collect()["watch_seconds"].to_list() == [1.0]
