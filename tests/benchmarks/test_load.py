"""The load script against a small server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from swipewise.workspace import Workspace
from tests.feed.conftest import workspace as workspace
from tests.server.test_crash import served, stored

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "load.py"


def load(address: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, address, *options], capture_output=True, text=True, timeout=120)


def test_it_drives_feeds_and_events_and_tells_what_came_of_them(workspace: Workspace, tmp_path: Path) -> None:
    figures = tmp_path / "load.json"
    with served(workspace, pages=False) as (_, address):
        options = ("--feeds", "20", "--events", "10", "--seconds", "2", "--viewers", "5")
        done = load(address, *options, "--json", str(figures))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(figures.read_text())
    assert found["feed"]["failed"] == found["events"]["failed"] == {}
    assert found["events"]["answered"] == len(stored(workspace)) > 0
    assert found["feed"]["answered"] > 0
    assert 0 < found["feed"]["p50_ms"] <= found["feed"]["p95_ms"] <= found["feed"]["p99_ms"]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["feed", "events"]


def test_failures_are_counted_by_reason() -> None:
    done = load("http://127.0.0.1:9", "--feeds", "20", "--events", "0", "--seconds", "0.5")
    assert done.returncode == 1
    assert "answered=0" in done.stdout
    assert "failed={'ConnectError': " in done.stdout
