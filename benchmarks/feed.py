"""The feed: what it costs beyond its model, how many a worker makes, and what ten times the videos cost.

Platforms of 100,000 and 1,000,000 videos with 2,000 viewers (5,000 and 20,000 with 200 under --quick), whose model has
the product's own size, every part of its score switched on, and one epoch of training. For one viewer after the other,
in alternation: the whole feed of ``FeedEngine``, and alone the user encoder (from a history to what the model makes of
the viewer), the search for 500 candidates, and the ranker over them. Over HTTP a served worker and the three
parts in a loop take turns on the same core, and so do batches of events and raw inserts of the same rows into an SQLite
file with the same tables, rows and durability. What is slow about a machine slows both sides of a ratio.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shops import Crowd, grown_shop, trained_shop, viewer_name

from swipewise.errors import MissingExtraError
from swipewise.events.database import EVENTS
from swipewise.feed.engine import FeedEngine
from swipewise.feed.stock import Stock
from swipewise.retrieval import ExactIndex
from swipewise.schema import Col, Interaction, Profile
from swipewise.server.memory import settle
from swipewise.training.exported import read_manifest
from swipewise.training.exporting import export_run
from swipewise.training.runs import latest_run
from swipewise.training.scorer import ViewerState
from swipewise.workspace import Workspace
from tests.server.test_crash import served

FIRST, VIEWERS, CLIENTS = 20, 300, 4
TURNS, TURN_SECONDS = 6, 2.0
EVENTS_A_POST, POSTS = 1000, 12
PARTS = ("encoder", "search", "ranker")
WALL = ""
# Of a tail the second tells what is the feed's own work, not a wait for a core that other programs had.
CLOCKS = {WALL: time.perf_counter, ", processor time": time.thread_time}
MEASURED = ("export", "latency", "scale", "throughput", "events")


@dataclass(slots=True, kw_only=True)
class Times:
    """Seconds of every turn."""

    feed: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PARTS})

    def parts_sum(self) -> float:
        """The sum of the parts' medians."""
        return sum(float(np.median(seconds)) for seconds in self.parts.values())


class Parts:
    """The model's three parts on one stock, for viewers whose histories have been read."""

    def __init__(self, engine: FeedEngine, retrieve: int) -> None:
        self._engine = engine
        self._retrieve = retrieve

    @property
    def stock(self) -> Stock:
        """What the engine serves."""
        return self._engine._live.stock

    def known(self, viewer: str) -> tuple[list[Interaction], Profile | None]:
        """What the feed reads of a viewer before the model begins."""
        known = self._engine._histories.known(viewer)
        return known.history(self.stock.shelf.seconds_of), known.profile

    def encode(self, history: Sequence[Interaction], profile: Profile | None) -> ViewerState:
        """The user encoder."""
        assert self.stock.scorer is not None
        return self.stock.scorer.viewer(history, profile, datetime.now(UTC))

    def search(self, state: ViewerState, history: Sequence[Interaction]) -> NDArray[np.int64]:
        """The candidates, without those seen."""
        assert self.stock.index is not None
        seen_N = self.stock.shelf.rows_of({each.video_id for each in history})
        _, rows_BN = self.stock.index.search(state.interest_D[None], self._retrieve, without_N=seen_N)
        rows_N: NDArray[np.int64] = rows_BN[0]
        return rows_N

    def rank(self, state: ViewerState, rows_N: NDArray[np.int64]) -> None:
        """The ranker."""
        assert self.stock.scorer is not None
        self.stock.scorer.score(state, rows_N)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="keep the platforms here, and use those that are there"
    )
    parser.add_argument("--only", nargs="+", choices=MEASURED, default=MEASURED, help="what to measure")


