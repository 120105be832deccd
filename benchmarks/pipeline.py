"""Whole ingestions with the descriptors: what they add to decoding and encoding, how they scale, what memory they take.

- CPU time of a whole ingestion of 15-second clips of 720x1280 in one worker process, with the start of all processes,
  hashes, commits, near-duplicates and compaction, against the limit: decoding and encoding the same clips in a loop.
- Videos a second of two workers against one, as processes and as Ray actors (where Ray is installed), once they are
  ready. The limit is 2, if two cores are free; the share of them that was had is told beside the figures.
- The same of processes whose decoding only waits, 0.25 seconds a clip: what handing out, deciding and committing leave
  of the limit where no core is short.
- Peak memory of the run and of its worker on many small clips against 100, and of a worker on the large ones.

Ratios are of medians, measured in alternation. With ``--quick`` there are no bars: a few clips take no longer than the
start of the processes.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from unittest import mock
from warnings import catch_warnings, filterwarnings

import numpy as np
from figures import Figures, Options, run
from ingest import film

from swipewise.config import Config, IngestConfig
from swipewise.ingest import ingest_videos, pool
from swipewise.ingest.executor import worker_pool
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace

LARGE, QUICK_LARGE = 60, 12
ROUNDS, QUICK_ROUNDS = 5, 1
FEW, MANY, QUICK_MANY = 100, 5000, 500
STARTS = 3  # of the few: they take little time, and their peak differs by some percent
KINDS = 100
HELD_AT_FIRST = 4  # tasks that a worker takes when it is ready
SCALING_BARS = {"processes": 1.8, "ray": 1.7}

# One worker takes the files of a folder; prints the peak memory of the run and of the worker, in kilobytes.
_WHOLE = """
import json, sys
from pathlib import Path
from swipewise.config import Config, IngestConfig
from swipewise.ingest import ingest_videos, pool
from swipewise.ingest.executor import worker_pool
from swipewise.workspace import Workspace
def peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
files = sorted(Path(sys.argv[1]).iterdir())[: int(sys.argv[3])]
config = Config(ingest=IngestConfig(workers=1))
workspace = Workspace(root=Workspace.create(Path(sys.argv[2])).root, config=config)
with worker_pool(config) as opened:
    assert ingest_videos(workspace, files, pool=opened).added == len(files)
    (worker,) = [pid for each in Path("/proc/self/task").glob("*/children") for pid in each.read_text().split()]
    print(json.dumps({"run": peak("self"), "worker": peak(worker)}))
"""

# The limit: nothing but decoding and encoding, without the start of Python.
_LOOP = """
import sys, time
from pathlib import Path
from swipewise.config import EncodersConfig, MediaConfig
from swipewise.encoders import build_encoders
from swipewise.media import decode
encoders = build_encoders(EncodersConfig()).values()
files = sorted(Path(sys.argv[1]).iterdir())[: int(sys.argv[2])]
started = time.process_time()
for path in files:
    clip = decode(path, MediaConfig())
    for encoder in encoders:
        encoder.encode([clip])
print(time.process_time() - started)
"""

# A worker that decodes one clip and then waits as long for each as decoding takes.
_WAITING = """
import time
from swipewise.ingest import tasks, worker
right_away, clips = tasks.decode, []
def decode(path, *settings):
    clips or clips.append(right_away(path, *settings))
    time.sleep(0.25)
    return clips[0]
