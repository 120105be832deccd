"""Kept counts are those of folding everything, whatever was kept before, and follow what changes."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from swipewise.errors import WorkspaceError
from swipewise.events import (
    EventLog,
    Rollups,
    compact,
    erase_viewer,
    fold,
    read_events,
    read_rollups,
    rollups,
    video_interactions,
)
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace
from tests.events.examples import DURATIONS, TEN, event
from tests.stores import live_store as live_store

LENGTHS = pl.LazyFrame({"video_id": ["v1", "v2"], "duration_seconds": [10.0, 20.0]})
DAY = timedelta(days=1)
NIGHT = TEN.replace(hour=23, minute=59)


def busy(days: int = 4, seed: int = 0) -> list[Event]:
    """Interactions at all hours, many across midnight; actions follow within an hour, twice at times."""
    rng = random.Random(seed)
    events = []
    for number in range(60):
        at = NIGHT + rng.randrange(days) * DAY + timedelta(minutes=rng.randrange(-20, 20))
        who, video = rng.choice(["ann", "bob", "cyd"]), rng.choice(["v1", "v2", "v3"])
        actions = [
            "exposure",
            "view",
            *rng.choices([str(action) for action in Action if action != "exposure"], k=2),
        ]
        for place, action in enumerate(actions):
            watch = rng.uniform(0, 25) if action == "view" else None
            after = at + timedelta(seconds=place * rng.randrange(1, 900))
            events.append(event(f"{number}-{place}", action, after, viewer=who, video=video, watch=watch))
    return events


def put(workspace: Workspace, *events: Event) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append(events)


def counts(rollups: Rollups) -> dict[str, pl.DataFrame]:
    """All three tables, each with one row a key."""
    return {
        "days": rollups.days.collect().sort("day").with_columns(pl.col("watch_seconds").round(6)),
        "videos": rollups.videos.collect().sort("day", "video_id").with_columns(pl.col("watch_seconds").round(6)),
        "watch": rollups.watch.collect().sort("day", "step"),
    }


def folded(workspace: Workspace, lengths: pl.LazyFrame = LENGTHS) -> dict[str, pl.DataFrame]:
    everything = fold(read_events(workspace.events_dir), lengths, flags=tuple(Action))
    return counts(Rollups.of(everything.collect()))


def agree(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, table in expected.items():
        assert found[name].equals(table), name


def kept(workspace: Workspace) -> dict[str, int]:
    """The folders of counts, and the inode of a file in each."""
    base = workspace.events_dir / "rollups"
    return {path.name: (path / "days.parquet").stat().st_ino for path in base.iterdir()}


def test_counts_of_a_small_log(workspace: Workspace) -> None:
    put(
        workspace,
        event("a", "exposure", TEN),
        event("b", "view", TEN + timedelta(seconds=9), watch=5.0),
        event("c", "like", TEN + timedelta(seconds=10)),
        event("d", "like", TEN + timedelta(seconds=11)),
        event("e", "exposure", TEN + timedelta(minutes=5), viewer="bob"),
        event("f", "view", TEN + timedelta(minutes=6), viewer="bob", video="v3", watch=2.0),
    )
    found = counts(read_rollups(workspace, LENGTHS))
    (day,) = found["days"].to_dicts()
    assert (day["interactions"], day["viewers"], day["exposure"], day["view"], day["like"]) == (3, 2, 2, 2, 1)
    assert (day["watch_seconds"], day["unmeasured"]) == (7.0, 1)
    # 5 of 10 seconds are 10 of 20 steps; that of a video of unknown length is not there.
    assert found["watch"].select("step", "watchers").rows() == [(10, 1)]
    assert found["videos"].select("video_id", "first_exposure_at").rows() == [("v1", TEN), ("v3", None)]


def test_closed_days_count_as_if_all_was_folded_at_once(workspace: Workspace, live_store: str) -> None:
    events = busy()
    random.Random(1).shuffle(events)
    put(workspace, *events)
    expected = folded(workspace)
    agree(counts(read_rollups(workspace, LENGTHS)), expected)
    for day in range(1, 7):
        compact(workspace, now=TEN + day * DAY)
        read_rollups(workspace, LENGTHS)
    agree(counts(read_rollups(workspace, LENGTHS)), expected)
    assert len(kept(workspace)) == len(expected["days"])


def test_an_action_in_the_live_log_counts_for_yesterdays_exposure_once_its_day_is_closed(
    workspace: Workspace,
) -> None:
    put(workspace, event("a", "exposure", NIGHT))
    compact(workspace, now=TEN + DAY)
    put(workspace, event("b", "like", NIGHT + timedelta(minutes=2)), event("c", "like", NIGHT + DAY, video="v2"))
    days = read_rollups(workspace, LENGTHS).days.select("interactions", "like").collect()
    assert days.rows() == [(1, 0), (1, 1)]
    compact(workspace, now=TEN + 3 * DAY)
    days = read_rollups(workspace, LENGTHS).days.select("interactions", "like").collect()
    assert days.rows() == [(1, 1), (1, 1)]


def test_only_days_near_a_change_are_counted_again(workspace: Workspace) -> None:
    put(workspace, *(event(str(day), "exposure", TEN + day * DAY) for day in range(5)))
    compact(workspace, now=TEN + 9 * DAY)
    read_rollups(workspace, LENGTHS)
    before = kept(workspace)
    put(workspace, event("new", "exposure", TEN + timedelta(minutes=1)))
    compact(workspace, now=TEN + 9 * DAY)
    assert read_rollups(workspace, LENGTHS).days.collect()["interactions"].to_list() == [2, 1, 1, 1, 1]
    after = kept(workspace)
    assert len(after) == 5
    assert {name[:10] for name in before.items() - after.items() for name in name[:1]} == {
        "2026-03-02",
        "2026-03-03",
    }


def test_a_video_whose_length_becomes_known_is_measured(workspace: Workspace) -> None:
    put(workspace, event("a", "view", TEN, watch=5.0), event("b", "view", TEN + 3 * DAY, video="v3", watch=5.0))
    compact(workspace, now=TEN + 9 * DAY)
    nothing = LENGTHS.clear()
    assert read_rollups(workspace, nothing).watch.collect().is_empty()
    before = kept(workspace)
    agree(counts(read_rollups(workspace, LENGTHS)), folded(workspace))
    after = kept(workspace)
    assert before.keys() == after.keys()
    assert [name[:10] for name in before if before[name] != after[name]] == ["2026-03-02"]
    assert len(before) == 2


def test_erasing_a_viewer_takes_them_out_of_the_counts(workspace: Workspace) -> None:
    put(workspace, *busy())
    compact(workspace, now=TEN + 9 * DAY)
    read_rollups(workspace, LENGTHS)
    assert erase_viewer(workspace, "bob", now=TEN + 9 * DAY).pending is None
    agree(counts(read_rollups(workspace, LENGTHS)), folded(workspace))
    names = list((workspace.events_dir / "rollups").rglob("*.parquet"))
    assert names
    assert not any("bob" in str(pl.read_parquet(path).to_dicts()) for path in names)


def test_an_empty_log_has_no_counts_and_leaves_nothing_behind(workspace: Workspace) -> None:
    found = counts(read_rollups(workspace, DURATIONS))
    assert all(table.is_empty() for table in found.values())
    assert not (workspace.events_dir / "rollups").exists()


def test_while_another_process_counts_the_others_wait(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, event("a", "exposure", TEN))
    compact(workspace, now=TEN + DAY)
    monkeypatch.setattr(rollups, "_WAIT_SECONDS", 0.01)
    with workspace.lock("rollups"), pytest.raises(WorkspaceError, match="another process is running 'rollups'"):
        read_rollups(workspace, LENGTHS)


def test_what_a_killed_count_left_behind_is_no_count(workspace: Workspace) -> None:
    put(workspace, event("a", "exposure", TEN))
    compact(workspace, now=TEN + DAY)
    read_rollups(workspace, LENGTHS)
    (folder,) = (workspace.events_dir / "rollups").iterdir()
    torn: Path = folder.with_name(f".{folder.name}.counting")
    folder.rename(torn)
    (torn / "videos.parquet").write_bytes(b"torn")
    agree(counts(read_rollups(workspace, LENGTHS)), folded(workspace))
    assert [path.name for path in (workspace.events_dir / "rollups").iterdir()] == [folder.name]


def test_one_videos_interactions_are_those_of_all_without_position(workspace: Workspace) -> None:
    put(workspace, *busy())
    compact(workspace, now=TEN + 2 * DAY)
    everything = fold(read_events(workspace.events_dir), LENGTHS, flags=tuple(Action)).collect()
    found = video_interactions(workspace.events_dir, "v2", LENGTHS).collect()
    assert found.equals(everything.filter(video_id="v2").drop("position"))
    assert len(found) > 10
