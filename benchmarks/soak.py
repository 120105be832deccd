"""Half an hour of everything at once: no request fails, no acknowledged event is lost, and memory stays flat.

Clients ask two workers of ``swipewise serve --workers 2`` for feeds and post events, half of which are a day old.
Meanwhile models are published and rolled back, closed days are compacted and videos are removed and, for the first
third, workers are replaced (SIGHUP) and killed (SIGKILL). A client sends a request again whose connection broke, as
clients do; that may happen where a worker was killed a moment ago and at no other time.

Memory is compared where the workers live on, after the restarts: the largest resident set of each process in the last
third of the run may be at most 10% above its largest in the second third.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from figures import Figures, Options, run
from load import PERCENTILES, Load, Plan, summary

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.events.address import DATABASE_VARIABLE
from swipewise.events.history import History
from swipewise.events.reading import live_events
from swipewise.schema import Col
from swipewise.training.runs import latest_run
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.killing import finish, start_cli
from tests.postgres import shared_postgres
from tests.server.test_crash import served
from tests.server.test_workers import workers_of

MINUTES, QUICK_MINUTES = 30.0, 5.0
FEEDS, EVENTS, VIEWERS = 10.0, 10.0, 400
# Requests that were on their way to a killed worker break within this time.
EXCUSED_SECONDS = 5.0
FLAT = 1.1
PATIENCE_SECONDS = 120.0
# Of the whole, so that the last ones are over when the second third begins.
RESTARTS_UNTIL = 0.2


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=float, help=f"how long  [default: {MINUTES:g}, with --quick {QUICK_MINUTES:g}]"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the server's log here")
    parser.add_argument("--postgres", action="store_true", help="with the live log in PostgreSQL")
    parser.add_argument(
        "--demo", type=Path, metavar="DIR", help="a workspace made by 'swipewise demo --quick'; it is copied"
    )


def measure(figures: Figures, options: Options) -> None:
    minutes = options.own.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    os.environ.pop(DATABASE_VARIABLE, None)
    with tempfile.TemporaryDirectory(prefix="swipewise-soak-") as name:
        workspace = _workspace(Path(name) / "shop", options.own.demo)
        log = options.own.log or Path(name) / "log"
        if options.own.postgres:
            with shared_postgres().schema() as address:
                os.environ[DATABASE_VARIABLE] = address
                _soak(figures, workspace, 60 * minutes, log)
        else:
            _soak(figures, workspace, 60 * minutes, log)


def _soak(figures: Figures, workspace: Workspace, seconds: float, log_path: Path) -> None:
    with log_path.open("w") as log, served(workspace, "--workers", "2", log=log) as (process, address):
        load = Load(address, Plan(feeds=FEEDS, events=EVENTS, viewers=VIEWERS, late=True, again=True))
        driver = threading.Thread(target=lambda: asyncio.run(load.run(seconds)))
        began = time.monotonic()
        driver.start()
        troubles = Troubles(workspace, process, address, began, seconds)
        memory = Memory(process)
        while driver.is_alive():
            troubles.step()
            memory.look()
            time.sleep(0.5)
        driver.join()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    _record_load(figures, load, seconds, troubles)
    _record_events(figures, workspace, load)
    _record_memory(figures, memory, began, seconds)
    _record_errors(figures, log_path)


@dataclass(slots=True)
class Troubles:
    """What happens beside the load, each again and again at its own pace.

    Attributes:
        done: How often each thing has happened.
        failed: Why one did not.
        killed_at: When workers were killed, on the monotonic clock.
    """

    workspace: Workspace
    process: subprocess.Popen[str]
    address: str
    began: float
    seconds: float
    done: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    killed_at: list[float] = field(default_factory=list)
    _next: dict[str, float] = field(default_factory=dict)

    def step(self) -> None:
        """Do what is due."""
        elapsed = time.monotonic() - self.began
        pace = self.seconds / 60
        dues = {
            "publications": (pace, self._publish),
            "rollbacks": (2 * pace, self._roll_back),
            "compactions": (2 * pace, self._compact),
            "removed videos": (3 * pace, self._remove),
        }
        if elapsed < RESTARTS_UNTIL * self.seconds:
            dues |= {"killed workers": (4 * pace, self._kill), "rolling restarts": (5 * pace, self._replace)}
        for what, (every, work) in dues.items():
            if elapsed >= self._next.setdefault(what, elapsed + every / 2):
                self._next[what] = elapsed + every
                try:
                    work()
                except Exception as error:
                    self.failed.append(f"{what}: {error!r}")
                else:
                    self.done[what] = self.done.get(what, 0) + 1

    def _publish(self) -> None:
        runs = sorted(path.name for path in self.workspace.runs_dir.iterdir())
        self._post(f"/v1/models/{runs[self.done.get('publications', 0) % len(runs)]}/publish")

    def _roll_back(self) -> None:
        self._post("/v1/models/rollback")

    def _post(self, path: str) -> None:
        self._ask(lambda: httpx.post(f"{self.address}{path}", timeout=PATIENCE_SECONDS))

    def _ask(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        """An answer; asked for again where the worker was killed meanwhile."""
        try:
            return request().raise_for_status()
        except httpx.TransportError:
            return request().raise_for_status()

    def _compact(self) -> None:
        ended = finish(start_cli("events", "compact", "--workspace", self.workspace.root))
        assert ended.status == 0, ended.err

    def _remove(self) -> None:
        page = self._ask(lambda: httpx.get(f"{self.address}/v1/videos", params={"limit": 1}, timeout=60)).json()
        gone = page["videos"][0]["video_id"]
        self._ask(lambda: httpx.delete(f"{self.address}/v1/videos/{gone}", timeout=PATIENCE_SECONDS))
        feed = self._ask(
            lambda: httpx.get(f"{self.address}/v1/feed?viewer_id=nobody&limit=1000", timeout=60)
        ).json()
        assert gone not in [each["video_id"] for each in feed["recommendations"]], f"{gone} is still shown"

    def _kill(self) -> None:
        # The one that is there for longest, so one that serves.
        victim = min(workers_of(self.process), key=lambda worker: worker.create_time())
        self.killed_at.append(time.monotonic())
        victim.kill()

    def _replace(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@dataclass(slots=True)
class Memory:
    """Resident sets of the supervisor and its workers, by process, with the moment of each look."""

    process: subprocess.Popen[str]
    looks: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def look(self) -> None:
        """Note them all."""
        for each in (psutil.Process(self.process.pid), *workers_of(self.process)):
            with suppress(psutil.NoSuchProcess):
                self.looks.setdefault(each.pid, []).append((time.monotonic(), each.memory_info().rss))

    def largest(self, pid: int, begin: float, end: float) -> int:
        """The largest between two moments, 0 where the process was not there."""
        return max((rss for at, rss in self.looks[pid] if begin <= at < end), default=0)


def _record_load(figures: Figures, load: Load, seconds: float, troubles: Troubles) -> None:
    for kind, found in summary(load, seconds).items():
        figures.record(f"{kind}: requests answered", found["answered"], at_least=1)
        for p in PERCENTILES:
            figures.record(f"{kind}: {p}th percentile", found[f"p{p}_ms"], unit=" ms")
        figures.record(f"{kind}: requests failed", sum(found["failed"].values()), at_most=0)
        for reason, count in found["failed"].items():
            print(f"{kind} failed {count} times: {reason}")
    broken = sorted(each for tally in load.tallies.values() for each in tally.broken)
    killed_at = troubles.killed_at
    others = [each for each in broken if not any(0 <= each[0] - at <= EXCUSED_SECONDS for at in killed_at)]
    figures.record("connections that broke as a worker was killed", len(broken) - len(others))
    figures.record("connections that broke at other times", len(others), at_most=0)
    for at, how in others:
        print(f"a connection broke after {at - troubles.began:.1f} s: {how}")
    print("workers were killed after", ", ".join(f"{at - troubles.began:.1f} s" for at in killed_at))
    for what, count in troubles.done.items():
        figures.record(what, count, at_least=1)
    figures.record("of these failed", len(troubles.failed), at_most=0)
    for reason in troubles.failed:
        print(reason)


def _record_errors(figures: Figures, log: Path) -> None:
    """Errors that the server has logged; each kind is printed once."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    errors = [line for line in lines if line["level"] == "error" and line["message"] != "a worker has died"]
    figures.record("errors in the log beside those of killed workers", len(errors), at_most=0)
    for what, count in Counter(f"{each['message']} {each.get('error', '')[-2000:]}" for each in errors).items():
        print(f"{count} times in the log: {what}")


