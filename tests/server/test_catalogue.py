"""The catalogue over HTTP: pages, facts, similar videos, and taking videos out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.catalog.links import Link
from swipewise.errors import StoreError
from swipewise.schema import Video
from swipewise.server import create_app
from swipewise.workspace import Workspace


def shown(client: TestClient, viewer: str = "ann") -> list[str]:
    answer = client.get("/v1/feed", params={"viewer_id": viewer})
    return [each["video_id"] for each in answer.json()["recommendations"]]


def test_the_catalogue_comes_in_pages(client: TestClient) -> None:
    pages, after = [], None
    while True:
        answer = client.get("/v1/videos", params={"limit": 3} | ({"after": after} if after else {})).json()
        pages.append([each["video_id"] for each in answer["videos"]])
        after = answer["next"]
        if after is None:
            break
    assert pages == [["a", "b", "c"], ["d"]]
    assert client.get("/v1/videos", params={"limit": 4}).json()["next"] is None
    assert client.get("/v1/videos", params={"after": "it's"}).json() == {"videos": [], "next": None}
    assert client.get("/v1/videos", params={"limit": 0}).status_code == 422


def test_what_is_known_of_a_video(client: TestClient, workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.links.write([Link(video_id="b", link_order=1, duplicate_of="a")])
    answer = client.get("/v1/videos/b").json()
    assert answer["duplicate_of"] == "a"
    assert client.get("/v1/videos/a").json()["duplicates"] == ["b"]
    assert (answer["caption"], answer["duration_seconds"], answer["modalities"]) == ("the b video", 10.0, {})
    assert answer["links"] == {
        "self": "/v1/videos/b",
        "similar": "/v1/videos/b/similar",
        "thumbnail": "/v1/videos/b/thumbnail",
    }
    missing = client.get("/v1/videos/x")
    assert missing.status_code == 404
    assert missing.json()["error"].startswith("no video 'x' in the catalogue")


def test_no_place_on_this_machine_and_no_secret_is_shown(client: TestClient, workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    local = Video(video_id="l", uri="/srv/private/clip.mp4", content_hash="l")
    remote = Video(video_id="s/3 r", uri="https://ann:pw@cdn.org/a.mp4?sig=ab", content_hash="r")
    catalog.upsert([local, remote], {})
    assert client.get("/v1/videos/l").json()["uri"] is None
    assert "private" not in client.get("/v1/videos").text
    link = client.get("/v1/videos/s%2F3%20r").json()["links"]["self"]
    assert client.get(link).json()["uri"] == "https://cdn.org/a.mp4"


def test_similar_videos(workspace: Workspace, runs: Callable[[str, str], None]) -> None:
    with TestClient(create_app(workspace)) as client:
        early = client.get("/v1/videos/a/similar")
        assert early.status_code == 409
        assert "no model yet" in early.json()["error"]
    runs("r1", "sound")
    with TestClient(create_app(workspace)) as client:
        answer = client.get("/v1/videos/a/similar", params={"limit": 2}).json()
        assert answer == {
            "video_id": "a",
            "modality": None,
            "similar": [{"video_id": "b", "similarity": pytest.approx(0.8)}],
        }
        assert client.get("/v1/videos/x/similar").status_code == 404
        assert client.get("/v1/videos/a/similar", params={"modality": "audio"}).status_code == 404
        refused = client.get("/v1/videos/a/similar", params={"modality": "id"})
        assert refused.status_code == 422
        assert refused.json()["error"] == "modality: no encoder looks at id: valid are visual, text, audio"


def test_a_deleted_video_is_never_shown_again(client: TestClient, workspace: Workspace) -> None:
    like = {"event_id": "e1", "viewer_id": "bob", "video_id": "d", "action": "like"}
    client.post("/v1/events", json=like)
    answer = client.delete("/v1/videos/d")
    assert (answer.status_code, answer.content) == (204, b"")
    assert shown(client) == ["c", "b", "a"]
    later = client.post("/v1/events", json=like | {"event_id": "e2", "viewer_id": "cid"}).json()
    assert later["unknown_videos"] == ["d"]
    client.app.state.engine.refresh()  # type: ignore[attr-defined]
    assert shown(client) == ["c", "b", "a"]
    assert client.get("/v1/videos/d").status_code == 404
    assert client.get("/v1/videos/d/similar").status_code == 404
    assert client.get("/v1/videos/d/thumbnail").status_code == 404
    assert client.delete("/v1/videos/d").status_code == 204, "again is no error"
    assert client.delete("/v1/videos/x").status_code == 404
    with TestClient(create_app(workspace)) as restarted:
        assert shown(restarted) == ["c", "b", "a"]


def test_a_clip_that_was_sent_here_goes_with_its_video(client: TestClient, workspace: Workspace) -> None:
    workspace.uploads_dir.mkdir(exist_ok=True)
    clip = workspace.uploads_dir / "clip.mp4"
    clip.touch()
    Catalog(workspace.catalog_dir).upsert([Video(video_id="e", uri=str(clip), content_hash="e")], {})
    assert client.delete("/v1/videos/e").status_code == 204
    assert not Path(clip).exists()


def test_a_removal_that_cannot_be_written_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("swipewise.catalog.removal.Table.upsert", full)
    answer = client.delete("/v1/videos/a")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "a" in shown(client)