def measure(figures: Figures, options: Options) -> None:
    crowd = Crowd(viewers=200, known=2_000) if options.quick else Crowd(viewers=2_000, known=20_000)
    few, many = (5_000, 20_000) if options.quick else (100_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="swipewise-feed-") as name:
        folder = options.own.work or Path(name)
        trained = _made(folder / "known", lambda path: trained_shop(path, crowd))
        only = options.own.only
        _export(figures, trained, told="export" in only)
        shops = {
            videos: _made(folder / str(videos), partial(grown_shop, crowd=crowd, trained=trained, videos=videos))
            for videos in ((few, many) if "scale" in only else (few,))
        }
        viewers = [viewer_name(number) for number in range(min(VIEWERS, crowd.viewers))]
        if "latency" in only or "scale" in only:
            with FeedEngine.open(shops[few]) as small:
                if "latency" in only:
                    _latency(figures, small, viewers, few)
                if "scale" in only:
                    _larger(figures, small, shops[many], viewers, (few, many))
        if "throughput" in only:
            _throughput(figures, shops[few], viewers)
        if "events" in only:
            _events(figures, shops[few])


def _larger(
    figures: Figures, small: FeedEngine, workspace: Workspace, viewers: Sequence[str], sizes: tuple[int, int]
) -> None:
    before = _resident()
    with FeedEngine.open(workspace) as large:
        gc.collect()
        figures.record(f"memory a video, {sizes[1]:,}, bytes", (_resident() - before) / sizes[1])
        _scale(figures, small, large, viewers, sizes)
        _recall(figures, large, viewers, sizes[1])


def _made(path: Path, make: Callable[[Path], Workspace]) -> Workspace:
    return Workspace.open(path) if path.exists() else make(path)


def _export(figures: Figures, workspace: Workspace, *, told: bool) -> None:
    run_dir = latest_run(workspace.runs_dir)
    if not told and read_manifest(run_dir) is not None:
        return
    try:
        manifest = export_run(workspace, run_dir)
    except MissingExtraError as error:
        print(f"note: {error}", file=sys.stderr)
        return
    for name, ndcg in manifest.ndcg.items():
        if name != "eager":
            # What ranks worse is left out, and not served.
            bar = None if name in manifest.left_out else 0.995
            share = ndcg / manifest.ndcg["eager"]
            figures.record(f"NDCG@10 of {name} against eager", share, at_least=bar, unit="x")


def _latency(figures: Figures, engine: FeedEngine, viewers: Sequence[str], videos: int) -> None:
    parts = Parts(engine, engine.workspace.config.feed.retrieve)
    times = {name: Times() for name in CLOCKS}
    settle()  # as a server does
    print(f"histories are read by {engine.inference}", file=sys.stderr)
    for viewer in (*viewers[:FIRST], *viewers):  # the first are warming up
        history, profile = parts.known(viewer)
        moments = [_moments()]
        engine.feed(viewer)
        moments.append(_moments())
        state = parts.encode(history, profile)
        moments.append(_moments())
        rows_N = parts.search(state, history)
        moments.append(_moments())
        parts.rank(state, rows_N)
        moments.append(_moments())
        for own, (feed, *others) in zip(times.values(), np.diff(moments, axis=0).T.tolist(), strict=True):
            own.feed.append(feed)
            for name, seconds in zip(PARTS, others, strict=True):
                own.parts[name].append(seconds)
    for own in times.values():
        for turns in (own.feed, *own.parts.values()):
            del turns[:FIRST]
    for name, turns in times[WALL].parts.items():
        figures.record(f"{name} alone, median, {videos:,}", 1e3 * float(np.median(turns)), unit=" ms")
    figures.record(
        "ranker of 1 candidate against all, what batching could share", _least(parts, viewers), unit="x"
    )
    for share, bar in ((50, 1.5), (99, 4.0)):
        value = float(np.percentile(times[WALL].feed, share))
        figures.record(f"feed p{share}, {videos:,}", 1e3 * value, unit=" ms")
        for name, own in times.items():
            figures.record(
                f"feed p{share} against encoder, search and ranker{name}",
                float(np.percentile(own.feed, share)) / own.parts_sum(),
                at_most=bar if name == WALL else None,
                unit="x",
            )