def _record_events(figures: Figures, workspace: Workspace, load: Load) -> None:
    live = live_events(workspace.events_dir)[Col.EVENT_ID]
    history = History(workspace.events_dir).scan().select(Col.EVENT_ID).collect()[Col.EVENT_ID]
    lost = set(load.acknowledged) - set(live) - set(history)
    figures.record("events acknowledged", len(load.acknowledged))
    figures.record("of these compacted to the history", len(set(load.acknowledged) & set(history)), at_least=1)
    figures.record("acknowledged events lost", len(lost), at_most=0)


def _record_memory(figures: Figures, memory: Memory, began: float, seconds: float) -> None:
    second, last, end = began + seconds / 3, began + 2 * seconds / 3, began + seconds
    lived = [pid for pid, looks in memory.looks.items() if looks[0][0] < second and looks[-1][0] > last]
    for number, pid in enumerate(lived):
        name = "the supervisor" if pid == memory.process.pid else f"worker {number}"
        early, late = memory.largest(pid, second, last), memory.largest(pid, last, end)
        figures.record(f"{name}: largest resident set in the last third", late / 2**20, unit=" MiB")
        figures.record(f"{name}: that against the second third", late / early, at_most=FLAT, unit="x")
    figures.record("workers that lived through both", len(lived) - 1, at_least=2)


def _workspace(folder: Path, demo: Path | None) -> Workspace:
    """The quick demo, whose model is published by hand, and a second run that is a copy of its run."""
    if demo is not None:
        shutil.copytree(demo, folder)
    else:
        made = finish(start_cli("demo", "--quick", folder))
        assert made.status == 0, made.err
    config = folder / CONFIG_NAME
    config.write_text(config.read_text().replace("[server]", '[server]\npublish = "manual"'))
    workspace = Workspace.open(folder)
    first = latest_run(workspace.runs_dir)
    shutil.copytree(first, first.with_name(f"{first.name}-copy"))
    for run_name in (first.name, f"{first.name}-copy"):
        published = finish(start_cli("models", "publish", run_name, "--workspace", folder))
        assert published.status == 0, published.err
    return workspace


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
