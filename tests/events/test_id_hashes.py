"""What is told of the ids of the history without reading them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.events import EventLog, compact, id_hashes, read_events, read_rollups
from swipewise.events.history import History
from swipewise.events.id_hashes import IdHashes
from swipewise.events.reading import live_events
from swipewise.schema import Col
from swipewise.workspace import Workspace
from tests.events.examples import TEN, event, frame

DAY = timedelta(days=1)
NAMES = [f"e{number}" for number in range(9)]


@pytest.fixture
def history(workspace: Workspace) -> History:
    """Of three days and two commits, in more files than days."""
    history = History(workspace.events_dir)
    history.append(
        frame(*(event(name, at=TEN + number % 3 * DAY) for number, name in enumerate(NAMES[:6]))).collect()
    )
    history.append(frame(*(event(name, at=TEN) for name in NAMES[6:])).collect())
    return history


def files(history: History) -> list[str]:
    return [path for paths in history.files_by_day().values() for path in paths]


def kept(history: History) -> list[Path]:
    return sorted(history.directory.with_name("ids").glob("*/*"))


def held(history: History, *names: str) -> list[str]:
    return sorted(IdHashes(history.directory).among(pl.Series(names, dtype=pl.String), files(history)))


def read_only_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it fail to read what has hashes already."""

    def fail(*_: object) -> None:
        pytest.fail("the history's ids were read")

    monkeypatch.setattr(IdHashes, "_hashed", fail)


def test_who_writes_keeps_the_hashes_of_what_is_there(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(kept(history)) == len(files(history)) == 4
    read_only_hashes(monkeypatch)
    assert held(history, *NAMES, "new", NAMES[0]) == NAMES
    assert held(history, "new") == held(history) == []


def test_few_and_many_ids_are_told_apart_alike(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_hashes, "_FEW", 0)
    one_by_one = held(history, "e0", "e4", "e8", "x", "y")
    monkeypatch.setattr(id_hashes, "_FEW", 1_000)
    assert one_by_one == held(history, "e0", "e4", "e8", "x", "y") == ["e0", "e4", "e8"]


def test_hashes_that_coincide_decide_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_hashes, "_in_both", lambda *_: True)
    assert held(history, "e1", "new") == ["e1"]


@pytest.mark.parametrize("left", [b"", b"\x93NUMPY", None])
def test_hashes_that_are_missing_or_cut_short_are_made_again(history: History, left: bytes | None) -> None:
    for path in kept(history):
        whole = path.read_bytes()
        path.write_bytes(whole[:-8] if left is None else left)
    assert held(history, *NAMES) == NAMES
    assert all(len(np.load(path)) for path in kept(history))
    assert held(history, *NAMES) == NAMES


def test_where_nothing_can_be_kept_ids_are_read(history: History) -> None:
    folder = history.directory.with_name("ids")
    for path in kept(history):
        path.unlink()
    for each in folder.iterdir():
        each.rmdir()
    folder.rmdir()
    folder.write_text("in the way")
    assert held(history, *NAMES, "new") == NAMES
    history.append(frame(event("late")).collect())
    assert held(history, "late") == ["late"]


def test_hashes_made_another_way_are_not_taken_and_go(history: History) -> None:
    other = history.directory.with_name("ids") / "another"
    kept(history)[0].parent.rename(other)
    assert held(history, *NAMES) == NAMES
    history.append(frame(event("late")).collect())
    assert not other.exists()


def test_hashes_go_with_the_file_they_are_of(history: History) -> None:
    before = set(kept(history))
    history.replace_day(TEN.date(), frame(event("e0")).collect())
    left = kept(history)
    assert len(left) == len(files(history)) == 3
    assert len(before - set(left)) == 2
    (left[0].parent / "day=2026-03-02+gone.npy").write_bytes(b"")
    history.forget_versions()
    assert kept(history) == left


def test_a_log_whose_events_are_all_in_the_history_counts_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a compaction that is killed leaves it; and an id that came back long after."""
    events = [
        event("a", "exposure"),
        event("b", watch=1.0),
        event("c", "like"),
        event("today", at=TEN + DAY, video="v2"),
    ]
    with EventLog.open(workspace.events_dir) as log:
        log.append(events)
    History(workspace.events_dir).append(live_events(workspace.events_dir).head(3))
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a", at=TEN + 60 * DAY)])
    read_only_hashes(monkeypatch)
    assert sorted(read_events(workspace.events_dir).collect()[Col.EVENT_ID]) == ["a", "b", "c", "today"]
    lengths = pl.LazyFrame({Col.VIDEO_ID: ["v1"], Col.DURATION: [9.0]})
    days = read_rollups(workspace, lengths).days.collect()
    assert days["interactions"].sum() == 2, "that of yesterday, and that of today"
    assert days["like"].sum() == 1


def test_what_is_moved_while_a_log_is_read_is_in_what_was_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("first"), event("a", at=TEN + DAY), event("b", at=TEN + DAY)])
    compact(workspace, now=TEN + DAY)
    scan = History.scan

    def then_moved(history: History, *table: object) -> pl.LazyFrame:
        scanned = scan(history, *table)  # type: ignore[arg-type]
        monkeypatch.setattr(History, "scan", scan)
        compact(workspace, now=TEN + 2 * DAY)
        return scanned

    monkeypatch.setattr(History, "scan", then_moved)
    assert sorted(read_events(workspace.events_dir).collect()[Col.EVENT_ID]) == ["a", "b", "first"]
    assert live_events(workspace.events_dir).is_empty()
