"""Two workers on one workspace, here in one process: what one changes the other has, and work is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from swipewise.events import finish_erasures
from swipewise.events.erasure import erase_viewer
from swipewise.events.reading import live_events
from swipewise.server import create_app
from swipewise.server.siblings import Place
from swipewise.workspace import Workspace
from tests.server.test_crash import an_event
from tests.server.test_models import two_runs as two_runs
from tests.server.test_videos import clips as clips
from tests.server.test_videos import ended, shown
from tests.server.test_videos import shop as shop
from tests.stores import live_store as live_store

Open = Callable[[Workspace], tuple[TestClient, TestClient]]


@pytest.fixture
def open_two(tmp_path: Path) -> Iterator[Open]:
    """Two workers that look for nothing by themselves."""
    folder = Path(f"/tmp/swipewise-test-{tmp_path.parent.name}-{tmp_path.name[-8:]}")
    with ExitStack() as stack:

        def opened(workspace: Workspace) -> tuple[TestClient, TestClient]:
            server = replace(workspace.config.server, refresh_seconds=3600.0, publish="manual")
            made = replace(workspace, config=replace(workspace.config, server=server))
            first, second = (
                stack.enter_context(
                    TestClient(create_app(made, place=Place(number=n, count=2, generation=n, folder=folder)))
                )
                for n in range(2)
            )
            return first, second

        yield opened
    assert not folder.exists()


def test_a_video_posted_to_either_is_taken_by_the_first_and_shown_by_both(
    shop: Workspace, clips: Path, open_two: Open
) -> None:
    workers = open_two(shop)
    assert [client.app.state.background._runner._pool for client in workers] == [None, None]
    for number, client in enumerate(workers):
        answer = client.put(f"/v1/videos/v{number}/content", content=(clips / f"{number}.mp4").read_bytes())
        job = ended(client, answer.json()["job_id"])
        assert (job["state"], job["video_id"]) == ("done", f"v{number}")
        assert [f"v{number}" in shown(each) for each in workers] == [True, True]
    runners = [client.app.state.background._runner for client in workers]
    assert [runner._pool is not None for runner in runners] == [True, False]


def test_a_removed_video_is_shown_by_neither(workspace: Workspace, open_two: Open) -> None:
    first, second = open_two(workspace)
    assert "a" in shown(first)
    assert second.delete("/v1/videos/a").status_code == 204
    assert ["a" in shown(client) for client in (first, second)] == [False, False]


def test_a_model_published_or_gone_back_from_is_served_by_both(two_runs: Workspace, open_two: Open) -> None:
    first, second = open_two(two_runs)

    def served() -> list[str]:
        return [client.get("/healthz").json()["run"] for client in (first, second)]

    assert first.post("/v1/models/r1/publish").json()["serving"]
    assert served() == ["r1", "r1"]
    assert second.post("/v1/models/r2/publish").json()["serving"]
    assert served() == ["r2", "r2"]
    assert first.post("/v1/models/rollback").json()["serving"]
    assert served() == ["r1", "r1"]


def test_an_event_or_a_wish_taken_by_one_counts_in_the_next_feed_of_the_other(
    workspace: Workspace, open_two: Open, live_store: str
) -> None:
    first, second = open_two(workspace)
    assert "a" in shown(second)
    assert first.post("/v1/events", json=an_event("e1")).json()["added"] == 1
    assert "a" not in shown(second)
    assert second.post("/v1/events", json=an_event("e1")).json()["duplicates"] == 1
    assert second.put("/v1/viewers/ann/controls", json={"hidden_videos": ["b"]}).status_code == 200
    assert "b" not in shown(first)


def test_a_session_goes_on_in_the_other_worker(workspace: Workspace, open_two: Open) -> None:
    first, second = open_two(workspace)
    page = first.get("/v1/feed", params={"viewer_id": "ann", "limit": 2}).json()
    rest = second.get("/v1/feed", params={"viewer_id": "ann", "limit": 2, "cursor": page["cursor"]}).json()
    videos = [[each["video_id"] for each in answer["recommendations"]] for answer in (page, rest)]
    assert sorted(videos[0] + videos[1]) == ["a", "b", "c", "d"]


def test_workers_that_finish_the_same_erasures_at_once_leave_nothing(
    workspace: Workspace, live_store: str
) -> None:
    with TestClient(create_app(workspace)) as client:
        client.post("/v1/events", json=[{**an_event(f"e{n}"), "viewer_id": f"v{n % 3}"} for n in range(30)])
    with workspace.lock("history"):
        for viewer in ("v0", "v1"):
            erase_viewer(workspace, viewer)
    failures: list[BaseException] = []

    def finish() -> None:
        try:
            while finish_erasures(workspace) is not None:
                pass
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=finish) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failures == []
    assert set(live_events(workspace.events_dir)["viewer_id"]) == {"v2"}
    assert finish_erasures(workspace) is None
