"""What the pages of the console need of a large platform: processor seconds for each, and whether segments are found.

Writes 100,000 videos and 10 million interactions of 100,000 viewers in 30 days (with --quick 5,000, 200,000 and 5,000)
straight into the catalogue and the history of a new workspace: videos drawn by a power law, viewers of whom half join
one by one, about 2.2 events an interaction. Then each function runs as a page calls it, from files to frame, once to
warm the system's cache and three times for the median of the process's own processor time; polars has one thread.

- The counts of closed days are made once, before; what that takes is a figure without a bar, and so is a single day,
  which is what each further day costs.
- Segments and the map are made from vectors of 100,000 viewers and videos. A page reads them from memory, where whoever
  serves it keeps them until the model changes; making them, and placing points on a map that is drawn, are figures.
- The adjusted Rand index is that of segments against the groups of viewers that were planted, on simulated worlds of
  other seeds than those on which the criterion was chosen, without clips: vectors tell the planted themes with noise.
  Viewers with fewer than 10 interactions are in no segment.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from figures import Figures, Options, run
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from swipewise.behavior.activity import activity
from swipewise.behavior.funnel import funnel, funnel_over_time
from swipewise.behavior.interest_map import InterestMap
from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.retention import retention
from swipewise.behavior.segments import describe_segments, segment_trend, segment_viewers
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.watching import audience, first_exposures, watch_curve
from swipewise.catalog import Catalog
from swipewise.events import fold, read_active_days, read_events, read_rollups, video_interactions
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.rollups import ROLLUPS_NAME, WATCH_STEPS
from swipewise.schema import CONTENT_MODALITIES, Action, Col, Video
from swipewise.simulate.behave import behave
from swipewise.simulate.world import THEMES, WorldConfig, draw_world
from swipewise.workspace import Workspace

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 30
WORLDS = (60, 61, 62)
GROUPS = 6
REPEATS = 3
TOPICS, WIDTH = 24, 64

_DAY = timedelta(days=1)
_SECONDS_V = (5.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the platform is."""

    videos: int
    viewers: int
    interactions: int


def measure(figures: Figures, options: Options) -> None:
    for seed in WORLDS[:1] if options.quick else WORLDS:
        figures.record(f"adjusted Rand index of segments, world of seed {seed}", _agreement(seed), at_least=0.8)
    full = Size(videos=100_000, viewers=100_000, interactions=10_000_000)
    size = Size(videos=5_000, viewers=5_000, interactions=200_000) if options.quick else full
    with TemporaryDirectory() as directory:
        workspace = Workspace.create(Path(directory) / "shop")
        _fill(workspace, size)
        _pages(figures, workspace)
    _of_models(figures, size)