def _moments() -> list[float]:
    """What each of the clocks says."""
    return [clock() for clock in CLOCKS.values()]


def _least(parts: Parts, viewers: Sequence[str]) -> float:
    """How long ranking one candidate takes against ranking all that a search finds."""
    shares: list[float] = []
    for viewer in viewers[:100]:
        history, profile = parts.known(viewer)
        state = parts.encode(history, profile)
        rows_N = parts.search(state, history)
        parts.rank(state, rows_N)
        ranked = [_timed(partial(parts.rank, state, each_N)) for each_N in (rows_N[:1], rows_N)]
        shares.append(ranked[0] / ranked[1])
    return float(np.median(shares))


def _scale(
    figures: Figures, small: FeedEngine, large: FeedEngine, viewers: Sequence[str], sizes: tuple[int, int]
) -> None:
    seconds: dict[str, list[float]] = {"small": [], "large": []}
    settle()
    for viewer in (*viewers[:FIRST], *viewers):
        for engine in (small, large):
            # What a viewer did on closed days is read from files the first time, however many videos there are.
            engine._histories.known(viewer)
        seconds["small"].append(_timed(partial(small.feed, viewer)))
        seconds["large"].append(_timed(partial(large.feed, viewer)))
    few, many = (float(np.median(times[FIRST:])) for times in seconds.values())
    figures.record(f"feed p50, {sizes[1]:,} against {sizes[0]:,}", many / few, at_most=1.5, unit="x")


def _recall(figures: Figures, engine: FeedEngine, viewers: Sequence[str], videos: int) -> None:
    parts = Parts(engine, engine.workspace.config.feed.retrieve)
    index, states = parts.stock.index, [parts.encode(*parts.known(viewer)) for viewer in viewers[:100]]
    assert index is not None
    queries_QD = np.stack([state.interest_D for state in states])
    exact = ExactIndex.build(np.ascontiguousarray(index.vectors_VD))
    for k, bar in ((100, 0.98), (500, None)):
        pairs = zip(exact.search(queries_QD, k)[1], index.search(queries_QD, k)[1], strict=True)
        found = float(np.mean([np.isin(truth, rows).mean() for truth, rows in pairs]))
        figures.record(f"recall@{k} of retrieval for viewers, {videos:,}", found, at_least=bar)


def _throughput(figures: Figures, workspace: Workspace, viewers: Sequence[str]) -> None:
    cores = sorted(os.sched_getaffinity(0))
    own, other = {cores[0]}, set(cores[1:]) or {cores[0]}
    with served(workspace) as (process, address), FeedEngine.open(workspace) as engine:
        _pin(process.pid, own)
        parts = Parts(engine, engine.workspace.config.feed.retrieve)
        known = [parts.known(viewer) for viewer in viewers]
        alone, over_http = [], []
        for turn in range(TURNS + 1):
            _pin(0, own)
            alone.append(_rate(_model_alone(parts, known)))
            _pin(0, other)
            over_http.append(_http_rate(address, viewers[turn:]))
        _pin(0, set(cores))
    figures.record("feeds a second over HTTP, one worker", float(np.median(over_http[1:])))
    figures.record("times a second that the model alone can", float(np.median(alone[1:])))
    share = np.median(np.array(over_http[1:]) / np.array(alone[1:]))
    figures.record("feeds a second against the model alone", float(share), at_least=0.6, unit="x")


def _model_alone(
    parts: Parts, known: Sequence[tuple[list[Interaction], Profile | None]]
) -> Iterator[Callable[[], None]]:
    def once(history: list[Interaction], profile: Profile | None) -> None:
        state = parts.encode(history, profile)
        parts.rank(state, parts.search(state, history))

    return cycle([partial(once, *each) for each in known])


def _rate(work: Iterator[Callable[[], None]]) -> float:
    """How often a second something can be done."""
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < TURN_SECONDS:
        next(work)()
        count += 1
    return count / (time.perf_counter() - began)


