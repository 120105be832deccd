"""Nothing is lost: each kind of work is killed with SIGKILL, over and over, at moments drawn evenly over its span.

Each kill hits a real ``swipewise`` process that is at work; one that came too late is drawn again and not counted.
Then the same command is run again and has to complete, and what was acknowledged before the kill has to be there, once:

- ingestion: the videos that a reader saw before the kill, with their vectors, and none of them is encoded again;
- one ingestion killed over and over, with its workers: every clip ends up there once, and a kill costs at most the
  clips that were in flight;
- import: the files that a reader saw before the kill; each file is whole or absent, in the end each event there once;
- training: the epochs that were announced; losses and tensors end as those of an unbroken run, to the last bit;
- posting: the events that were answered with 200; sending the unanswered ones again makes each present once.

The limit is none at all, so the bars are 0.
"""

from __future__ import annotations

import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import lance
import polars as pl
import torch
from figures import Figures, Options, run
from posting import Posting

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.events.history import History
from swipewise.schema import Col
from swipewise.training.checkpoint import load_tensors
from swipewise.training.runs import MODEL_NAME, PLAN_NAME, RECORD_NAME, latest_run, read_record
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.ingest.interrupted import IN_FLIGHT, interrupt
from tests.killing import Ended, await_work, finish, kill, start_cli

KILLS, QUICK_KILLS = 20, 3
CLIPS, VIEWERS = 180, 100
RESUMED, QUICK_RESUMED = 1000, 150
FILES, ROWS = 6, 150_000

# Small commits, short epochs, a checkpoint every few steps: many moments that matter within seconds of work.
CONFIG = """
[ingest]
workers = 2
batch = 8
[model]
width = 32
heads = 4
layers = 1
history = 20
[training]
epochs = 10
patience = 10
batch_events = 512
negatives = 64
checkpoint_seconds = 0.05
device = "cpu"
"""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of a stage's kills, counted in rows, epochs or runs; ``done`` is the share of the work each met."""

    kills: int = 0
    incomplete: int = 0
    lost: int = 0
    doubled: int = 0
    repeated: int = 0
    differing: int = 0
    done: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One kill: what a reader saw before and after it, how the killed run and the one that followed ended.

    ``unbroken`` is a workspace in which the same work was done without a kill.
    """

    workspace: Workspace
    unbroken: Workspace
    before: Any
    after: Any
    killed: Ended
    rerun: Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Work that one command does and, when it is killed, the same command completes.

    Attributes:
        name: What it is called in the figures.
        fresh: Makes a workspace where the work is still to be done.
        command: What does it; ``--workspace`` is added.
        begun: Whether there is a first sign of work, so that no kill is spent on the start of Python.
        look: What a reader sees of the work.
        judge: Counts what a completed trial lost, doubled, repeated or changed.
        over: Whether there is nothing left to do but to end the process.
    """

    name: str
    fresh: Callable[[], Workspace]
    command: list[object]
    begun: Callable[[Workspace], bool]
    look: Callable[[Workspace], Any]
    judge: Callable[[Trial, Tally], None]
    over: Callable[[Workspace], bool] = lambda _: False

    def start(self, workspace: Workspace) -> subprocess.Popen[str]:
        """A process that does the work."""
        return start_cli(*self.command, "--workspace", workspace.root)


def measure(figures: Figures, options: Options) -> None:
    kills = QUICK_KILLS if options.quick else KILLS
    with tempfile.TemporaryDirectory(prefix="swipewise-crash-") as name:
        folder = Path(name)
        world = folder / "world"
        completed(start_cli("simulate", world, "--videos", CLIPS, "--viewers", VIEWERS))
        tally, filled = kill_stage(ingestion(folder, world), kills)
        record(figures, "ingestion", tally, kills)
        figures.record("ingestion: committed videos encoded again", tally.repeated, at_most=0)
        record_resumed(figures, folder / "resumed", kills, QUICK_RESUMED if options.quick else RESUMED)
        tally, _ = kill_stage(importing(folder), kills)
        record(figures, "import", tally, kills)
        tally, _ = kill_stage(training(folder, world, filled), kills)
        record(figures, "training", tally, kills)
        figures.record("training: announced epochs trained again", tally.repeated, at_most=0)
        figures.record("training: runs with other losses or tensors", tally.differing, at_most=0)
        record(figures, "posting", kill_posting(folder, kills), kills)


def record(figures: Figures, stage: str, tally: Tally, kills: int) -> None:
    figures.record(f"{stage}: kills at work", tally.kills, at_least=kills)
    if tally.done:
        figures.record(f"{stage}: share of the work done at a kill, median", statistics.median(tally.done))
    figures.record(f"{stage}: reruns that did not complete", tally.incomplete, at_most=0)
    figures.record(f"{stage}: acknowledged rows lost", tally.lost, at_most=0)
    figures.record(f"{stage}: rows doubled", tally.doubled, at_most=0)


