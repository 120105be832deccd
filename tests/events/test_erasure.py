"""An erased viewer is in no file, and stays erased."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa

from swipewise.errors import DataError
from swipewise.events import (
    Controls,
    EventLog,
    compact,
    database,
    erase_viewer,
    export_viewer,
    finish_erasures,
    import_events,
    import_viewers,
    read_events,
    rewriting,
)
from swipewise.events.address import DATABASE_VARIABLE
from swipewise.events.answers import Answers
from swipewise.events.history import History
from swipewise.schema import Col, Profile
from swipewise.workspace import Workspace
from tests.events.examples import TEN, answer, event, minute
from tests.events.traces import holders, tables_of
from tests.postgres import shared_postgres

GONE = "zoe-7f3a91"
NOW = TEN + timedelta(days=3)


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """Zoe and ann on three days: in the history, in the live log, with profiles, controls and rejected rows."""
    with EventLog.open(workspace.events_dir) as log:
        for day in range(3):
            at = TEN + timedelta(days=day)
            log.append([event(f"{who}-{day}", at=at, viewer=who) for who in (GONE, "ann", "zzz")])
            if day == 0:
                log.append([event(f"{GONE}-alone", at=TEN - timedelta(days=9), viewer=GONE)])
            if day < 2:
                compact(workspace, now=at + timedelta(days=1))
        log.put_profiles([Profile(viewer_id=who, features={"age": "18"}) for who in (GONE, "ann")])
        for who in (GONE, "ann"):
            log.controls.put(who, Controls(hidden=("v9",)), paused=True, reset=False, now=TEN)
    store = database.Database(workspace.events_dir)
    Answers(store).put([answer(f"feed of {who}", who) for who in (GONE, "ann")])
    store.close()
    rows = [{"viewer_id": who, "video_id": "v1", "action": action, "at": at} for who, action, at in REJECTED]
    path = workspace.root.parent / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + f'{{"viewer_id": "{GONE}", broken\n')
    import_events(workspace, [path], mapping={}, known_videos=())
    return workspace


REJECTED = [(GONE, "leik", 1), ("ann", "leik", 1), ("ann", "like", f"by {GONE}")]


def ids(workspace: Workspace) -> list[str]:
    return sorted(read_events(workspace.events_dir).collect()[Col.EVENT_ID])


def rejects(workspace: Workspace) -> int:
    files = (workspace.events_dir / "rejects").glob("*")
    return sum(len(path.read_text().splitlines()) for path in files)


def test_an_erased_viewer_is_in_no_file_and_others_are_untouched(filled: Workspace) -> None:
    places = holders(filled.root, GONE)
    assert any("_delta_log" in place for place in places)
    assert any(place.endswith(".parquet") for place in places)
    assert any("rejects" in place for place in places)
    assert any("live.sqlite" in place for place in places)
    with EventLog.open(filled.events_dir) as log:
        before = read_events(filled.events_dir).filter(pl.col(Col.VIEWER_ID) != GONE).sort(Col.EVENT_ID).collect()
        erasure = erase_viewer(filled, GONE, now=NOW)
        assert (erasure.events, erasure.pending) == (4, None)
        assert holders(filled.root, GONE) == []
        assert read_events(filled.events_dir).sort(Col.EVENT_ID).collect().equals(before)
        assert log.profile(GONE) is None
        assert log.profile("ann") is not None
    assert list(export_viewer(filled, GONE)) == []
    assert [row["kind"] for row in export_viewer(filled, "ann")] == [
        "profile",
        "controls",
        *["event"] * 3,
        "feed",
        "rejected row",
    ]
    assert rejects(filled) == 1
    assert ids(filled) == sorted(f"{who}-{day}" for who in ("ann", "zzz") for day in range(3))


def test_nothing_is_left_between_the_rows_of_the_live_store(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = database._sqlite_engine

    def careless(url: sa.URL) -> sa.Engine:
        engine = opened(url)
        # Some builds overwrite what is deleted by themselves.
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA secure_delete=OFF"))
        return engine

    monkeypatch.setattr(database, "_sqlite_engine", careless)
    erase_viewer(filled, GONE, now=NOW)
    assert holders(filled.root, GONE) == []


def test_the_export_holds_what_is_erased(filled: Workspace) -> None:
    rows = list(export_viewer(filled, GONE))
    kinds = [row["kind"] for row in rows]
    assert kinds == ["profile", "controls", *["event"] * 4, "feed", *["rejected row"] * 3]
    assert [row["event_id"] for row in rows[2:6]] == [f"{GONE}-alone", *(f"{GONE}-{day}" for day in range(3))]
    assert rows[1]["pauses"] == [[TEN.isoformat(), None]]
    json.dumps(rows)


def test_old_logs_do_not_bring_anybody_back(filled: Workspace, tmp_path: Path) -> None:
    erase_viewer(filled, GONE, now=NOW)
    path, profiles = tmp_path / "old.csv", tmp_path / "users.csv"
    path.write_text(
        f"viewer_id,video_id,action,at\n{GONE},v1,like,2026-03-02T10:00:00Z\nbob,v1,like,2026-03-02T10:00:00Z\n"
        f"{GONE},v2,like,2026-03-09T10:00:00Z\n"
    )
    summary = import_events(filled, [path], mapping={}, known_videos=())
    assert (summary.added, summary.erased, summary.duplicates, summary.rejected) == (2, 1, 0, 0)
    profiles.write_text(f"viewer_id,age\n{GONE},18\nbob,19\n{GONE},19\nbob,20\n")
    summary = import_viewers(filled, [profiles], mapping={})
    assert (summary.added, summary.erased, summary.duplicates) == (1, 2, 1)
    with EventLog.open(filled.events_dir) as log:
        appended = log.append(
            [event("late", at=TEN, viewer=GONE), event("new", at=NOW + timedelta(1), viewer=GONE)]
        )
        assert (appended.added, appended.erased, appended.duplicates) == (1, 1, 0)
        log.put_profiles([Profile(viewer_id=GONE, features={"age": "9"})])
        assert log.profile(GONE) is None
        log.put_profiles([Profile(viewer_id=GONE, features={"age": "9"})], anew=True)
        assert log.profile(GONE) is not None
    theirs = read_events(filled.events_dir, GONE).collect()
    assert sorted(theirs[Col.AT].dt.day()) == [6, 9], "what came later is a new viewer's"


def test_erasing_again_is_harmless_and_a_viewer_who_came_back_can_be_erased(filled: Workspace) -> None:
    erase_viewer(filled, GONE, now=NOW)
    assert erase_viewer(filled, GONE, now=NOW + timedelta(hours=1)).events == 0
    with EventLog.open(filled.events_dir) as log:
        log.append([event("back", at=NOW + timedelta(days=1), viewer=GONE)])
    assert erase_viewer(filled, GONE, now=NOW + timedelta(days=2)).events == 1
    assert holders(filled.root, GONE) == []
    assert erase_viewer(filled, "nobody", now=NOW).events == 0


def test_an_event_of_a_clock_that_was_ahead_is_gone_for_good(filled: Workspace) -> None:
    ahead = event("ahead", at=NOW + timedelta(hours=5), viewer=GONE)
    with EventLog.open(filled.events_dir) as log:
        log.append([ahead])
        erase_viewer(filled, GONE, now=NOW)
        assert log.append([ahead]).erased == 1


def test_a_running_compaction_holds_up_the_files_alone(filled: Workspace) -> None:
    with filled.lock("history"):
        erasure = erase_viewer(filled, GONE, now=NOW)
        assert "another process is running 'history'" in (erasure.pending or "")
        with EventLog.open(filled.events_dir) as log:
            assert log.profile(GONE) is None
            log.append([event("since", at=NOW + timedelta(1), viewer=GONE)])
    compact(filled, now=NOW + timedelta(days=9))
    assert finish_erasures(filled) is None
    assert ids(filled).count("since") == 1, "what came after the request stays"
    assert not [each for each in ids(filled) if each.startswith(GONE)]
    with filled.lock("history"):
        assert finish_erasures(filled) is None, "nothing is left to do"


def test_an_erasure_waits_for_a_compaction(filled: Workspace) -> None:
    held, release = threading.Event(), threading.Event()

    def compacting() -> None:
        with filled.lock("history"):
            held.set()
            release.wait(10)

    thread = threading.Thread(target=compacting)
    thread.start()
    held.wait(10)
    threading.Timer(0.2, release.set).start()
    assert erase_viewer(filled, GONE, now=NOW, wait=30).pending is None
    thread.join()
    assert holders(filled.root, GONE) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from swipewise.events import erasure, scrubbing, history
from swipewise.events.database import Database
from swipewise.workspace import Workspace

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

place = sys.argv[2]
if place == "in the history":
    kept = history.History.replace_day
    def once(self, *arguments):
        kept(self, *arguments)
        die()
    history.History.replace_day = once
elif place == "before old versions go":
    history.History.forget_versions = die
elif place == "in old versions":
    history.Path.unlink = die
elif place == "before rejects":
    erasure.erase_from_rejects = die
elif place == "before the scrub":
    Database.scrub = die
else:
    kept_scrub = Database.scrub
    def after(self, tables):
        kept_scrub(self, tables)
        die()
    Database.scrub = after
erasure.erase_viewer(Workspace.open(sys.argv[1]), sys.argv[3])
"""


