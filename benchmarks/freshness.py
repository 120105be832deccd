"""Freshness: an event counts in the next feed, always; a clip is in feeds soon after it was posted.

An event is posted to one of two workers of ``swipewise serve --workers 2``, and once it is acknowledged the other
worker is asked for the viewer's feed, which may not have the video that the viewer has just been shown. Over 10,000
trials, and fewer with the live log in PostgreSQL, none may be stale; the workers' logs tell which of them answered.

From posting a clip until it is in feeds, against its own decode and encode time:

A small simulated platform is served by ``swipewise serve``. Clips of 15 seconds, 720x1280, with picture, words and
sound, each of other content, are sent to it one after another with ``PUT /v1/videos/{id}/content``; from then on the
feed of a viewer of whom nothing is known is asked for until the clip is in it. In alternation the same clip is decoded,
encoded and fingerprinted here by the same code: the limit, as nothing can be recommended by its content before it was
looked at. The bar is 1.5 times that plus a second. The server's own times of its stages are printed beside it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from figures import Figures, Options, run
from ingest import film
from staleness import events_to_feeds

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.catalog import Catalog
from swipewise.encoders import build_encoders
from swipewise.events.address import DATABASE_VARIABLE
from swipewise.media import decode
from swipewise.media.fingerprint import fingerprint
from swipewise.schema import CONTENT_MODALITIES
from swipewise.workspace import Workspace
from tests.killing import finish, start_cli
from tests.postgres import shared_postgres
from tests.server.test_crash import served

CLIPS, QUICK_CLIPS = 9, 3
TRIALS, QUICK_TRIALS = 10_000, 200
PARTS = ("events", "clips")
STAGES = ("queue", "read", "decode", "encode", "commit", "publish")
TIMES, MORE_SECONDS = 1.5, 1.0
PATIENCE_SECONDS = 120.0
KNOWN_VIEWERS, FEED = 20, 100
CAPTION = "a bar crosses a scene of coloured squares while a tone sounds"


@dataclass(slots=True, kw_only=True)
class Times:
    """Seconds of every clip: until it was in a feed, of its own work, and of the server's stages."""

    fresh: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    missing: int = 0
    unseen: int = 0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, help=f"of events, on SQLite  [default: {TRIALS}]")
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    parser.add_argument(
        "--demo", type=Path, metavar="DIR", help="a workspace made by 'swipewise demo --quick'; it is copied"
    )


def measure(figures: Figures, options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="swipewise-freshness-") as name:
        workspace = _workspace(Path(name) / "shop", options.own.demo)
        parts = PARTS if options.own.only is None else (options.own.only,)
        if "events" in parts:
            default = QUICK_TRIALS if options.quick else TRIALS
            _measure_events(figures, workspace, options.own.trials or default)
        if "clips" in parts:
            _measure_clips(figures, options, workspace, Path(name))


def _measure_events(figures: Figures, workspace: Workspace, trials: int) -> None:
    os.environ.pop(DATABASE_VARIABLE, None)
    _trials(figures, "SQLite", workspace, trials)
    with shared_postgres().schema() as address:
        os.environ[DATABASE_VARIABLE] = address
        _trials(figures, "PostgreSQL", workspace, trials // 5)
        del os.environ[DATABASE_VARIABLE]


def _trials(figures: Figures, store: str, workspace: Workspace, trials: int) -> None:
    found = events_to_feeds(workspace, trials)
    figures.record(f"{store}: events followed by a feed of another worker", found.across, at_least=trials)
    figures.record(f"{store}: stale feeds among them", found.stale, at_most=0)


def _measure_clips(figures: Figures, options: Options, workspace: Workspace, folder: Path) -> None:
    clips = [_another_film(folder / f"{n}.mp4", n) for n in range(QUICK_CLIPS if options.quick else CLIPS)]
    times = Times()
    own_work(workspace, clips[0])  # libraries load
    with served(workspace) as (_, address), httpx.Client(base_url=address, timeout=60) as client:
        for number, clip in enumerate(clips):
            post(client, workspace, clip, f"fresh{number}", times)
            times.own.append(own_work(workspace, clip))
    _record(figures, times)


def post(client: httpx.Client, workspace: Workspace, clip: Path, video_id: str, times: Times) -> None:
    """Send one clip, wait until it is in a feed, and note the times."""
    content = clip.read_bytes()
    began = time.perf_counter()
    answer = client.put(f"/v1/videos/{video_id}/content", content=content, params={"caption": CAPTION})
    assert answer.status_code == 202, answer.text
    while video_id not in shown(client, f"nobody knows {video_id}", FEED):
        assert time.perf_counter() - began < PATIENCE_SECONDS, f"{video_id} does not appear"
        time.sleep(0.02)
    times.fresh.append(time.perf_counter() - began)
    job = ended(client, answer.json()["job_id"])
    assert job["state"] == "done", job
    for stage in STAGES:
        times.stages[stage].append(job["seconds"][stage])
    found = {modality for modality, _ in Catalog(workspace.catalog_dir).encoders_of(video_id)}
    times.missing += len(set(CONTENT_MODALITIES) - found)
    viewers = [f"viewer{number:05}" for number in range(KNOWN_VIEWERS)]
    times.unseen += not any(video_id in shown(client, viewer, FEED) for viewer in viewers)


def shown(client: httpx.Client, viewer: str, limit: int) -> list[str]:
    """The videos of a viewer's feed."""
    answer = client.get("/v1/feed", params={"viewer_id": viewer, "limit": limit}).json()
    return [each["video_id"] for each in answer["recommendations"]]


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """A job when it is over."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["finished_at"] or time.monotonic() > until:
            return job
        time.sleep(0.02)


def own_work(workspace: Workspace, clip: Path) -> float:
    """Seconds that decoding, encoding and fingerprinting take in this process."""
    encoders = build_encoders(workspace.config.encoders)
    began = time.perf_counter()
    decoded = replace(decode(clip, workspace.config.media), caption=CAPTION)
    for encoder in encoders.values():
        encoder.encode([decoded])
    fingerprint(decoded)
    return time.perf_counter() - began


def _record(figures: Figures, times: Times) -> None:
    share = [fresh / (TIMES * own + MORE_SECONDS) for fresh, own in zip(times.fresh, times.own, strict=True)]
    figures.record("seconds from posting to a feed, median", statistics.median(times.fresh))
    figures.record("seconds from posting to a feed, slowest", max(times.fresh))
    figures.record("seconds of its own decode and encode, median", statistics.median(times.own))
    figures.record(
        "from posting to a feed against 1.5 x own work + 1 s, median",
        statistics.median(share),
        at_most=1,
        unit="x",
    )
    for stage in STAGES:
        figures.record(f"stage {stage}, seconds, median", statistics.median(times.stages[stage]))
    figures.record("modalities missing in the catalogue", times.missing, at_most=0)
    figures.record("clips in no feed of viewers whom the model knows", times.unseen, at_most=0)


def _workspace(folder: Path, demo: Path | None) -> Workspace:
    if demo is not None:
        shutil.copytree(demo, folder)
    else:
        made = finish(start_cli("demo", "--quick", folder))
        assert made.status == 0, made.err
    return Workspace.open(folder)


def _another_film(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    side, paces, hertz = (
        int(rng.integers(40, 120)),
        (rng.uniform(15, 40), rng.uniform(15, 40)),
        rng.uniform(200, 900),
    )
    return film(path, group=60, seed=seed, side=side, paces=paces, hertz=hertz)


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