def record_resumed(figures: Figures, folder: Path, kills: int, clips: int) -> None:
    folder.mkdir()
    outcome = interrupt(folder, clips=clips, kills=kills, seed=0)
    run = f"one ingestion of {clips} clips"
    figures.record(f"{run}: kills at work", outcome.kills, at_least=kills)
    figures.record(f"{run}: clips lost", outcome.lost, at_most=0)
    figures.record(f"{run}: clips doubled", outcome.doubled, at_most=0)
    figures.record(f"{run}: committed clips decoded again", outcome.again, at_most=0)
    figures.record(f"{run}: clips repeated after a kill, most", max(outcome.repeated), at_most=IN_FLIGHT)
    tell(f"{run}: killed {outcome.kills} times, {sum(outcome.repeated)} clips repeated in all")


def kill_stage(stage: Stage, kills: int) -> tuple[Tally, Workspace]:
    """Run a stage unbroken, then kill it; returns what became of it and the workspace of the unbroken run."""
    unbroken = stage.fresh()
    process = stage.start(unbroken)
    await_work(process, partial(stage.begun, unbroken))
    started = time.monotonic()
    await_work(process, partial(stage.over, unbroken))
    span = time.monotonic() - started
    completed(process)
    chance, tally, late = random.Random(stage.name), Tally(), 0
    while tally.kills < kills:
        workspace = stage.fresh()
        process = stage.start(workspace)
        await_work(process, partial(stage.begun, workspace))
        time.sleep(chance.uniform(0, span))
        before = stage.look(workspace)
        killed = kill(process)
        assert killed.was_killed or killed.status == 0, f"failed although nobody killed it: {killed.err}"
        if not killed.was_killed or stage.over(workspace):
            late += 1
            continue
        tally.kills += 1
        after = stage.look(workspace)
        rerun = finish(stage.start(workspace))
        if rerun.status != 0:
            tally.incomplete += 1
            tell(f"{stage.name}, kill {tally.kills}: the rerun failed: {rerun.err.strip()}")
            continue
        trial = Trial(
            workspace=workspace, unbroken=unbroken, before=before, after=after, killed=killed, rerun=rerun
        )
        stage.judge(trial, tally)
        shutil.rmtree(workspace.root)
    tell(f"{stage.name}: {span:.1f} s of work, killed {kills} times, {late} more moments came too late")
    return tally, unbroken


def ingestion(folder: Path, world: Path) -> Stage:
    """``videos add`` of real clips."""
    return Stage(
        name="ingestion",
        fresh=lambda: new_workspace(folder),
        command=["videos", "add", world / "videos.jsonl"],
        begun=lambda workspace: workspace.catalog_dir.exists(),
        look=stored_videos,
        judge=judge_ingestion,
    )


def stored_videos(workspace: Workspace) -> list[dict[str, Any]]:
    """Every row of the catalogue as it is stored, with its vectors; all of one snapshot."""
    path = workspace.catalog_dir / "videos.lance"
    return lance.dataset(path).to_table().to_pylist() if path.exists() else []


def judge_ingestion(trial: Trial, tally: Tally) -> None:
    rows = stored_videos(trial.workspace)
    final, expected = by_id(rows), by_id(stored_videos(trial.unbroken))
    before, after = by_id(trial.before), by_id(trial.after)
    tally.done.append(len(after) / CLIPS)
    tally.lost += sum(after.get(name) != row for name, row in before.items())
    tally.lost += sum(content(final.get(name)) != content(row) for name, row in expected.items())
    tally.doubled += len(rows) - len({row[Col.CONTENT_HASH] for row in rows}) + len(final.keys() - expected)
    # Links between near-duplicates are written again at the end, so the rows themselves do not tell.
    unchanged = re.search(r"unchanged (\d+)", trial.rerun.out)
    assert unchanged, trial.rerun.out
    tally.repeated += len(after) - int(unchanged[1])


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row[Col.VIDEO_ID]: row for row in rows}


def content(row: dict[str, Any] | None) -> dict[str, Any]:
    """What is the same in every run: all but the times of writing."""
    return {name: value for name, value in (row or {}).items() if name not in (Col.INGESTED_AT, Col.UPDATED_AT)}


