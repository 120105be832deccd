"""Processes killed with SIGKILL: what they acknowledged is there, nothing is doubled, the rerun completes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from swipewise.events import EventLog, compact, import_events, read_events
from swipewise.events.history import History
from swipewise.events.reading import live_events
from swipewise.workspace import Workspace
from tests.events.examples import TEN, event

ROWS = 20_000


def start(code: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> list[str]:
    """Kill the process; returns the lines it had printed and nobody had read."""
    process.send_signal(signal.SIGKILL)
    printed, _ = process.communicate()
    # A line without its end was not printed whole.
    return [line for line in printed.splitlines(keepends=True) if line.endswith("\n")]


IMPORT = """
import os, signal, sys
from pathlib import Path
from swipewise.events import history, import_events
from swipewise.workspace import Workspace

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

workspace, place = Workspace.open(sys.argv[1]), sys.argv[2]
if place == "while writing":
    history.write_deltalake = die
elif place == "after the commit":
    history._sync = die
print("ready", flush=True)
import_events(
    workspace, [Path(path) for path in sys.argv[3:]], mapping={}, known_videos=(),
    on_progress=lambda path, rows: print(path, flush=True),
)
"""


def write_log(path: Path) -> Path:
    """A file of events without ids, over nine days, whose viewers are named after it."""
    viewers = pl.DataFrame({"viewer_id": [f"{path.stem} {number % 997}" for number in range(ROWS)]})
    at = 1_772_445_600 + 40 * pl.int_range(pl.len())
    viewers.with_columns(video_id=pl.lit("v1"), action=pl.lit("view"), at=at).write_csv(path)
    return path


def rows_by_file(workspace: Workspace) -> dict[str, int]:
    file = pl.col("viewer_id").str.split(" ").list.first()
    events = read_events(workspace.events_dir).unique("event_id")
    return dict(events.group_by(file).len().collect().rows())


@pytest.mark.parametrize(("place", "stored"), [("while writing", 0), ("after the commit", ROWS)])
def test_an_import_killed_at_its_commit_is_whole_or_absent(workspace: Workspace, place: str, stored: int) -> None:
    path = write_log(workspace.root / "log.csv")
    process = start(IMPORT, workspace.root, place, path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert rows_by_file(workspace).get("log", 0) == stored
    summary = import_events(workspace, [path], mapping={}, known_videos=["v1"])
    assert (summary.added, summary.duplicates) == (ROWS - stored, stored)
    assert History(workspace.events_dir).scan().collect()["event_id"].n_unique() == ROWS


def test_imports_killed_at_any_moment_leave_files_whole_or_absent(workspace: Workspace) -> None:
    chance = random.Random(7)
    paths: list[Path] = []
    for trial in range(3):
        fresh = [write_log(workspace.root / f"{trial}{letter}.csv") for letter in "abc"]
        paths += fresh
        process = start(IMPORT, workspace.root, "at random", *fresh)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.25))
        acknowledged = {Path(line.strip()).stem for line in kill(process)}
        counts = rows_by_file(workspace)
        assert set(counts.values()) <= {ROWS}
        assert acknowledged <= set(counts)
    summary = import_events(workspace, paths, mapping={}, known_videos=["v1"])
    assert summary.added + summary.duplicates == len(paths) * ROWS
    stored = History(workspace.events_dir).scan().select(pl.len(), pl.col("event_id").n_unique()).collect()
    assert stored.row(0) == (len(paths) * ROWS, len(paths) * ROWS)


APPEND = """
import sys
from datetime import UTC, datetime
from swipewise.events import EventLog
from swipewise.schema import Action, Event
from pathlib import Path
at = datetime(2026, 3, 2, 10, tzinfo=UTC)
with EventLog.open(Path(sys.argv[1])) as log:
    for number in range(100_000):
        ids = [f"{sys.argv[2]}-{number}-{part}" for part in range(3)]
        log.append([Event(event_id=i, viewer_id="ann", video_id="v1", action=Action.VIEW, at=at) for i in ids])
        print(number, flush=True)
"""


@pytest.mark.usefixtures("live_store")
def test_acknowledged_events_survive_and_batches_are_whole(workspace: Workspace) -> None:
    acknowledged = set()
    for trial in range(2):
        process = start(APPEND, workspace.events_dir, trial)
        assert process.stdout is not None
        numbers = [process.stdout.readline() for _ in range(20 + 10 * trial)] + kill(process)
        acknowledged |= {f"{trial}-{number.strip()}-{part}" for number in numbers for part in range(3)}
    events = read_events(workspace.events_dir).collect()
    stored = set(events["event_id"])
    assert len(events) == len(stored)
    assert acknowledged <= stored
    # At most the batch that was being written when the process died is there without having been acknowledged.
    unacknowledged = stored - acknowledged
    assert len(unacknowledged) in (0, 3, 6)
    with EventLog.open(workspace.events_dir) as log:
        assert log.append([event(name) for name in sorted(stored)]).added == 0


COMPACT = """
import os, signal, sys
from datetime import UTC, datetime
from swipewise.events import compaction, history
from swipewise.workspace import Workspace

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

place = sys.argv[2]
if place == "while writing":
    history.write_deltalake = die
elif place == "after the commit":
    compaction._delete = die
else:
    compaction._DELETED_AT_ONCE = 2
    delete, calls = compaction.sa.delete, []
    def second_time(table):
        calls.append(table)
        return die() if len(calls) == 2 else delete(table)
    compaction.sa.delete = second_time
compaction.compact(Workspace.open(sys.argv[1]), now=datetime(2026, 3, 3, tzinfo=UTC))
"""


@pytest.mark.usefixtures("live_store")
@pytest.mark.parametrize(
    ("place", "in_history", "in_live"),
    [("while writing", 0, 5), ("after the commit", 5, 5), ("amid the deletion", 5, 3)],
)
def test_a_killed_compaction_moves_each_event_exactly_once(
    workspace: Workspace, place: str, in_history: int, in_live: int
) -> None:
    events = [event(f"e{number}", at=TEN) for number in range(5)]
    with EventLog.open(workspace.events_dir) as log:
        log.append(events)
    process = start(COMPACT, workspace.root, place)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(History(workspace.events_dir).scan().collect()) == in_history
    assert len(live_events(workspace.events_dir)) == in_live
    names = [item.event_id for item in events]
    assert sorted(read_events(workspace.events_dir).collect()["event_id"]) == names
    compact(workspace)
    assert live_events(workspace.events_dir).is_empty()
    assert sorted(History(workspace.events_dir).scan().collect()["event_id"]) == names