def _pages(figures: Figures, workspace: Workspace) -> None:
    events_dir, catalog = workspace.events_dir, Catalog(workspace.catalog_dir)

    def lengths() -> pl.LazyFrame:
        return catalog.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)

    def watched(video: str) -> pl.DataFrame:
        known = catalog.videos([video]).lazy().select(Col.VIDEO_ID, Col.DURATION)
        return audience(video_interactions(events_dir, video, known))

    def counts() -> Any:
        return read_rollups(workspace, lengths())

    figures.record("counting all closed days, once", _seconds(counts), unit=" s")
    newest = max((events_dir / ROLLUPS_NAME).iterdir())
    shutil.rmtree(newest)
    figures.record("counting one more day", _seconds(counts), unit=" s")
    most, middling = (f"clip{number:06d}" for number in (0, len(catalog.stamps()) // 100))
    last = START + (DAYS - 1) * _DAY
    known = catalog.videos().select(Col.VIDEO_ID, Col.UPLOADED_AT, Col.INGESTED_AT)
    members = _members(workspace)
    pages: dict[str, Callable[[], object]] = {
        "funnel": lambda: funnel(counts().days),
        "funnel, by day": lambda: funnel_over_time(counts().days, every="day"),
        "retention, by day": lambda: retention(read_active_days(events_dir)),
        "retention, by week, rolling": lambda: retention(
            read_active_days(events_dir), every="week", kind="rolling"
        ),
        "activity of a day, by minute": lambda: activity(read_events(events_dir), every="minute", since=last),
        "activity of all days, by minute": lambda: activity(read_events(events_dir), every="minute"),
        "activity of all days, by day": lambda: activity(read_events(events_dir), every="day"),
        "watch curve of all videos": lambda: watch_curve(counts().watch, steps=WATCH_STEPS),
        "audience of a well watched video, the thousandth of 100,000": lambda: watched(middling),
        "audience of the most watched video": lambda: watched(most),
        "from upload to first exposure, all videos": lambda: first_exposures(counts().videos, known),
        "trend of segments, by week": lambda: segment_trend(members, read_active_days(events_dir)),
    }
    for name, page in pages.items():
        figures.record(f"processor time of: {name}", _median_seconds(page), at_most=1.0, unit=" s")


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


def _fill(workspace: Workspace, size: Size) -> None:
    rng = np.random.default_rng(0)
    video_ids = [f"clip{number:06d}" for number in range(size.videos)]
    seconds_V = rng.uniform(*_SECONDS_V, size.videos).round(2)
    videos = [
        Video(
            video_id=video_id,
            uri=f"{video_id}.mp4",
            content_hash=video_id,
            caption=f"caption of {video_id} #tag{number % 50}",
            uploaded_at=START - timedelta(minutes=number % 40_000),
            duration_seconds=float(seconds_V[number]),
        )
        for number, video_id in enumerate(video_ids)
    ]
    Catalog(workspace.catalog_dir).upsert(videos, {})
    weight_V = np.arange(1, size.videos + 1) ** -0.8
    activity_U = rng.lognormal(0, 1, size.viewers)
    joined_U = np.where(rng.random(size.viewers) < 0.5, 0, rng.integers(0, DAYS, size.viewers))
    ids = pl.Series(video_ids), pl.Series([f"viewer{number:06d}" for number in range(size.viewers)])
    for day in range(DAYS):
        there_U = activity_U * (joined_U <= day) * (rng.random(size.viewers) < 0.35)
        rows = size.interactions // DAYS
        viewer_I, video_I = _drawn(rng, there_U, rows), _drawn(rng, weight_V, rows)
        History(workspace.events_dir).append(_events(rng, day, viewer_I, video_I, seconds_V, *ids))
        print(f"wrote day {day + 1} of {DAYS}", file=sys.stderr, end="\r", flush=True)
    print(file=sys.stderr)


def _drawn(rng: np.random.Generator, weight_N: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    total_N = np.cumsum(weight_N)
    return np.searchsorted(total_N, rng.random(count) * total_N[-1]).astype(np.int64)


def _events(
    rng: np.random.Generator,
    day: int,
    viewer_I: NDArray[np.int64],
    video_I: NDArray[np.int64],
    seconds_V: NDArray[np.float64],
    video_ids: pl.Series,
    viewer_ids: pl.Series,
) -> pl.DataFrame:
    """The events of one day, as the history holds them."""
    rows = len(viewer_I)
    ratio_I = np.clip(rng.beta(1.2, 1.5, rows) * 1.2, 0.02, 1.0)
    watched_I = (ratio_I * seconds_V[video_I]).round(2)
    shown_at_I = (START + day * _DAY).timestamp() * 1e6 + rng.integers(0, 86_200_000_000, rows)
    done_I = {
        Action.EXPOSURE: np.ones(rows, bool),
        Action.VIEW: rng.random(rows) < 0.9,
        Action.FINISH: ratio_I >= 0.97,
        Action.LIKE: rng.random(rows) < 0.08,
        Action.COMMENT: rng.random(rows) < 0.01,
        Action.SHARE: rng.random(rows) < 0.015,
        Action.FOLLOW: rng.random(rows) < 0.005,
        Action.SKIP: ratio_I < 0.12,
    }
    parts = []
    for place, (action, chosen_I) in enumerate(done_I.items()):
        chosen = np.flatnonzero(chosen_I)
        after = (place > 0) * (watched_I[chosen] * 1e6 + place * 1000)
        seconds = watched_I[chosen] if action == Action.VIEW else np.full(len(chosen), np.nan)
        parts.append(
            pl.DataFrame(
                {
                    Col.EVENT_ID: pl.Series(chosen + day * rows).cast(pl.String) + f"-{action}",
                    Col.VIEWER_ID: viewer_ids.gather(viewer_I[chosen]),
                    Col.VIDEO_ID: video_ids.gather(video_I[chosen]),
                    Col.ACTION: pl.repeat(str(action), len(chosen), eager=True),
                    Col.AT: pl.Series((shown_at_I[chosen] + after).astype(np.int64)).cast(
                        pl.Datetime("us", "UTC")
                    ),
                    Col.WATCH_SECONDS: pl.Series(seconds).fill_nan(None),
                    Col.POSITION: pl.zeros(len(chosen), dtype=pl.Int32, eager=True),
                }
            ).cast(dict(EVENT_SCHEMA))
        )
    return pl.concat(parts)


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
    signals = model.shelf(log.content, log.uploaded_at_V).signals(log, model.scale, model.appeal_V)
    taste_UT = model.tastes_now(log, signals, log.profile_UP)
    segment_U = segment_viewers(taste_UT, np.diff(log.offsets())).segment_U
    return float(adjusted_rand_score(world.taste_group_U[segment_U > 0], segment_U[segment_U > 0]))


if __name__ == "__main__":
    run(measure, __doc__)
