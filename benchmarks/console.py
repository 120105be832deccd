"""What the pages of the console need of a large platform: processor seconds for each, and whether segments are found.

A workspace of 100,000 videos with vectors, and the model of a small one, trained for one epoch (with --quick 5,000),
gets 10 million interactions of 100,000 viewers in 30 days (200,000 of 5,000) straight into its history: videos drawn
by a power law, viewers of whom half join one by one, about 2.2 events an interaction. Then each function runs as a page
calls it, from files to what is shown, once to warm the system's cache and three times for the median of the
process's own processor time; polars and torch have one thread.

- All that reads the log is asked with a live log of 3,000 events beside the history, and without one.
- The counts of closed days are made once, before; what that takes is a figure without a bar, and so is a single day,
  which is what each further day costs. Who liked what is read once for all viewers' pages and kept for a while.
- Of viewers those with a middling history and a long one are asked about. What would change a feed is loaded after the
  rest of a viewer's page.
- Segments and the map are made from vectors of 100,000 viewers and videos. A page reads them from memory, where whoever
  serves it keeps them until the model changes; making them, and placing points on a map that is drawn, are figures.
- The adjusted Rand index is that of segments against the groups of viewers that were planted, on simulated worlds of
  other seeds than those on which the criterion was chosen, without clips: vectors tell the planted themes with noise.
  Viewers with fewer than 10 interactions are in no segment.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from figures import Figures, Options, run
from platforms import DAY, DAYS, START, Size, days
from shops import Crowd, grown_shop, trained_shop, viewer_name
from sklearn.metrics import adjusted_rand_score

from swipewise.behavior.activity import activity
from swipewise.behavior.funnel import funnel, funnel_over_time
from swipewise.behavior.interest_map import InterestMap
from swipewise.behavior.judging import settled_kinds
from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.retention import retention
from swipewise.behavior.segments import describe_segments, segment_trend, segment_viewers
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.watching import audience, first_exposures, watch_curve
from swipewise.behavior.weighing import SignalsApart
from swipewise.catalog import Catalog
from swipewise.console.context import Console, Kept
from swipewise.console.data.changes import Changes, what_would_change
from swipewise.console.data.health import activity as events_of_late
from swipewise.console.data.health import catalogue_health
from swipewise.console.data.ingestion import ingestion_state
from swipewise.console.data.nearest import Likes
from swipewise.console.data.videos import find_videos, video_file
from swipewise.console.data.viewers import history_of, viewer_file, viewers_seen
from swipewise.events import EventLog, fold, read_active_days, read_events, read_rollups, video_interactions
from swipewise.events.database import EVENTS, Database
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.rollups import ROLLUPS_NAME, WATCH_STEPS
from swipewise.feed.engine import FeedEngine
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import THEMES, WorldConfig, draw_world
from swipewise.workspace import Workspace

WORLDS = (60, 61, 62)
GROUPS = 6
REPEATS = 3
TOPICS, WIDTH = 24, 64

PARTS = ("segments", "counting", "counts", "log", "pages", "models")

_TRAINED = Crowd(viewers=500, known=3_000)


def measure(figures: Figures, options: Options) -> None:
    parts: list[str] = options.own.only or list(PARTS)
    if "segments" in parts:
        for seed in WORLDS[:1] if options.quick else WORLDS:
            index = _agreement(seed)
            figures.record(f"adjusted Rand index of segments, world of seed {seed}", index, at_least=0.8)
    full = Size(videos=100_000, viewers=100_000, interactions=10_000_000)
    size = Size(videos=5_000, viewers=5_000, interactions=200_000) if options.quick else full
    with TemporaryDirectory() as directory:
        folder = options.own.workspace or Path(directory) / "shop"
        if {"counting", "counts", "log", "pages"} & set(parts):
            _of_a_shop(figures, _shop(folder, size), parts)
    if "models" in parts:
        _of_models(figures, size)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure some parts alone")
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="FOLDER",
        help="make the large workspace here, or take that of another run",
    )


def _shop(folder: Path, size: Size) -> Workspace:
    """A workspace with history and model; of one that is there already what is missing is added."""
    if not folder.exists():
        with TemporaryDirectory(dir=folder.parent) as directory:
            trained = trained_shop(Path(directory) / "trained", _TRAINED)
            grown_shop(Path(directory) / "grown", _TRAINED, trained, size.videos)
            (Path(directory) / "grown").rename(folder)
    workspace = Workspace.open(folder)
    _fill(workspace, size)
    return workspace


def _of_a_shop(figures: Figures, workspace: Workspace, parts: list[str]) -> None:
    if "counting" in parts:
        _counting(figures, workspace)
    measured = {"counts": _from_counts, "log": _from_log, "pages": _one_by_one}
    for part in [part for part in measured if part in parts]:
        measured[part](figures, workspace, "")
        with _without_live_log(workspace):
            measured[part](figures, workspace, ", without a live log")


@contextmanager
def _without_live_log(workspace: Workspace) -> Iterator[None]:
    """The live log emptied, and filled again after."""
    database = Database(workspace.events_dir)
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(*(EVENTS.c[name] for name in EVENT_SCHEMA)))]
    with database.write() as connection:
        connection.execute(sa.delete(EVENTS))
    try:
        yield
    finally:
        EventLog(database, History(workspace.events_dir)).append_batches([rows])
        database.close()


def _lengths(catalog: Catalog) -> pl.LazyFrame:
    return catalog.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)


def _counting(figures: Figures, workspace: Workspace) -> None:
    """What is counted once for all pages."""
    catalog, kept = Catalog(workspace.catalog_dir), workspace.events_dir / ROLLUPS_NAME

    def counts() -> Any:
        return read_rollups(workspace, _lengths(catalog))

    shutil.rmtree(kept, ignore_errors=True)
    figures.record("counting all closed days, once", _seconds(counts), unit=" s")
    shutil.rmtree(max(kept.iterdir()))
    figures.record("counting one more day", _seconds(counts), unit=" s")


def _from_counts(figures: Figures, workspace: Workspace, log: str) -> None:
    """Pages about everybody, by what is counted once."""
    catalog = Catalog(workspace.catalog_dir)

    def counts() -> Any:
        return read_rollups(workspace, _lengths(catalog))

    counts()
    known = catalog.videos().select(Col.VIDEO_ID, Col.UPLOADED_AT, Col.INGESTED_AT)
    pages: dict[str, Callable[[], object]] = {
        "funnel": lambda: funnel(counts().days),
        "funnel, by day": lambda: funnel_over_time(counts().days, every="day"),
        "watch curve of all videos": lambda: watch_curve(counts().watch, steps=WATCH_STEPS),
        "from upload to first exposure, all videos": lambda: first_exposures(counts().videos, known),
    }
    _record(figures, pages, log)


def _from_log(figures: Figures, workspace: Workspace, log: str) -> None:
    """Pages about everybody, by the events."""
    events_dir, catalog = workspace.events_dir, Catalog(workspace.catalog_dir)

    def watched(video: str) -> pl.DataFrame:
        known = catalog.videos([video]).lazy().select(Col.VIDEO_ID, Col.DURATION)
        return audience(video_interactions(events_dir, video, known))

    most, middling = (video_name(number) for number in (0, len(catalog.stamps()) // 100))
    last, members = START + (DAYS - 1) * DAY, _members(workspace)
    positive = workspace.config.events.positive
    pages: dict[str, Callable[[], object]] = {
        "retention, by day": lambda: retention(read_active_days(events_dir)),
        "retention, by week, rolling": lambda: retention(
            read_active_days(events_dir), every="week", kind="rolling"
        ),
        "activity of a day, by minute": lambda: activity(read_events(events_dir), every="minute", since=last),
        "activity of all days, by minute": lambda: activity(read_events(events_dir), every="minute"),
        "activity of all days, by day": lambda: activity(read_events(events_dir), every="day"),
        "audience of a well watched video, the thousandth of 100,000": lambda: watched(middling),
        "audience of the most watched video": lambda: watched(most),
        "trend of segments, by week": lambda: segment_trend(members, read_active_days(events_dir)),
        "who liked what, kept for all viewers' pages": lambda: Likes.read(events_dir, positive),
        "the list of viewers": lambda: viewers_seen(events_dir),
        "events a day and a minute": lambda: events_of_late(events_dir),
    }
    _record(figures, pages, log)


def _one_by_one(figures: Figures, workspace: Workspace, log: str) -> None:
    """Pages about one viewer or one video, and those of the catalogue."""
    catalog, database = Catalog(workspace.catalog_dir), Database(workspace.events_dir)
    with FeedEngine.open(workspace) as engine:
        console = Console.over(engine, database, kept=Kept(3600.0))
        seen = viewers_seen(workspace.events_dir).sort(Col.EVENTS)
        middling, long = (seen[Col.VIEWER_ID][round(share * (len(seen) - 1))] for share in (0.5, 0.99))
        pages: dict[str, Callable[[], object]] = {
            "the list of videos": lambda: find_videos(catalog.videos(), "tag7", 60),
            "state of the catalogue": lambda: catalogue_health(catalog),
            "state of the ingestion": lambda: ingestion_state(catalog, console.jobs),
            "a viewer": lambda: viewer_file(console, middling),
            "a viewer with a long history": lambda: viewer_file(console, long),
            "what would change the feed": lambda: _changes(console, middling),
            "what would change the feed, long history": lambda: _changes(console, long),
            "a video, the thousandth": lambda: video_file(console, video_name(len(catalog.stamps()) // 100)),
            "the most watched video": lambda: video_file(console, video_name(0)),
        }
        _record(figures, pages, log)
    database.close()


def _changes(console: Console, viewer_id: str) -> Changes:
    return what_would_change(console.engine, viewer_id, history_of(console, viewer_id))


def _record(figures: Figures, pages: Mapping[str, Callable[[], object]], log: str) -> None:
    for name, page in pages.items():
        seconds = _median_seconds(page)
        print(f"{name}{log}: {seconds:.3f} s", file=sys.stderr, flush=True)
        figures.record(f"processor time of: {name}{log}", seconds, at_most=1.0, unit=" s")


def _of_models(figures: Figures, size: Size) -> None:
    """Segments and map, from vectors of as many viewers and videos."""
    rng = np.random.default_rng(0)
    centre_KT = 2 * rng.standard_normal((GROUPS, TOPICS))
    taste_UT = centre_KT[rng.integers(0, GROUPS, size.viewers)] + rng.standard_normal((size.viewers, TOPICS))
    interactions_U, topics = np.full(size.viewers, 100), [f"topic {topic}" for topic in range(TOPICS)]
    figures.record(
        "finding segments of all viewers", _seconds(lambda: segment_viewers(taste_UT, interactions_U)), unit=" s"
    )
    segment_U = segment_viewers(taste_UT, interactions_U).segment_U
    described = _median_seconds(lambda: describe_segments(segment_U, taste_UT, topics))
    figures.record("processor time of: describing segments", described, at_most=1.0, unit=" s")
    centre_KD = rng.standard_normal((40, WIDTH))
    vectors_VD = centre_KD[rng.integers(0, 40, size.videos)] + 0.7 * rng.standard_normal((size.videos, WIDTH))
    figures.record("drawing the map", _seconds(lambda: InterestMap.draw(vectors_VD)), unit=" s")
    drawn = InterestMap.draw(vectors_VD, landmarks=2_000)
    figures.record("placing all videos on the map", _seconds(lambda: drawn.place(vectors_VD)), unit=" s")
    one = _median_seconds(lambda: drawn.place(vectors_VD[:1]))
    figures.record("processor time of: placing one on the map", one, at_most=1.0, unit=" s")


def _seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _median_seconds(call: Callable[[], object]) -> float:
    call()
    return float(np.median([_seconds(call) for _ in range(REPEATS)]))


def _members(workspace: Workspace) -> pl.DataFrame:
    """A segment for every viewer, drawn."""
    ids = read_active_days(workspace.events_dir).select(pl.col(Col.VIEWER_ID).unique()).collect()
    drawn = np.random.default_rng(1).integers(0, GROUPS + 1, len(ids))
    return ids.with_columns(pl.Series(Col.SEGMENT, drawn))


def video_name(number: int) -> str:
    """The id of a video, as ``shops`` has it."""
    return f"video{number:07}"


def _fill(workspace: Workspace, size: Size) -> None:
    history = History(workspace.events_dir)
    lengths = history.scan().group_by(Col.DAY).len().collect()
    # The few that the model was made of have done something on most days, too.
    full = sum(length >= size.interactions // DAYS for length in lengths["len"])
    for day, events in enumerate(islice(days(size, video_name, viewer_name, full), DAYS - full), full + 1):
        history.append(events)
        print(f"wrote day {day} of {DAYS}", file=sys.stderr, end="\r", flush=True)


def _agreement(seed: int) -> float:
    """The adjusted Rand index of segments against the planted groups of those who are in one."""
    config = WorldConfig(seed=seed, videos=400, viewers=400, taste_groups=GROUPS, shifting_viewers=0.0)
    world, seconds_V = draw_world(config), np.full(config.videos, 4.0)
    durations = pl.LazyFrame({Col.VIDEO_ID: world.video_ids, Col.DURATION: seconds_V})
    rows = fold(behave(world, seconds_V).lazy(), durations).collect()
    rng, content = np.random.default_rng([seed, 9]), {}
    for column, modality in enumerate(CONTENT_MODALITIES):
        theme_V, theme_TD = world.theme_VM[:, column], rng.standard_normal((THEMES, 24))
        values_VD = theme_TD[np.maximum(theme_V, 0)] + 0.5 * rng.standard_normal((len(theme_V), 24))
        content[str(modality)] = Vectors(values_VD=values_VD, present_V=theme_V >= 0)
    viewer, video = (
        {name: row for row, name in enumerate(names)} for names in (world.viewer_ids, world.video_ids)
    )
    log = BehaviorLog(
        viewer_I=np.array([viewer[name] for name in rows[Col.VIEWER_ID]]),
        video_I=np.array([video[name] for name in rows[Col.VIDEO_ID]]),
        at_I=rows[Col.AT].dt.epoch("ms").to_numpy(),
        watch_ratio_I=rows[Col.WATCH_RATIO].to_numpy(),
        uploaded_at_V=world.uploaded_at_V,
        content=content,
        profile_UP=np.zeros((config.viewers, 0), np.int64),
    )
    model = TasteModel.learn(log, count=THEMES, until=int(log.at_I.max()) + 1, profile_values=0)
    shelf = model.shelf(log.content, log.uploaded_at_V)
    signals = shelf.signals(log, model.scale, model.appeal_V)
    kinds = settled_kinds(log, SignalsApart.of(signals), model, shelf.themes)
    taste_UT = kinds.tastes_now(model, log, signals, log.profile_UP).taste_UT
    segment_U = segment_viewers(taste_UT, np.diff(log.offsets())).segment_U
    return float(adjusted_rand_score(world.taste_group_U[segment_U > 0], segment_U[segment_U > 0]))


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
