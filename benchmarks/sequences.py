"""What it takes to turn the history into what viewers did in time order: processor seconds, memory and disk.

Writes two platforms' logs into the histories of new workspaces, of 10 and of 100 million interactions with the same
100,000 videos, 100 a viewer in the mean (with --quick 50,000 and 200,000). Then a process of its own each

- folds the whole history into parts on disk and reads them, as the first training of a workspace does: processor time
  an interaction at the larger size is held against the smaller, and peak memory against 4 GB,
- reads them again and codes them into columns that are mapped into memory, as every training does,
- folds one day more, which is what each further day costs, and codes all again.

Memory is the process's own: pages of files, which the system takes back where it needs the room, are not counted.
``--interactions`` sets the larger size. An event takes about 12 bytes of disk, there are 2.2 an interaction, and
the columns about 45 an interaction.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from figures import Figures, Options, run
from memory import peak_memory
from platforms import DAYS, Size, days

from swipewise.config import EventsConfig
from swipewise.events import interaction_parts
from swipewise.events.history import History
from swipewise.training.building import build_dataset
from swipewise.workspace import Workspace

VIDEOS, QUICK_VIDEOS = 100_000, 2_000
SMALLER, QUICK_SMALLER = 10_000_000, 50_000
LARGER, QUICK_LARGER = 100_000_000, 200_000
A_VIEWER = 100
VIDEO, VIEWER = "clip{:06d}", "viewer{:07d}"


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
        first, again = (_apart(work, workspace.root, size.videos) for work in (read_parts, code_columns))
        history.append(next(log))
        longer = _apart(code_columns, workspace.root, size.videos)
    figures.record(f"{name}: microseconds each to fold and read", first.seconds / first.rows * 1e6)
    figures.record(f"{name}: peak memory of folding", max(first.peak, longer.peak), at_most=4.0, unit=" GB")
    figures.record(f"{name}: microseconds each to read again and code", again.seconds / again.rows * 1e6)
    figures.record(f"{name}: peak memory of coding", again.peak, at_most=4.0, unit=" GB")
    figures.record(
        f"{name}: a day more against folding all", (longer.seconds - again.seconds) / first.seconds, unit="x"
    )
    return first


def read_parts(root: Path, videos: int) -> Reading:
    """Fold what is new, and look at every interaction."""
    workspace, lengths = Workspace.open(root), _catalogue(videos).lazy().select("video_id", "duration_seconds")
    began = time.process_time()
    with peak_memory() as peak:
        rows = sum(map(len, interaction_parts(workspace, lengths)))
    return Reading(rows=rows, seconds=time.process_time() - began, peak=peak.gigabytes)


def code_columns(root: Path, videos: int) -> Reading:
    """Fold what is new, and code all into the columns that training reads."""
    workspace, catalogue = Workspace.open(root), _catalogue(videos)
    lengths, nobody = (
        catalogue.lazy().select("video_id", "duration_seconds"),
        pl.DataFrame(schema={"viewer_id": pl.String}),
    )
    began = time.process_time()
    with peak_memory() as peak:
        parts = interaction_parts(workspace, lengths)
        dataset = build_dataset(catalogue, {}, parts, nobody, EventsConfig(), workspace.events_dir)
    return Reading(rows=len(dataset.interactions), seconds=time.process_time() - began, peak=peak.gigabytes)


def _catalogue(videos: int) -> pl.DataFrame:
    return pl.DataFrame({"video_id": [VIDEO.format(number) for number in range(videos)]}).with_columns(
        duration_seconds=pl.lit(15.0)
    )


def _apart(work: Callable[[Path, int], Reading], root: Path, videos: int) -> Reading:
    """Do something in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, root, videos).result()


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
