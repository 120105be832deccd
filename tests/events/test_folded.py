"""Interactions that are kept folded are those of folding everything, whatever was kept before."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from swipewise.errors import StoreError
from swipewise.events import (
    EventLog,
    compact,
    erase_viewer,
    fold,
    folded,
    interaction_parts,
    read_events,
)
from swipewise.events.history import History
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace
from tests.events.examples import TEN, event
from tests.stores import live_store as live_store

LENGTHS = pl.LazyFrame({"video_id": ["v1", "v2"], "duration_seconds": [10.0, 20.0]})
DAY = timedelta(days=1)


def busy(first: int, seed: int, days: int = 3, viewers: int = 9) -> list[Event]:
    """Events of some days from the first on; actions follow up to two days later, or with no exposure before them."""
    rng = random.Random(seed)
    events = []
    for number in range(80):
        at = TEN + (first + rng.randrange(days)) * DAY + timedelta(minutes=rng.randrange(600))
        who, video = f"viewer{rng.randrange(viewers)}", rng.choice(["v1", "v2", "v3"])
        actions = rng.choices([str(action) for action in Action], k=3)
        for place, action in enumerate(["exposure", *actions] if rng.random() < 0.7 else actions):
            watch = rng.uniform(0, 25) if rng.random() < 0.5 and action != "exposure" else None
            after = at + timedelta(minutes=place * rng.choice([0, 1, 1500]))
            name = f"{seed}-{number}-{place}"
            events.append(event(name, action, after, viewer=who, video=video, watch=watch, position=place))
    return events


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "EVENTS_A_PART", 60)


def put(workspace: Workspace, events: list[Event]) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append(events)


def found(workspace: Workspace) -> pl.DataFrame:
    return History(workspace.events_dir).collected(lambda: pl.concat(interaction_parts(workspace, LENGTHS)))


def agree(workspace: Workspace) -> None:
    everything = fold(read_events(workspace.events_dir), LENGTHS).collect()
    assert len(everything)
    rounded = pl.col("watch_seconds", "watch_ratio").round(6)
    assert found(workspace).with_columns(rounded).equals(everything.with_columns(rounded))


def files(workspace: Workspace) -> set[Path]:
    return set((workspace.events_dir / "folded").glob("*.parquet"))


def test_history_and_live_log_are_told_as_one(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1))
    agree(workspace)
    compact(workspace)
    agree(workspace)
    assert len(files(workspace)) > 2
    put(workspace, busy(2, seed=2))
    agree(workspace)


def test_new_days_and_late_events_join_what_is_kept(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1, days=5))
    compact(workspace)
    agree(workspace)
    for seed, first in ((2, 4), (3, 0), (4, 9)):
        put(workspace, busy(first, seed=seed, days=2, viewers=12)[:50])
        compact(workspace)
        agree(workspace)


def test_viewers_who_did_nothing_new_keep_their_part(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)
    agree(workspace)
    before = files(workspace)
    put(workspace, [event("new", "like", TEN + 9 * DAY, viewer="viewer0", video="v1")])
    compact(workspace)
    agree(workspace)
    assert len(before - files(workspace)) == 1


def test_no_part_holds_a_viewer_of_another(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)
    viewers = [set(part["viewer_id"]) for part in interaction_parts(workspace, LENGTHS)]
    assert len(viewers) > 2
    assert sum(map(len, viewers)) == len(set.union(*viewers))


def test_nothing_happened(workspace: Workspace) -> None:
    assert list(interaction_parts(workspace, LENGTHS)) == []


def test_the_erased_are_in_no_file(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)
    assert "viewer3" in found(workspace)["viewer_id"]
    assert erase_viewer(workspace, "viewer3").pending is None
    assert all("viewer3" not in pl.read_parquet(path)["viewer_id"] for path in files(workspace))
    agree(workspace)
    assert "viewer3" not in found(workspace)["viewer_id"]


def test_an_erasure_while_the_last_part_is_in_memory(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folded, "EVENTS_A_PART", 10_000)
    put(workspace, busy(0, seed=1))
    compact(workspace)
    write = pl.DataFrame.write_parquet
    waiting = ["viewer3"]

    def write_late(rows: pl.DataFrame, *arguments: Any, **options: Any) -> None:
        if waiting:
            erase_viewer(workspace, waiting.pop())
        write(rows, *arguments, **options)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", write_late)
    assert "viewer3" not in found(workspace)["viewer_id"]
    assert not waiting
    assert all("viewer3" not in pl.read_parquet(path)["viewer_id"] for path in files(workspace))


def test_an_erasure_before_the_list_is_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)
    write, waiting = folded._Kept.write, ["viewer3"]

    def write_late(kept: folded._Kept, folder: Path) -> None:
        if waiting:
            erase_viewer(workspace, waiting.pop())
        write(kept, folder)

    monkeypatch.setattr(folded._Kept, "write", write_late)
    assert "viewer3" not in found(workspace)["viewer_id"]
    assert not waiting
    assert all("viewer3" not in pl.read_parquet(path)["viewer_id"] for path in files(workspace))


def test_what_a_compaction_is_moving_is_in_both_logs_and_counts_once(workspace: Workspace) -> None:
    put(workspace, busy(0, seed=1))
    History(workspace.events_dir).append(read_events(workspace.events_dir).collect())
    agree(workspace)


def test_killed_before_the_list_is_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folded._Kept, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            found(workspace)
    left = files(workspace)
    agree(workspace)
    assert left
    assert not left & files(workspace)


@pytest.mark.parametrize("told", ["", "{}", '{"format": 99, "files": [], "parts": []}'])
def test_a_list_that_says_nothing_is_written_anew(workspace: Workspace, told: str) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)
    agree(workspace)
    (workspace.events_dir / "folded" / "parts.json").write_text(told)
    agree(workspace)


def test_a_full_disk_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(workspace, busy(0, seed=1))
    compact(workspace)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(StoreError, match="free space"):
            found(workspace)
    agree(workspace)
