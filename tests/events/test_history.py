from __future__ import annotations

from datetime import timedelta

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties

from swipewise.errors import StoreError, WorkspaceError
from swipewise.events import EventLog, compact, read_events
from swipewise.events import compaction as compaction_module
from swipewise.events import history as history_module
from swipewise.events.history import History, HistoryIds, _hashed
from swipewise.events.reading import live_events
from swipewise.schema import Event
from swipewise.workspace import Workspace
from tests.events.examples import TEN, event, frame

DAY = timedelta(days=1)
YESTERDAY = [event("a", "exposure"), event("b", watch=1.0), event("c", "like", TEN + timedelta(hours=1))]
TODAY = [event("d", at=TEN + DAY), event("e", at=TEN + DAY)]

pytestmark = pytest.mark.usefixtures("live_store")


def put(workspace: Workspace, *events: Event) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append(list(events))


def ids(events: pl.LazyFrame | pl.DataFrame) -> list[str]:
    return sorted(events.lazy().collect()["event_id"])


def test_closed_days_move_and_today_stays(workspace: Workspace) -> None:
    put(workspace, *YESTERDAY, *TODAY, event("old", at=TEN - 5 * DAY))
    moved = compact(workspace, now=TEN + DAY)
    assert (moved.moved, moved.days) == (4, 2)
    assert ids(History(workspace.events_dir).scan()) == ["a", "b", "c", "old"]
    assert ids(live_events(workspace.events_dir)) == ["d", "e"]
    expected = frame(*YESTERDAY, *TODAY, event("old", at=TEN - 5 * DAY)).collect()
    assert read_events(workspace.events_dir).collect().sort("event_id").equals(expected.sort("event_id"))


def test_times_are_kept_as_steps_and_files_that_keep_them_otherwise_are_read_beside_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = frame(*YESTERDAY).collect(), frame(*TODAY).collect()
    history = History(workspace.events_dir)
    with monkeypatch.context() as patched:
        patched.setattr(history_module, "WriterProperties", lambda **_: WriterProperties())
        history.append(older)
    history.append(newer)
    encodings = []
    for path in sorted(history.directory.rglob("*.parquet")):
        columns = pq.ParquetFile(path).metadata.row_group(0)
        (times,) = (
            column for column in map(columns.column, range(columns.num_columns)) if column.path_in_schema == "at"
        )
        encodings.append("DELTA_BINARY_PACKED" in times.encodings)
    assert encodings == [False, True]
    found = read_events(workspace.events_dir).collect().sort("event_id")
    assert found.equals(pl.concat([older, newer]).sort("event_id"))


def test_compacting_again_or_nothing_moves_nothing(workspace: Workspace) -> None:
    assert compact(workspace).moved == 0
    put(workspace, *YESTERDAY)
    assert compact(workspace, now=TEN).moved == 0
    assert compact(workspace, now=TEN + DAY).moved == 3
    assert compact(workspace, now=TEN + DAY).moved == 0


def test_late_events_of_a_closed_day_follow(workspace: Workspace) -> None:
    put(workspace, *YESTERDAY)
    compact(workspace, now=TEN + DAY)
    put(workspace, event("late"))
    assert compact(workspace, now=TEN + DAY).moved == 1
    assert ids(History(workspace.events_dir).scan()) == ["a", "b", "c", "late"]


def test_what_is_appended_while_compaction_runs_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, *YESTERDAY)
    append = History.append

    def meanwhile(history: History, events: pl.DataFrame) -> None:
        put(workspace, event("late"))
        append(history, events)

    monkeypatch.setattr(History, "append", meanwhile)
    compact(workspace, now=TEN + DAY)
    assert ids(live_events(workspace.events_dir)) == ["late"]
    assert ids(read_events(workspace.events_dir)) == ["a", "b", "c", "late"]