@pytest.mark.parametrize(
    "place",
    [
        "in the history",
        "before old versions go",
        "in old versions",
        "before rejects",
        "before the scrub",
        "after the scrub",
    ],
)
def test_an_erasure_that_is_killed_is_finished_by_the_next(filled: Workspace, place: str) -> None:
    command = [sys.executable, "-c", KILLED, str(filled.root), place, GONE]
    process = subprocess.run(command, env=os.environ, check=False, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert read_events(filled.events_dir).collect().height in (6, 7, 8, 9)
    assert finish_erasures(filled) is None
    assert holders(filled.root, GONE) == []
    assert ids(filled) == sorted(f"{who}-{day}" for who in ("ann", "zzz") for day in range(3))


def test_open_readers_and_writers_follow_a_history_whose_log_was_cut(filled: Workspace) -> None:
    with EventLog.open(filled.events_dir) as log:
        again = event("ann-0", at=TEN, viewer="ann")
        assert log.append([again]).duplicates == 1
        erase_viewer(filled, GONE, now=NOW)
        assert log.append([again]).duplicates == 1
        assert log.append([event("fresh", at=minute(1), viewer="ann")]).added == 1
        compact(filled, now=NOW)
        assert log.append([event("fresh", at=minute(1), viewer="ann")]).duplicates == 1
    assert History(filled.events_dir).table() is not None


def test_an_id_that_is_none(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="viewer_id is empty"):
        erase_viewer(workspace, " ")


@pytest.mark.parametrize("ending", ["\u2028", "\x85", "\x0b", "\r", "\r\n", "\u2029", "\x1c"])
def test_rejected_rows_that_hold_other_line_endings_are_taken_out_whole(workspace: Workspace, ending: str) -> None:
    path = workspace.root.parent / "log.jsonl"
    texts = [f"naïve{ending}first secret{ending}second secret", f"of bob{ending}kept"]
    rows = [
        {"viewer_id": who, "video_id": text, "action": "leik", "at": 1}
        for who, text in zip((GONE, "bob"), texts, strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), newline="")
    import_events(workspace, [path], mapping={}, known_videos=())
    torn = workspace.events_dir / "rejects" / ".events-1.tmp"
    torn.write_text(json.dumps({"file": "x", "values": f"by {GONE}{ending}torn secret"}, ensure_ascii=False)[:-3])
    exported = list(export_viewer(workspace, GONE))
    assert sorted(map(len, exported)) == [2, 5]
    assert all("secre" in json.dumps(row) for row in exported)
    erase_viewer(workspace, GONE, now=NOW)
    assert holders(workspace.root, "secre") == []
    assert list(export_viewer(workspace, GONE)) == []
    (kept,) = export_viewer(workspace, "bob")
    assert kept["values"]["video_id"] == texts[1]


def lying_in(server_folder: Path, text: str) -> list[str]:
    """The files of a PostgreSQL server that hold a text, but for its log of changes."""
    files = [path for path in server_folder.rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    return [str(path) for path in files if text.encode() in path.read_bytes()]


def places(workspace: Workspace, live_store: str, text: str) -> list[str]:
    """The files that hold a text, those of the live store's server too, and its tables."""
    found = holders(workspace.root, text)
    if live_store == "postgresql":
        server = shared_postgres()
        server.execute("CHECKPOINT")
        found += lying_in(server.folder, text)
        found += tables_of(os.environ[DATABASE_VARIABLE], text)
    return found


def known(workspace: Workspace, who: str) -> None:
    """Put an event, a profile and controls of a viewer into the live store."""
    with EventLog.open(workspace.events_dir) as log:
        log.append([event(f"{who}-1", viewer=who)])
        log.put_profiles([Profile(viewer_id=who, features={"age": "18"})])
        log.controls.put(who, Controls(hidden=("v9",)), paused=True, reset=False, now=TEN)


def test_a_viewer_leaves_either_kind_of_store(workspace: Workspace, live_store: str) -> None:
    gone = f"{GONE}-{live_store}"
    for who in (gone, "bob"):
        known(workspace, who)
    assert places(workspace, live_store, gone)
    assert erase_viewer(workspace, gone, now=NOW).pending is None
    assert places(workspace, live_store, gone) == []
    with EventLog.open(workspace.events_dir) as log:
        assert log.append([event("late", at=TEN, viewer=gone)]).erased == 1
        assert (log.profile(gone), log.controls.get(gone)) == (None, None)
    assert [row["kind"] for row in export_viewer(workspace, "bob")] == ["profile", "controls", "event"]


def test_no_spelling_of_an_id_is_left_in_any_file_or_table(workspace: Workspace, live_store: str) -> None:
    gone = f'zoë "7f3a91" 100% {live_store}'
    for who in (gone, "bob"):
        known(workspace, who)
    compact(workspace, now=TEN + timedelta(days=1))
    for who in (gone, "bob"):
        with EventLog.open(workspace.events_dir) as log:
            log.append([event(f"{who}-live", at=TEN + timedelta(days=1), viewer=who)])
    path = workspace.root.parent / "log.jsonl"
    path.write_text(json.dumps({"viewer_id": gone, "video_id": "v1", "action": "leik", "at": 1}))
    import_events(workspace, [path], mapping={}, known_videos=())
    held = " ".join(places(workspace, live_store, gone))
    for kind in (
        ".parquet",
        "rejects",
        *(["live.sqlite"] if live_store == "sqlite" else ["profiles", "controls"]),
    ):
        assert kind in held, "the search sees it there"
    assert erase_viewer(workspace, gone, now=NOW).pending is None
    assert places(workspace, live_store, gone) == []
    assert compact(workspace, now=NOW).moved == 1, "bob's"
    assert places(workspace, live_store, gone) == []
    assert list(export_viewer(workspace, gone)) == []
    assert len(list(export_viewer(workspace, "bob"))) == 4


def test_an_erasure_beside_a_long_reader_is_pending_and_holds_up_nobody(
    workspace: Workspace, live_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "PATIENCE_MS", 100)
    gone = f"{GONE}-read-{live_store}"
    for who in (gone, "bob"):
        known(workspace, who)
    reading = database.Database(workspace.events_dir)
    with reading.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM schema_version")) == 1
        pending = erase_viewer(workspace, gone, now=NOW).pending
        assert "while it is being read: try again later" in (pending or "")
        with EventLog.open(workspace.events_dir) as log, workspace.lock("history"), workspace.lock("viewers"):
            assert log.append([event("since", viewer="bob")]).added == 1
            assert "while it is being read" in (finish_erasures(workspace) or ""), (
                "the files' locks are not needed"
            )
        assert connection.scalar(sa.text("SELECT count(*) FROM events")) == 2, "a backup reads as of one moment"
    reading.close()
    assert finish_erasures(workspace) is None
    assert places(workspace, live_store, gone) == []


@pytest.mark.usefixtures("server")
def test_an_erasure_beside_a_lock_on_a_table_is_pending(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "PATIENCE_MS", 100)
    known(workspace, GONE)
    address = os.environ[DATABASE_VARIABLE]
    with psycopg.connect(address) as connection:
        connection.execute("LOCK TABLE profiles IN ACCESS SHARE MODE")
        assert "lock timeout" in (erase_viewer(workspace, GONE, now=NOW).pending or "")
    assert finish_erasures(workspace) is None
