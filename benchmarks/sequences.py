"""What it takes to turn the history into the interactions of each viewer in time order: processor seconds and memory.

Writes two platforms' logs into the histories of new workspaces, of 10 and of 100 million interactions with the same
100,000 videos, 100 a viewer in the mean (with --quick 50,000 and 200,000). Then a process of its own each

- folds the whole history into parts on disk and reads them, as the first training of a workspace does: processor time
  an interaction at the larger size is held against the smaller, and peak memory against 4 GB,
- reads them again, as every later training does,
- folds one day more, which is what each further day costs.

``--interactions`` sets the larger size. An event takes about 12 bytes of disk, and there are 2.2 an interaction.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Figures, Options, run
from platforms import DAYS, Size, days

from swipewise.events.history import History
from swipewise.workspace import Workspace

VIDEOS, QUICK_VIDEOS = 100_000, 2_000
SMALLER, QUICK_SMALLER = 10_000_000, 50_000
LARGER, QUICK_LARGER = 100_000_000, 200_000
A_VIEWER = 100
VIDEO, VIEWER = "clip{:06d}", "viewer{:07d}"

# Reads all interactions; prints how many there are, the processor time it took and the peak memory, in kilobytes.
_READ = """
import json, resource, sys, time
from pathlib import Path
import polars as pl
from swipewise.events import interaction_parts
from swipewise.workspace import Workspace
lengths = pl.LazyFrame({"video_id": [f"clip{number:06d}" for number in range(int(sys.argv[2]))]})
workspace = Workspace.open(Path(sys.argv[1]))
began = time.process_time()
rows = sum(map(len, interaction_parts(workspace, lengths.with_columns(duration_seconds=15.0))))
status = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"rows": rows, "seconds": time.process_time() - began, "peak": peak / 2**20}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What it took: processor seconds, and the peak in GiB."""

    rows: int
    seconds: float
    peak: float


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--interactions", type=int, help="of the larger platform")


def measure(figures: Figures, options: Options) -> None:
    videos = QUICK_VIDEOS if options.quick else VIDEOS
    smaller = QUICK_SMALLER if options.quick else SMALLER
    larger = options.own.interactions or (QUICK_LARGER if options.quick else LARGER)
    least, most = (
        _platform(figures, Size(videos=videos, viewers=n // A_VIEWER, interactions=n)) for n in (smaller, larger)
    )
    ratio = (most.seconds / most.rows) / (least.seconds / least.rows)
    figures.record("time an interaction at the larger size against the smaller", ratio, at_most=1.3, unit="x")


def _platform(figures: Figures, size: Size) -> Reading:
    """Fold a log, read it again, and fold a day more; what the first took."""
    name = f"{size.interactions:,} interactions"
    with TemporaryDirectory(prefix="swipewise-sequences-") as folder:
        workspace = Workspace.create(Path(folder) / "shop")
        history, log = History(workspace.events_dir), days(size, VIDEO.format, VIEWER.format)
        for day, events in enumerate(islice(log, DAYS), 1):
            history.append(events)
            print(f"{name}: wrote day {day} of {DAYS}", file=sys.stderr, end="\r", flush=True)
        print(file=sys.stderr)
        first, again = _read(workspace, size), _read(workspace, size)
        history.append(next(log))
        longer = _read(workspace, size)
    figures.record(f"{name}: microseconds each to fold and read", first.seconds / first.rows * 1e6)
    figures.record(f"{name}: peak memory of folding", max(first.peak, longer.peak), at_most=4.0, unit=" GB")
    figures.record(f"{name}: microseconds each to read again", again.seconds / again.rows * 1e6)
    figures.record(
        f"{name}: a day more against folding all", (longer.seconds - again.seconds) / first.seconds, unit="x"
    )
    return first


def _read(workspace: Workspace, size: Size) -> Reading:
    command = [sys.executable, "-c", _READ, str(workspace.root), str(size.videos)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Reading(**json.loads(told))


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
