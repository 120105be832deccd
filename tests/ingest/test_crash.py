"""A run that is killed loses nothing that was committed, repeats none of it, and leaves no process behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from swipewise.catalog import Catalog
from swipewise.ingest import ingest_videos
from swipewise.schema import Col
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace
from tests.ingest.interrupted import IN_FLIGHT, interrupt

_CONFIG = """
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
[ingest]
workers = 2
batch = 4
"""

# Slow enough to be met halfway: it says how far it is after each file.
_RUN = """
import sys, time
from pathlib import Path
from swipewise.ingest import ingest_videos
from swipewise.workspace import Workspace
def tell(progress):
    print(progress.done, flush=True)
    time.sleep(0.02)
ingest_videos(Workspace.open(sys.argv[1]), [Path(sys.argv[2])], on_progress=tell)
"""


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _kill_after(files: int, workspace: Path, clips: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, workspace, clips], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while int(run.stdout.readline()) < files:
            pass
        workers = _children(run.pid)
        run.send_signal(signal.SIGKILL)
    assert len(workers) == 2
    deadline = time.monotonic() + 30
    while any(map(_is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_is_alive, workers))


def test_runs_that_are_killed_are_resumed(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace")
    (workspace.root / "swipewise.toml").write_text(_CONFIG)
    workspace = Workspace.open(workspace.root)
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(40):
        path = clips / f"{number}.mp4"
        render_clip(path, visual=number % 4, audio=None, seconds=0.3, rng=np.random.default_rng(number))
    (clips / "bad.mp4").write_bytes(b"bad")
    catalog = Catalog(workspace.catalog_dir)
    committed = 0
    for files in (9, 20, 31):
        _kill_after(files, workspace.root, clips)
        # What was there before the kill is there after it.
        assert committed <= len(catalog.videos()) <= files + 3
        committed = len(catalog.videos())
    assert committed >= 20
    summary = ingest_videos(workspace, [clips])
    assert (summary.added, summary.unchanged, summary.rejected) == (40 - committed, committed, 1)
    videos = catalog.videos()
    assert videos[Col.URI].sort().to_list() == sorted(str(clips / f"{number}.mp4") for number in range(40))
    assert sorted(catalog.vectors("visual", "fake@1")[0]) == videos[Col.VIDEO_ID].to_list()
    assert catalog.rejected()[Col.URI].to_list() == [str(clips / "bad.mp4")]


def test_a_run_that_is_killed_over_and_over_takes_every_clip_once(tmp_path: Path) -> None:
    outcome = interrupt(tmp_path, clips=150, kills=4, seed=0)
    assert (outcome.kills, outcome.lost, outcome.doubled, outcome.again) == (4, 0, 0, 0)
    assert max(outcome.repeated) <= IN_FLIGHT