def _http_rate(address: str, viewers: Sequence[str]) -> float:
    """Feeds a second for several clients at once."""
    counts = [0] * CLIENTS
    began = time.perf_counter()

    def ask(client: int) -> None:
        with closing(_connected(address)) as connection:
            for viewer in cycle(viewers[client::CLIENTS]):
                if time.perf_counter() - began > TURN_SECONDS:
                    return
                _answered(connection, "GET", f"/v1/feed?viewer_id={viewer}")
                counts[client] += 1

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sum(counts) / (time.perf_counter() - began)


def _events(figures: Figures, workspace: Workspace) -> None:
    """Batches of events over HTTP against raw inserts of the same rows."""
    cores = sorted(os.sched_getaffinity(0))
    own, other = {cores[0]}, set(cores[1:]) or {cores[0]}
    ratios: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="swipewise-raw-", dir=workspace.root.parent) as folder,
        served(workspace) as (process, address),
        closing(_same_tables(workspace, Path(folder) / "raw.sqlite")) as raw,
        closing(_connected(address)) as connection,
    ):
        _pin(process.pid, own)
        rates: dict[str, list[float]] = {"posted": [], "raw": []}
        for post in range(POSTS + 2):
            events = _some_events(f"{time.time_ns()}-{post}")
            body = json.dumps(events)
            _pin(0, other)
            posted = _timed(partial(_answered, connection, "POST", "/v1/events", body))
            _pin(0, own)
            inserted = _timed(partial(_insert, raw, events))
            rates["posted"].append(EVENTS_A_POST / posted)
            rates["raw"].append(EVENTS_A_POST / inserted)
            ratios.append(inserted / posted)
        _pin(0, set(cores))
    figures.record("events acknowledged a second, in lists of 1,000", float(np.median(rates["posted"][2:])))
    figures.record("raw inserts a second of the same rows", float(np.median(rates["raw"][2:])))
    figures.record("events acknowledged against raw inserts", float(np.median(ratios[2:])), at_least=0.5, unit="x")


def _some_events(name: str) -> list[dict[str, object]]:
    at = datetime.now(UTC).isoformat()
    return [
        {
            "event_id": f"{name}-{number}",
            # Nobody whose feeds are measured, as the platform may be kept.
            "viewer_id": f"poster{number % 100:03}",
            "video_id": f"video{number:07}",
            "action": "view",
            "at": at,
            "watch_seconds": 5.0,
            "position": number % 20,
        }
        for number in range(EVENTS_A_POST)
    ]


def _same_tables(workspace: Workspace, path: Path) -> sqlite3.Connection:
    """An SQLite file with the live log's table, its indexes, what is in them so far, and its durability."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("ATTACH ? AS live", [str(workspace.events_dir / "live.sqlite")])
    of_events = "FROM live.sqlite_master WHERE tbl_name = 'events' AND sql IS NOT NULL"
    for (statement,) in connection.execute(f"SELECT sql {of_events}").fetchall():
        connection.execute(statement)
    connection.execute("INSERT INTO main.events SELECT * FROM live.events")
    connection.execute("DETACH live")
    return connection


def _insert(raw: sqlite3.Connection, events: Sequence[Mapping[str, object]]) -> None:
    names = [column.name for column in EVENTS.columns if column.name != "seq"]
    at = int(datetime.now(UTC).timestamp() * 1e6)
    rows = [tuple(at if name == Col.AT else event[name] for name in names) for event in events]
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany(f"INSERT INTO events ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows)
    raw.execute("COMMIT")


def _connected(address: str) -> HTTPConnection:
    place = urlsplit(address)
    return HTTPConnection(str(place.hostname), place.port, timeout=60)


def _answered(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return content


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _pin(process: int, cores: set[int]) -> None:
    """Keep every thread of a process, 0 for this one, to some cores."""
    for thread in list(Path(f"/proc/{process or 'self'}/task").iterdir()):
        with suppress(ProcessLookupError):  # one that has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
