"""Videos posted to a running server: durable, checked, taken, and shown without a restart."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.errors import StoreError
from swipewise.ingest import pool
from swipewise.schema import Col
from swipewise.server import create_app
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace

_CONFIG = """
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
[media]
frames = 2
[ingest]
workers = 1
roots = ["{clips}", "memory://posted"]
max_bytes = 2000000
"""


# A worker that hangs on one clip until a file is there.
_HANGS = """
import os, time
from pathlib import Path
from swipewise.ingest import tasks, worker
right_away = tasks.decode
def decode(path, *settings):
    while path.name == "3.mp4" and not Path(os.environ["LET_GO"]).exists():
        time.sleep(0.02)
    return right_away(path, *settings)
tasks.decode = decode
worker.main()
"""


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small clips. Tests may only read them."""
    folder = tmp_path_factory.mktemp("posted")
    for number in range(4):
        path = folder / f"{number}.mp4"
        render_clip(path, visual=number, audio=1, seconds=0.5, rng=np.random.default_rng(number))
    return folder


@pytest.fixture
def shop(tmp_path: Path, clips: Path) -> Workspace:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "swipewise.toml").write_text(_CONFIG.format(clips=clips))
    return Workspace.open(tmp_path / "shop")


@pytest.fixture
def client(shop: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(shop), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def idle(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server that takes jobs and does not work on them."""
    monkeypatch.setattr("swipewise.ingest.work.JobRunner._round", lambda _: 1.0)
    with TestClient(create_app(shop), raise_server_exceptions=False) as opened:
        yield opened


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] in ("done", "rejected"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"the job did not end: {job}")


def posted(client: TestClient, body: Any, **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/videos", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(client: TestClient) -> list[str]:
    answer = client.get("/v1/feed", params={"viewer_id": "ann", "limit": 100})
    return [each["video_id"] for each in answer.json()["recommendations"]]


def refused(client: TestClient, body: Any) -> str:
    answer = client.post("/v1/videos", json=body)
    assert answer.status_code == 422, answer.text
    assert client.get("/v1/jobs").json() == {"jobs": []}
    return str(answer.json()["error"])


def test_a_posted_video_is_shown_when_its_job_is_done(client: TestClient, shop: Workspace, clips: Path) -> None:
    facts = {"caption": "a cat", "tags": ["pets"], "creator": "ann", "available_until": "2999-01-01"}
    body = {"uri": str(clips / "0.mp4"), "video_id": "v0", **facts}
    job = posted(client, body)
    assert (job["state"], job["video_id"], job["attempts"]) == ("queued", "v0", 0)
    done = ended(client, job["job_id"])
    assert (done["state"], done["outcome"], done["reason"], done["attempts"]) == ("done", "added", None, 1)
    assert set(done["seconds"]) == {"queue", "read", "decode", "encode", "commit", "publish"}
    assert shown(client) == ["v0"], "at once, not at the next look"
    catalog = Catalog(shop.catalog_dir)
    video = catalog.get("v0")
    assert (video.caption, video.tags, video.creator) == ("a cat", ("pets",), "ann")
    assert video.available_until == datetime(2999, 1, 1, tzinfo=UTC)
    assert client.get("/v1/videos/v0").json()["available_until"] == "2999-01-01T00:00:00Z"
    assert video.uploaded_at is not None
    assert video.uploaded_at.isoformat().replace("+00:00", "Z") == done["created_at"]
    assert {modality.value for modality, _ in catalog.encoders_of("v0")} == {"visual", "audio", "text"}


def test_a_list_of_local_and_remote_videos(client: TestClient, clips: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/posted/1.mp4", (clips / "1.mp4").read_bytes())
    uris = ["memory://posted/1.mp4", "memory://posted/gone.mp4", str(clips / "2.mp4")]
    jobs = posted(client, [{"uri": uri} for uri in uris])["jobs"]
    assert [job["uri"] for job in jobs] == uris
    states = [ended(client, job["job_id"]) for job in jobs]
    assert [(job["state"], job["reason"]) for job in states] == [
        ("done", None),
        ("rejected", "no such file"),
        ("done", None),
    ]
    assert sorted(shown(client)) == sorted(job["video_id"] for job in states if job["state"] == "done")
    rejected = client.get("/v1/jobs", params={"state": "rejected"}).json()["jobs"]
    assert [job["uri"] for job in rejected] == ["memory://posted/gone.mp4"]
    assert [job["uri"] for job in client.get("/v1/jobs", params={"limit": 1}).json()["jobs"]] == [uris[-1]]


def test_jobs_are_done_while_another_clip_hangs(
    shop: Workspace, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = shop.root / "swipewise.toml"
    config.write_text(config.read_text().replace("workers = 1", "workers = 2"))
    monkeypatch.setenv("LET_GO", str(tmp_path / "go"))
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", _HANGS))
    with TestClient(create_app(Workspace.open(shop.root))) as client:
        slow = posted(client, {"uri": str(clips / "3.mp4"), "video_id": "slow"})["job_id"]
        beside = posted(client, {"uri": str(clips / "0.mp4"), "video_id": "v0"})
        assert ended(client, beside["job_id"])["outcome"] == "added"
        assert shown(client) == ["v0"]
        # The same film under another content hash, then another cut of it: of later looks at the queue.
        film = (clips / "0.mp4").read_bytes()
        copy = client.put("/v1/videos/copy/content", content=film + b"1", headers={"Content-Type": "video/mp4"})
        assert ended(client, copy.json()["job_id"])["outcome"] == "added"
        catalog = Catalog(shop.catalog_dir)
        assert catalog.links.duplicates_of("v0") == ["copy"]
        cut = posted(client, {"uri": str(clips / "1.mp4"), "video_id": "v0"})
        assert ended(client, cut["job_id"])["outcome"] == "updated"
        assert catalog.get("v0").uri == str(clips / "1.mp4")
        assert client.get(f"/v1/jobs/{slow}").json()["state"] == "running"
        (tmp_path / "go").touch()
        assert ended(client, slow)["outcome"] == "added"
        assert sorted(shown(client)) == ["copy", "slow", "v0"]
    orders = catalog.links.visual().sort(Col.LINK_ORDER)
    assert orders[Col.VIDEO_ID].to_list() == ["copy", "v0", "slow"]
    assert orders[Col.DUPLICATE_OF].to_list() == [None, None, None]


def test_a_new_cut_and_a_new_caption_reach_the_feed_too(client: TestClient, shop: Workspace, clips: Path) -> None:
    ended(client, posted(client, {"uri": str(clips / "0.mp4"), "video_id": "v0"})["job_id"])
    again = ended(
        client, posted(client, {"uri": str(clips / "1.mp4"), "video_id": "v0", "caption": "x"})["job_id"]
    )
    assert again["outcome"] == "updated"
    assert Catalog(shop.catalog_dir).get("v0").uri == str(clips / "1.mp4")
    other = ended(client, posted(client, {"uri": str(clips / "1.mp4"), "video_id": "v9"})["job_id"])
    assert other["state"] == "rejected"
    assert "has the same content as video 'v0'" in other["reason"]


def test_the_same_request_is_the_same_job(idle: TestClient, clips: Path) -> None:
    body = {"uri": str(clips / "0.mp4"), "video_id": "v0"}
    first = posted(idle, body)["job_id"]
    assert posted(idle, body)["job_id"] == first
    assert posted(idle, body | {"caption": "said"})["job_id"] != first
    keyed = posted(idle, body, **{"Idempotency-Key": "k1"})["job_id"]
    assert keyed != first
    assert posted(idle, body | {"idempotency_key": "k1"})["job_id"] == keyed
    clash = idle.post("/v1/videos", json=body | {"video_id": "v1"}, headers={"Idempotency-Key": "k1"})
    assert (clash.status_code, clash.json()["error"]) == (
        422,
        "idempotency key 'k1' was used for another request: give each its own",
    )
    many = idle.post("/v1/videos", json=[body], headers={"Idempotency-Key": "k1"})
    assert "give idempotency_key in each" in many.json()["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uri": "/etc/passwd"}, "uri: lies outside the places of ingest.roots"),
        ({"uri": "/posted/../etc/passwd"}, "uri: lies outside the places of ingest.roots"),
        ({"uri": "file:///etc/passwd"}, "uri: lies outside the places of ingest.roots"),
        ({"uri": "clips/a.mp4"}, "uri: 'clips/a.mp4' is no absolute path and no uri"),
        ({"uri": "memory://posted/../a.mp4"}, "uri: its uri leads upwards"),
        ({"uri": "memory://other/a.mp4"}, "uri: lies outside the places of ingest.roots"),
        ({"uri": "http://169.254.169.254/a"}, "uri: web addresses are not fetched: set ingest.http = true"),
        ({"uri": "memory://posted/a\0.mp4"}, "uri: its uri holds a control character"),
        ({"uri": ""}, "uri: string should have at least 1 character"),
        ({"uri": None}, "uri: input should be a valid string"),
        ({"video_id": "../v"}, "video_id: '../v' would read as a path in an address"),
        ({"video_id": ".."}, "video_id: '..' would read as a path in an address"),
        ({"video_id": "a\\b"}, "video_id: 'a\\\\b' would read as a path"),
        ({"video_id": "a\nb"}, "video_id: video_id 'a\\nb' must be at most 256 printable characters"),
        ({"video_id": "x" * 257}, "video_id: string should have at most 256 characters"),
        ({"caption": "x" * 30_000}, "caption: 'xxx"),
        ({"uploaded_at": "soon"}, "uploaded_at: 'soon' is no ISO 8601 time"),
        ({"capton": "x"}, "capton: is not a field: did you mean 'caption'?"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_field(
    idle: TestClient, clips: Path, change: dict[str, Any], message: str
) -> None:
    assert refused(idle, {"uri": str(clips / "0.mp4")} | change).startswith(message)


def test_a_list_is_refused_as_a_whole_and_names_the_place(idle: TestClient, clips: Path) -> None:
    good = {"uri": str(clips / "0.mp4")}
    assert refused(idle, [good, {"uri": "/etc/passwd"}]).startswith("[1].uri: lies outside")
    answer = idle.post("/v1/videos", json=[good] * 1001)
    assert (answer.status_code, answer.json()["error"]) == (413, "1001 videos in one request: send at most 1000")
    stray = idle.post("/v1/videos", json=good, params={"caption": "x", "creator": "y"})
    assert stray.json()["error"].startswith("caption, creator in the query belong to a clip sent as it is")
    assert (
        "is not JSON" in idle.post("/v1/videos", content=b"{", headers={"Content-Type": "application/json"}).text
    )


def test_without_roots_requests_name_no_place(tmp_path: Path, clips: Path) -> None:
    with TestClient(create_app(Workspace.create(tmp_path / "bare"))) as client:
        error = refused(client, {"uri": str(clips / "0.mp4")})
    assert error.startswith("uri: requests may name no place yet: list the folders")
    assert "ingest.roots of swipewise.toml, or send the file itself" in error


def test_a_clip_is_sent_as_it_is(client: TestClient, shop: Workspace, clips: Path) -> None:
    body = (clips / "0.mp4").read_bytes()
    answer = client.put(
        "/v1/videos/v0/content",
        content=body,
        params={"caption": "מעשה", "tags": "a,b"},
        headers={"Content-Type": "video/mp4"},
    )
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    assert answer.headers["Location"] == f"/v1/jobs/{job_id}"
    assert ended(client, job_id)["state"] == "done"
    video = Catalog(shop.catalog_dir).get("v0")
    assert (video.caption, video.tags) == ("מעשה", ("a", "b"))
    assert Path(video.uri).parent == shop.uploads_dir
    assert Path(video.uri).read_bytes() == body
    retried = client.put(
        "/v1/videos/v0/content",
        content=body,
        params={"caption": "מעשה", "tags": "a,b"},
        headers={"Content-Type": "video/mp4"},
    )
    assert retried.json()["job_id"] == job_id
    unnamed = client.post(
        "/v1/videos", content=(clips / "1.mp4").read_bytes(), headers={"Content-Type": "video/webm"}
    )
    job = ended(client, unnamed.json()["job_id"])
    assert sorted(path.suffix for path in shop.uploads_dir.iterdir()) == [".mp4", ".webm"]
    assert sorted(shown(client)) == sorted(["v0", job["video_id"]])


def test_uploads_that_nothing_names_are_removed(client: TestClient, shop: Workspace, clips: Path) -> None:
    ended(client, posted(client, {"uri": str(clips / "0.mp4"), "video_id": "v0"})["job_id"])
    known = client.put("/v1/videos/v0/content", content=(clips / "0.mp4").read_bytes()).json()
    bad = client.put("/v1/videos/v1/content", content=b"no clip").json()
    assert ended(client, known["job_id"])["outcome"] == "unchanged"
    assert ended(client, bad["job_id"])["state"] == "rejected"
    deadline = time.monotonic() + 10
    while list(shop.uploads_dir.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(shop.uploads_dir.iterdir()) == []


def test_an_upload_beyond_the_limits_leaves_nothing(
    idle: TestClient, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * 1_000_000

    for content in (b"x" * 2_000_001, chunks()):
        answer = idle.put("/v1/videos/v0/content", content=content)
        assert answer.status_code == 413
        assert answer.json() == {
            "error": "the clip is larger than the 2,000,000 bytes that ingest.max_bytes allows"
        }
    assert idle.put("/v1/videos/v0/content", content=b"").json()["error"].startswith("the body is empty")
    monkeypatch.setattr("swipewise.ingest.remote.SPARE_BYTES", 1 << 60)
    full = idle.put("/v1/videos/v0/content", content=b"x")
    assert full.status_code == 507
    assert "make room" in full.json()["error"]
    assert list(shop.uploads_dir.iterdir()) == []
    assert idle.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.parametrize("video_id", ["..%2F..%2Fetc", "%2e%2e", "a%5Cb", "a%00b"])
def test_an_id_that_is_a_path_is_refused(idle: TestClient, shop: Workspace, video_id: str) -> None:
    answer = idle.put(f"/v1/videos/{video_id}/content", content=b"x")
    assert answer.status_code in (404, 405, 422)
    assert not shop.uploads_dir.exists()


def test_other_content_is_refused(idle: TestClient) -> None:
    answer = idle.post("/v1/videos", content=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]) == (
        415,
        "cannot take content of type 'text/plain': send application/json, or a clip as video/mp4",
    )
    odd = idle.put("/v1/videos/v/content", content=b"x", params={"capton": "x"})
    assert odd.status_code == 422
    assert "capton" in odd.json()["error"]
    fact = idle.put("/v1/videos/v/content", content=b"x", params={"uploaded_at": "soon"})
    assert fact.json()["error"].startswith("uploaded_at: 'soon' is no ISO 8601 time")


def test_unknown_jobs_and_states(idle: TestClient) -> None:
    assert idle.get("/v1/jobs/x").status_code == 404
    assert idle.get("/v1/jobs", params={"state": "lost"}).status_code == 422


def test_a_job_that_cannot_be_written_is_not_acknowledged(
    idle: TestClient, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("cannot use the live event log: disk is full")

    monkeypatch.setattr("swipewise.events.jobs.JobQueue.post", full)
    answer = idle.post("/v1/videos", json={"uri": str(clips / "0.mp4")})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_jobs_wait_while_another_ingestion_runs(client: TestClient, shop: Workspace, clips: Path) -> None:
    with shop.lock("catalog"):
        job_id = posted(client, {"uri": str(clips / "0.mp4")})["job_id"]
        deadline = time.monotonic() + 60
        while not (job := client.get(f"/v1/jobs/{job_id}").json())["reason"] and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (job["state"], job["reason"]) == ("queued", "another ingestion is running in the workspace")
    assert ended(client, job_id)["state"] == "done"


def test_trouble_that_is_not_the_files_own_puts_jobs_back(
    client: TestClient, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("cannot write to the catalogue: disk is full")

    monkeypatch.setattr("swipewise.ingest.work._TROUBLE_SECONDS", 0.1)
    with monkeypatch.context() as broken:
        broken.setattr("swipewise.catalog.catalog.Catalog.upsert", full)
        job_id = posted(client, {"uri": str(clips / "0.mp4")})["job_id"]
        deadline = time.monotonic() + 60
        while not (job := client.get(f"/v1/jobs/{job_id}").json())["reason"] and time.monotonic() < deadline:
            time.sleep(0.02)
    assert job["reason"] == "not taken yet: cannot write to the catalogue: disk is full"
    done = ended(client, job_id)
    assert (done["state"], done["attempts"], done["reason"]) == ("done", 1, None)


def test_a_stopped_server_leaves_its_jobs_to_the_next(shop: Workspace, clips: Path) -> None:
    with TestClient(create_app(shop)) as client, shop.lock("catalog"):
        job_id = posted(client, {"uri": str(clips / "0.mp4"), "video_id": "v0"})["job_id"]
    with TestClient(create_app(shop)) as client:
        assert ended(client, job_id)["state"] == "done"
        assert shown(client) == ["v0"]
    assert Catalog(shop.catalog_dir).videos()[Col.VIDEO_ID].to_list() == ["v0"]


def test_a_link_that_is_bent_after_it_was_posted_is_rejected(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "swipewise.toml").write_text(_CONFIG.format(clips=tmp_path / "in"))
    link = tmp_path / "in" / "link.mp4"
    (tmp_path / "in" / "real.mp4").write_bytes((clips / "0.mp4").read_bytes())
    link.symlink_to(tmp_path / "in" / "real.mp4")
    shop = Workspace.open(tmp_path / "shop")
    with TestClient(create_app(shop)) as client:
        with shop.lock("catalog"):
            job_id = posted(client, {"uri": str(link)})["job_id"]
            link.unlink()
            link.symlink_to(clips / "1.mp4")
        job = ended(client, job_id)
    assert job["state"] == "rejected"
    assert job["reason"].startswith("lies outside the places of ingest.roots, as links are followed")