tasks.decode = decode
worker.main()
"""


def measure(figures: Figures, options: Options) -> None:
    large = QUICK_LARGE if options.quick else LARGE
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="swipewise-pipeline-") as name:
        folder = Path(name)
        films = large_clips(folder / "large", large)
        parts: dict[str, Callable[[], None]] = {
            "cost": lambda: record_cost(figures, folder, films, large, rounds),
            "processes": lambda: record_scaling(figures, folder, films, "processes", rounds),
            "ray": lambda: record_scaling(figures, folder, films, "ray", rounds),
            "waiting": lambda: record_scaling(figures, folder, films, "processes", 1, waiting=True),
            "memory": lambda: record_memory(figures, folder, QUICK_MANY if options.quick else MANY),
        }
        if not find_spec("ray"):
            del parts["ray"]
        for part in options.own.only or parts:
            parts[part]()


def record_cost(figures: Figures, folder: Path, films: Path, clips: int, rounds: int) -> None:
    whole, alone, peaks = [], [], []
    for _ in range(rounds):
        before = cpu_seconds_of_children()
        peaks.append(whole_ingestion(folder, films, clips)["worker"])
        whole.append(cpu_seconds_of_children() - before)
        alone.append(float(child(_LOOP, films, clips)))
    ratio = statistics.median(whole) / statistics.median(alone)
    figures.record("CPU time against decoding and encoding alone", ratio, at_most=1.2, unit="x")
    figures.record("CPU seconds a clip of decoding and encoding alone", statistics.median(alone) / clips)
    figures.record("peak of a worker on clips of 720x1280", max(peaks), at_most=1000, unit=" MB")


def record_scaling(
    figures: Figures, folder: Path, films: Path, executor: str, rounds: int, *, waiting: bool = False
) -> None:
    rates: dict[int, list[float]] = {1: [], 2: []}
    shares = []
    command = (sys.executable, "-c", _WAITING) if waiting else pool.COMMAND
    with cluster(executor), mock.patch.object(pool, "COMMAND", command):
        for _ in range(rounds):
            for workers, found in rates.items():
                rate, share = videos_per_second(folder, films, executor, workers)
                found.append(rate)
                shares += [share] if workers == 2 else []
    ratio = statistics.median(rates[2]) / statistics.median(rates[1])
    what = f"two workers against one, {executor}{' that wait' if waiting else ''}"
    figures.record(what, ratio, at_least=SCALING_BARS[executor], unit="x")
    if not waiting:
        figures.record(f"cores that two {executor} had, of 2", statistics.median(shares))


def record_memory(figures: Figures, folder: Path, many: int) -> None:
    small = small_clips(folder / "small", many)
    few = [whole_ingestion(folder, small, FEW) for _ in range(STARTS)]
    all_of_them = whole_ingestion(folder, small, many)
    for process in ("run", "worker"):
        ratio = all_of_them[process] / statistics.median(each[process] for each in few)
        figures.record(f"memory of the {process}, {many} clips against {FEW}", ratio, at_most=1.1, unit="x")
        figures.record(f"peak of the {process} on {many} small clips", all_of_them[process], unit=" MB")


def videos_per_second(folder: Path, films: Path, executor: str, workers: int) -> tuple[float, float]:
    """Videos a second of workers that are ready, and how many cores' worth of CPU time all processes here had."""
    config = Config(ingest=IngestConfig(executor=executor, workers=workers))
    workspace = Workspace(root=Workspace.create(Path(tempfile.mkdtemp(dir=folder))).root, config=config)
    with worker_pool(config, workers) as opened:
        while opened.free < workers * HELD_AT_FIRST:
            opened.wait()
        started, had = time.monotonic(), cpu_seconds_of_family()
        summary = ingest_videos(workspace, [films], pool=opened)
        seconds = time.monotonic() - started
        return summary.added / seconds, (cpu_seconds_of_family() - had) / seconds


def cpu_seconds_of_family() -> float:
    """CPU seconds that this process and all that it started, and these started, have had and are still there."""
    seconds, unseen = 0.0, [os.getpid()]
    while unseen:
        process = Path(f"/proc/{unseen.pop()}")
        with suppress(OSError):
            fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for children in process.glob("task/*/children"):
                unseen += map(int, children.read_text().split())
    return seconds


def cpu_seconds_of_children() -> float:
    """CPU seconds of the processes that have ended, and of theirs."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def whole_ingestion(folder: Path, clips: Path, count: int) -> dict[str, float]:
    """One worker takes the first clips of a folder: the peak memory of the run and of the worker, megabytes."""
    told = child(_WHOLE, clips, tempfile.mkdtemp(dir=folder), count)
    return {name: kilobytes / 1024 for name, kilobytes in json.loads(told).items()}


def child(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def cluster(executor: str) -> Iterator[None]:
    """A Ray cluster of two CPUs for as long as it is needed."""
    if executor != "ray":
        yield
        return
    import ray

    with catch_warnings():
        filterwarnings("ignore", "lance is not fork-safe")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def large_clips(folder: Path, count: int) -> Path:
    """The same film under as many content hashes: what follows the last box of an mp4 is ignored."""
    folder.mkdir()
    content = film(folder / "film.mp4", group=60).read_bytes()
    (folder / "film.mp4").unlink()
    for number in range(count):
        (folder / f"{number:05}.mp4").write_bytes(content + number.to_bytes(4))
    return folder


def small_clips(folder: Path, count: int) -> Path:
    """Small clips of a hundred kinds, which stand all of them among the first, under as many content hashes."""
    folder.mkdir()
    for kind in range(KINDS):
        rng = np.random.default_rng(kind)
        render_clip(folder / "clip.mp4", visual=kind % 8, audio=kind % 8, seconds=0.5, rng=rng)
        content = (folder / "clip.mp4").read_bytes()
        for number in range(kind, count, KINDS):
            (folder / f"{number:05}.mp4").write_bytes(content + number.to_bytes(4))
    (folder / "clip.mp4").unlink()
    return folder


def _add_options(parser: ArgumentParser) -> None:
    parts = ("cost", "processes", "ray", "waiting", "memory")
    parser.add_argument("--only", nargs="+", choices=parts, help="measure only these parts")


if __name__ == "__main__":
    run(measure, __doc__, add_options=_add_options, quick_bars=False)
