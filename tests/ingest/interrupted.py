"""An ingestion that is killed over and over, workers and all; for tests and for ``benchmarks/crash.py``."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swipewise.catalog import Catalog
from swipewise.schema import Col
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace

WORKERS, TOGETHER, COMMIT = 2, 2, 8

CONFIG = f"""
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
batch = {TOGETHER}
[ingest]
workers = {WORKERS}
batch = {COMMIT}
"""

IN_FLIGHT = WORKERS * (1 + 2 * TOGETHER + 1) + COMMIT
"""Clips that are with workers at most, and those that they are done with and that wait for their commit."""

# Workers write down what they decode; the first argument is the workspace, the second the clips, the third that log.
_RUN = """
import sys
from pathlib import Path
from swipewise.ingest import ingest_videos, pool
from swipewise.workspace import Workspace
pool.COMMAND = (sys.executable, "-c", sys.argv[4], sys.argv[3])
ingest_videos(Workspace.open(sys.argv[1]), [Path(sys.argv[2])])
"""

_WORKER = """
import os, sys
from swipewise.ingest import tasks, worker
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
right_away = tasks.decode
def decode(path, *settings):
    os.write(log, f"{path}\\n".encode())
    return right_away(path, *settings)
tasks.decode = decode
worker.main()
"""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a run.

    Attributes:
        kills: How often it was killed at work.
        lost: Clips that a reader saw and later did not, or that are missing in the end, or without their vectors.
        doubled: Clips that are there more than once in the end.
        again: Clips that were decoded although they were in the catalogue.
        repeated: For each kill the clips that were decoded before it and not committed.
    """

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    again: int = 0
    repeated: list[int] = field(default_factory=list)


def make_clips(folder: Path, count: int) -> None:
    """Tiny clips of as many contents: what follows the last box of an mp4 is ignored, but it is another file."""
    folder.mkdir()
    for kind in range(4):
        render_clip(folder / "clip.mp4", visual=kind, audio=None, seconds=0.3, rng=np.random.default_rng(kind))
        content = (folder / "clip.mp4").read_bytes()
        for number in range(kind, count, 4):
            (folder / f"{number:05}.mp4").write_bytes(content + number.to_bytes(4))
    (folder / "clip.mp4").unlink()


def interrupt(folder: Path, *, clips: int, kills: int, seed: int) -> Outcome:
    """Take clips into a new workspace; kill the run's whole process group, each time at another point of its work."""
    make_clips(folder / "clips", clips)
    workspace = Workspace.create(folder / "workspace")
    (workspace.root / "swipewise.toml").write_text(CONFIG)
    chance, outcome, stored = random.Random(seed), Outcome(), set[str]()
    log = folder / "decoded"
    log.touch()
    for kill in range(kills + 1):
        before = len(_lines(log))
        run = _start(workspace, folder / "clips", log)
        # The work that is left is shared among the kills that are left, so that each finds the run at work.
        share = 2 * (clips - len(stored)) / (kills + 1 - kill)
        if kill < kills:
            _await(run, log, before + chance.randint(1, max(1, int(share) - IN_FLIGHT)))
            time.sleep(chance.uniform(0, 0.05))
            os.killpg(run.pid, signal.SIGKILL)
        killed = run.wait() == -signal.SIGKILL
        assert killed or run.returncode == 0, "failed although nobody killed it"
        outcome.kills += killed
        decoded, known = _lines(log)[before:], _uris(workspace)
        outcome.again += sum(uri in stored for uri in decoded)
        outcome.lost += len(stored - known.keys())
        if killed:
            outcome.repeated.append(len(set(decoded) - known.keys()))
        stored = set(known)
    outcome.lost += clips - len(known)
    outcome.lost += clips - len(Catalog(workspace.catalog_dir).vectors("visual", "fake@1")[0])
    outcome.doubled += known.total() - len(known)
    return outcome


def _start(workspace: Workspace, clips: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _RUN, str(workspace.root), str(clips), str(log), _WORKER]
    return subprocess.Popen(command, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def _await(run: subprocess.Popen[bytes], log: Path, lines: int) -> None:
    while run.poll() is None and len(_lines(log)) < lines:
        time.sleep(0.002)


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines()


def _uris(workspace: Workspace) -> Counter[str]:
    return Counter(Catalog(workspace.catalog_dir).videos()[Col.URI])