def importing(folder: Path) -> Stage:
    """``events import`` of several large files, whose events name their file as the video."""
    files = [folder / f"log{number}.csv" for number in range(FILES)]
    for path in files:
        viewers = pl.select(viewer_id=pl.format("viewer{}", pl.int_range(ROWS)))
        at = 1_772_445_600 + 5 * pl.int_range(pl.len())
        viewers.with_columns(video_id=pl.lit(path.stem), action=pl.lit("view"), at=at).write_csv(path)
    return Stage(
        name="import",
        fresh=lambda: new_workspace(folder),
        command=["events", "import", *files],
        begun=lambda workspace: (workspace.root / ".history.lock").exists(),
        look=rows_by_file,
        judge=judge_import,
    )


def rows_by_file(workspace: Workspace) -> dict[str, int]:
    return dict(History(workspace.events_dir).scan().group_by(Col.VIDEO_ID).len().collect().iter_rows())


def judge_import(trial: Trial, tally: Tally) -> None:
    tally.done.append(len(trial.after) / FILES)
    tally.lost += sum(max(0, rows - trial.after.get(name, 0)) for name, rows in trial.before.items())
    # A file is one commit: one that is there in part has lost the rest to whoever reads it before the rerun.
    tally.lost += sum(max(0, ROWS - rows) for rows in trial.after.values())
    events = pl.struct(Col.VIDEO_ID, Col.VIEWER_ID).n_unique()
    stored, distinct = History(trial.workspace.events_dir).scan().select(pl.len(), events).collect().row(0)
    tally.lost += FILES * ROWS - distinct
    tally.doubled += stored - distinct


def training(folder: Path, world: Path, filled: Workspace) -> Stage:
    """``train`` of a small model in copies of a workspace that holds the world's videos."""
    completed(start_cli("events", "import", world / "events.parquet", "-w", filled.root))
    completed(start_cli("viewers", "import", world / "viewers.parquet", "-w", filled.root))

    def fresh() -> Workspace:
        place = tempfile.mkdtemp(dir=folder)
        shutil.copytree(filled.root, place, dirs_exist_ok=True)
        return Workspace.open(place)

    return Stage(
        name="training",
        fresh=fresh,
        command=["train"],
        begun=lambda workspace: any(workspace.runs_dir.glob(f"*/{PLAN_NAME}")),
        # Nobody reads an unfinished run: what it acknowledges are the epochs that it announces.
        look=lambda _: None,
        judge=judge_training,
        over=lambda workspace: any(workspace.runs_dir.glob(f"*/{RECORD_NAME}")),
    )


def judge_training(trial: Trial, tally: Tally) -> None:
    epochs = {epoch["number"] for epoch in epochs_of(trial.unbroken)}
    before, after = announced_epochs(trial.killed), announced_epochs(trial.rerun)
    tally.done.append(len(before) / len(epochs))
    tally.repeated += len(before & after)
    tally.lost += len(before - {epoch["number"] for epoch in epochs_of(trial.workspace)})
    tally.doubled += len(list(trial.workspace.runs_dir.iterdir())) - 1
    tally.differing += not same_run(trial.workspace, trial.unbroken)


def announced_epochs(ended: Ended) -> set[int]:
    # Only a line that was printed to its end announces anything.
    return {int(number) for number in re.findall(r"^epoch +(\d+) .*\n", ended.err, re.MULTILINE)}


def epochs_of(workspace: Workspace) -> list[dict[str, Any]]:
    """The epochs of the last run without how long they took."""
    epochs = read_record(latest_run(workspace.runs_dir))["figures"]["epochs"]
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def same_run(one: Workspace, other: Workspace) -> bool:
    """Whether losses, validation figures and the model's tensors are the same to the last bit."""
    tensors, expected = (load_tensors(latest_run(each.runs_dir) / MODEL_NAME)[0] for each in (one, other))
    return (
        epochs_of(one) == epochs_of(other)
        and tensors.keys() == expected.keys()
        and all(torch.equal(tensors[name], expected[name]) for name in expected)
    )


def kill_posting(folder: Path, kills: int) -> Tally:
    """Kill one server after the other while clients post to it; the next one is sent what went unanswered."""
    posting = Posting(new_workspace(folder), "posting")
    for _ in range(kills):
        posting.kill_server()
    tell(f"posting: {posting.acknowledged_events} events, killed {posting.kills} times")
    return Tally(kills=posting.kills, incomplete=posting.incomplete, lost=posting.lost, doubled=posting.doubled)


def new_workspace(folder: Path) -> Workspace:
    root = Path(tempfile.mkdtemp(dir=folder))
    (root / CONFIG_NAME).write_text(CONFIG, encoding="utf-8")
    return Workspace.open(root)


def completed(process: subprocess.Popen[str]) -> None:
    ended = finish(process)
    assert ended.status == 0, f"failed although nobody killed it: {ended.err}"


def tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(measure, __doc__)
