"""A server that takes videos is killed at random moments: every job it acknowledged ends well, and no clip is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import httpx
import numpy as np

from swipewise.catalog import Catalog
from swipewise.schema import Col
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace
from tests.server.test_crash import served

KILLS = 3
CLIPS = 12
_CONFIG = """
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
[media]
frames = 2
[ingest]
workers = 1
lease_seconds = 1.0
attempts = 20
"""


def states_of(client: httpx.Client) -> list[str]:
    return [job["state"] for job in client.get("/v1/jobs").json()["jobs"]]


def test_acknowledged_videos_survive_kill_9(tmp_path: Path) -> None:
    rng = random.Random(1)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "swipewise.toml").write_text(_CONFIG)
    workspace = Workspace.open(tmp_path / "shop")
    clips = []
    for number in range(CLIPS):
        path = tmp_path / f"{number}.mp4"
        render_clip(path, visual=number % 4, audio=None, seconds=0.3, rng=np.random.default_rng(number))
        clips.append(path.read_bytes())

    acknowledged: dict[str, str] = {}
    interrupted = 0
    for _ in range(KILLS):
        with served(workspace, pages=False) as (process, address):
            with httpx.Client(base_url=address, timeout=30) as client:
                for number in range(len(acknowledged), len(acknowledged) + CLIPS // KILLS):
                    answer = client.put(f"/v1/videos/v{number}/content", content=clips[number])
                    assert answer.status_code == 202, answer.text
                    acknowledged[f"v{number}"] = answer.json()["job_id"]
                while "running" not in (states := states_of(client)) and set(states) != {"done"}:
                    time.sleep(0.005)
                time.sleep(rng.uniform(0, 0.02))
                interrupted += "running" in states_of(client)
            os.kill(process.pid, signal.SIGKILL)

    with served(workspace, pages=False) as (_, address), httpx.Client(base_url=address, timeout=30) as client:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            jobs = client.get("/v1/jobs").json()["jobs"]
            if all(job["state"] == "done" for job in jobs):
                break
            time.sleep(0.1)
        feed = client.get("/v1/feed", params={"viewer_id": "ann", "limit": 100}).json()
    assert interrupted, "no kill met a job at work"
    assert {job["job_id"]: job["state"] for job in jobs} == dict.fromkeys(acknowledged.values(), "done")
    assert sorted(Catalog(workspace.catalog_dir).videos()[Col.VIDEO_ID]) == sorted(acknowledged)
    assert {each["video_id"] for each in feed["recommendations"]} <= set(acknowledged)
    assert len(feed["recommendations"]) > 0