def test_stopped_between_commit_and_delete_nothing_is_doubled(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(workspace, *YESTERDAY)
    with monkeypatch.context() as patch:
        patch.setattr(compaction_module, "_delete", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compact(workspace, now=TEN + DAY)
    assert ids(live_events(workspace.events_dir)) == ids(History(workspace.events_dir).scan()) == ["a", "b", "c"]
    assert ids(read_events(workspace.events_dir)) == ["a", "b", "c"]
    assert compact(workspace, now=TEN + DAY).moved == 3
    assert live_events(workspace.events_dir).is_empty()
    assert ids(History(workspace.events_dir).scan()) == ["a", "b", "c"]


def test_many_events_are_deleted_in_several_transactions(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction_module, "_DELETED_AT_ONCE", 2)
    put(workspace, *(event(f"e{n}") for n in range(7)), *TODAY)
    assert compact(workspace, now=TEN + DAY).moved == 7
    assert ids(live_events(workspace.events_dir)) == ["d", "e"]


def test_an_event_in_the_history_is_not_taken_again(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append(YESTERDAY)
        compact(workspace, now=TEN + DAY)
        # Known to the open log, at its own time and stamped anew.
        again = log.append([event("a", "exposure"), event("b", at=TEN + 3 * DAY), event("new")])
        assert (again.added, again.duplicates) == (1, 2)
        compact(workspace, now=TEN + DAY)
        assert log.append([event("new")]).duplicates == 1
    assert ids(read_events(workspace.events_dir)) == ["a", "b", "c", "new"]


def test_an_id_that_comes_back_long_after_is_dropped_by_readers_and_compaction(workspace: Workspace) -> None:
    put(workspace, *YESTERDAY)
    compact(workspace, now=TEN + DAY)
    put(workspace, event("a", at=TEN + 60 * DAY))
    assert ids(read_events(workspace.events_dir)) == ["a", "b", "c"]
    compact(workspace, now=TEN + 90 * DAY)
    assert ids(History(workspace.events_dir).scan()) == ["a", "b", "c"]
    assert live_events(workspace.events_dir).is_empty()


def test_history_ids_follow_new_commits(workspace: Workspace) -> None:
    history = History(workspace.events_dir)
    known = HistoryIds(history)
    day = TEN.date()
    assert known.known({"a"}, {day}) == set()
    history.append(frame(event("a")).collect())
    assert known.known({"a", "b"}, {day}) == {"a"}
    history.append(frame(event("b"), event("far", at=TEN + 8 * DAY)).collect())
    assert known.known({"a", "b", "far"}, {day}) == {"a", "b"}
    assert known.known({"far"}, {day + DAY}) == {"far"}


def test_ids_that_were_prepared_are_not_read_while_they_are_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(workspace.events_dir)
    history.append(frame(event("a"), event("far", at=TEN + 8 * DAY)).collect())
    known = HistoryIds(history)
    known.prepare({TEN.date()})
    hashed: list[list[str]] = []
    monkeypatch.setattr(history_module, "_hashed", lambda ids: hashed.append(sorted(ids)) or _hashed(ids))
    assert known.known({"a", "b"}, {TEN.date()}) == {"a"}
    assert hashed == [["a", "b"]]
    assert known.known({"far"}, {TEN.date() + DAY}) == {"far"}
    assert hashed[1:] == [["far"], ["far"]], "of a day further off, and what was asked"


def test_one_viewer_is_read_from_both_stores(workspace: Workspace) -> None:
    put(workspace, *YESTERDAY, event("x", viewer="bob"))
    compact(workspace, now=TEN + DAY)
    put(workspace, *TODAY, event("y", viewer="bob", at=TEN + DAY))
    assert ids(read_events(workspace.events_dir, "bob")) == ["x", "y"]


def test_only_one_writer_of_history_at_a_time(workspace: Workspace) -> None:
    with workspace.lock("history"), pytest.raises(WorkspaceError, match="another process is running 'history'"):
        compact(workspace)


def test_a_history_of_a_newer_version_is_left_alone(workspace: Workspace) -> None:
    history = History(workspace.events_dir)
    history.append(frame(*YESTERDAY).collect())
    table = DeltaTable(str(history.directory))
    newer = CommitProperties(app_transactions=[Transaction("swipewise-schema", 7)])
    table.delete("event_id = 'a'", commit_properties=newer)
    with pytest.raises(StoreError, match="has schema 7, this Swipewise knows up to 1: upgrade Swipewise"):
        read_events(workspace.events_dir)


def test_a_damaged_history_is_named(workspace: Workspace) -> None:
    history = History(workspace.events_dir)
    history.append(frame(*YESTERDAY).collect())
    (history.directory / "_delta_log" / f"{0:020d}.json").write_text("{broken")
    with pytest.raises(StoreError, match=r"cannot read the event history .*history"):
        history.scan()


def test_a_history_that_cannot_be_written_is_named_and_the_events_stay(workspace: Workspace) -> None:
    put(workspace, *YESTERDAY)
    workspace.events_dir.mkdir(exist_ok=True)
    (workspace.events_dir / "history").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot write the event history .*history: .* free space"):
        compact(workspace, now=TEN + DAY)
    assert ids(live_events(workspace.events_dir)) == ["a", "b", "c"]


def test_a_reader_notices_a_newer_version_also_when_the_log_was_cut(workspace: Workspace) -> None:
    history = History(workspace.events_dir)
    history.append(frame(event("e1")).collect())
    assert history.is_newest(0)
    history.append(frame(event("e2")).collect())
    history.replace_day(TEN.date(), frame(event("e1"), event("e2")).collect())
    history.forget_versions()
    table = history.table()
    assert table is not None
    assert table.version() > 1
    assert not history.is_newest(0), "its commit is gone, and so is the one after it"
    assert history.is_newest(table.version())
    history.append(frame(event("e3")).collect())
    assert not history.is_newest(table.version())
    assert ids(history.scan()) == ["e1", "e2", "e3"]
