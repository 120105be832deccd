"""The API over real stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.errors import StoreError
from swipewise.events import read_events
from swipewise.schema import Col
from swipewise.server import create_app
from swipewise.server.intake import MAX_BYTES
from swipewise.workspace import Workspace
from tests.feed.conftest import video


def like(video_id: str, **changes: Any) -> dict[str, Any]:
    event = {"event_id": f"like-{video_id}", "viewer_id": "ann", "video_id": video_id, "action": "like"}
    return event | changes


def shown(client: TestClient, viewer: str = "ann", **parameters: Any) -> list[str]:
    answer = client.get("/v1/feed", params={"viewer_id": viewer, **parameters})
    assert answer.status_code == 200, answer.text
    return [each["video_id"] for each in answer.json()["recommendations"]]


def test_a_posted_event_changes_the_next_feed(client: TestClient) -> None:
    assert shown(client) == ["d", "c", "b", "a"]
    answer = client.post("/v1/events", json=like("c"))
    assert (answer.status_code, answer.json()) == (
        200,
        {"added": 1, "duplicates": 0, "erased": 0, "event_ids": ["like-c"], "unknown_videos": []},
    )
    assert shown(client) == ["d", "b", "a"]
    assert shown(client, "bob")[-1:] == ["a"], "others still see it"


def test_the_same_event_twice_counts_once(client: TestClient, workspace: Workspace) -> None:
    assert client.post("/v1/events", json=like("c")).json()["added"] == 1
    again = client.post("/v1/events", json=[like("c"), like("d"), like("d")]).json()
    assert (again["added"], again["duplicates"]) == (1, 2)
    assert sorted(read_events(workspace.events_dir).collect()[Col.EVENT_ID]) == ["like-c", "like-d"]


def test_a_batch_is_taken_whole_or_not_at_all(client: TestClient, workspace: Workspace) -> None:
    answer = client.post("/v1/events", json=[like("a"), like("b", action="liek")])
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "[1].action: unknown action 'liek': did you mean 'like'?",
        "fields": [{"field": "[1].action", "message": "unknown action 'liek': did you mean 'like'?"}],
    }
    assert read_events(workspace.events_dir).collect().is_empty()


def test_unknown_videos_are_taken_and_reported(client: TestClient, workspace: Workspace) -> None:
    answer = client.post("/v1/events", json=[like("a"), like("gone")]).json()
    assert (answer["added"], answer["unknown_videos"]) == (2, ["gone"])
    assert read_events(workspace.events_dir).collect().height == 2


def test_an_id_is_generated_and_returned(client: TestClient, workspace: Workspace) -> None:
    event = like("a")
    del event["event_id"]
    (event_id,) = client.post("/v1/events", json=event).json()["event_ids"]
    assert read_events(workspace.events_dir).collect()[Col.EVENT_ID].to_list() == [event_id]


def test_every_item_says_why(workspace: Workspace, runs: Callable[[str, str], None]) -> None:
    runs("r1", "sound")
    with TestClient(create_app(workspace)) as client:
        client.post("/v1/events", json=like("a"))
        answer = client.get("/v1/feed", params={"viewer_id": "ann", "limit": 1}).json()
        health = client.get("/healthz").json()
    assert answer == {
        "viewer_id": "ann",
        "request_id": answer["request_id"],
        "level": "model",
        "note": None,
        "controls": [],
        "policy": "softmax@1 temperature=1",
        "recommendations": [
            {
                "video_id": "b",
                "position": 0,
                "score": answer["recommendations"][0]["score"],
                "source": "interest",
                "propensity": 1.0,
                "modality_weights": {"visual": 0.75, "text": 0.25},
                "evidence": [{"video_id": "a", "similarity": pytest.approx(0.8)}],
                "controls": [],
            }
        ],
        "cursor": answer["cursor"],
        "trace": None,
        "dropped": None,
        "dropped_videos": None,
    }
    assert health == {"status": "ok", "videos": 4, "run": "r1", "note": None}


def test_without_a_model_an_unknown_viewer_gets_what_is_popular(client: TestClient) -> None:
    answer = client.get("/v1/feed", params={"viewer_id": "never seen before"}).json()
    assert answer["level"] == "popular"
    assert answer["note"] == "no model yet: fit one with 'swipewise train'"
    assert len(answer["recommendations"]) == 4
    assert client.get("/healthz").json()["note"] == answer["note"]


def test_the_trace_is_given_on_request(client: TestClient) -> None:
    client.post("/v1/events", json=like("a"))
    answer = client.get("/v1/feed", params={"viewer_id": "ann", "limit": 2, "trace": True}).json()
    assert answer["dropped"] == {"seen": 1, "outranked": 1}
    assert answer["trace"][-1]["stage"] == "explain"
    assert answer["trace"][-1]["count"] == 2


def test_limit(client: TestClient) -> None:
    assert len(shown(client, limit=1)) == 1
    assert len(shown(client, limit=1000)) == 4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"viewer_id": "ann", "limit": 0}, "limit: input should be greater than or equal to 1, not '0'"),
        ({"viewer_id": "ann", "limit": 1001}, "limit: input should be less than or equal to 1000, not '1001'"),
        ({"viewer_id": "ann", "limit": "many"}, "limit: input should be a valid integer"),
        ({"viewer_id": ""}, "viewer_id: string should have at least 1 character, not ''"),
        ({}, "viewer_id: is required"),
    ],
)
def test_bad_parameters_are_named(client: TestClient, parameters: dict[str, Any], message: str) -> None:
    answer = client.get("/v1/feed", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)


def test_a_body_that_is_too_large(client: TestClient) -> None:
    answer = client.post("/v1/events", content=b" " * (MAX_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json() == {"error": f"the body is larger than {MAX_BYTES} bytes: send fewer events at a time"}


def test_a_store_that_fails_asks_for_another_try(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("cannot use the live event log: database or disk is full")

    monkeypatch.setattr("swipewise.events.live.EventLog.append_batches", full)
    answer = client.post("/v1/events", json=like("a"))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json() == {"error": "cannot use the live event log: database or disk is full"}
    monkeypatch.undo()
    assert client.post("/v1/events", json=like("a")).json()["added"] == 1


def test_other_errors_have_the_same_form(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/v2/feed").json() == {"error": "Not Found: GET /v2/feed"}
    wrong = client.get("/v1/events")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.json() == {"error": "Method Not Allowed: GET /v1/events"}

    def broken(*_: object, **_options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("swipewise.feed.engine.FeedEngine.feed", broken)
    answer = client.get("/v1/feed", params={"viewer_id": "ann"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error: the server's log has the details"}


def test_the_api_describes_itself(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/feed",
        "/v1/events",
        "/v1/videos",
        "/v1/videos/{video_id}",
        "/v1/videos/{video_id}/similar",
        "/v1/videos/{video_id}/content",
        "/v1/videos/{video_id}/thumbnail",
        "/v1/jobs",
        "/v1/jobs/{job_id}",
        "/v1/models",
        "/v1/models/{run}/publish",
        "/v1/models/rollback",
        "/v1/viewers/{viewer_id}",
        "/v1/viewers/{viewer_id}/profile",
        "/v1/viewers/{viewer_id}/interests",
        "/v1/viewers/{viewer_id}/controls",
        "/v1/viewers/{viewer_id}/export",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/audit",
    }
    one, many = paths["/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert set(one["required"]) == {"viewer_id", "video_id", "action"}
    assert many["items"]["required"] == one["required"]
    assert one["properties"]["action"]["enum"][0] == "exposure"
    assert "$defs" not in one, "references would lead nowhere"


def test_a_running_server_finds_new_videos(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = (workspace.root / "swipewise.toml").read_text()
    (workspace.root / "swipewise.toml").write_text(
        config.replace("# refresh_seconds = 10.0", "refresh_seconds = 0.1")
    )
    with TestClient(create_app(Workspace.open(workspace.root))) as client:
        Catalog(workspace.catalog_dir).upsert([video("e", days_old=0)], {})
        deadline = time.monotonic() + 30
        while "e" not in shown(client) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert shown(client)[0] == "e"


def test_a_failed_refresh_does_not_end_the_server(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = (workspace.root / "swipewise.toml").read_text()
    (workspace.root / "swipewise.toml").write_text(
        config.replace("# refresh_seconds = 10.0", "refresh_seconds = 0.1")
    )
    tries: list[int] = []

    def refresh(_: object) -> bool:
        tries.append(1)
        raise StoreError("the catalogue cannot be read")

    monkeypatch.setattr("swipewise.feed.engine.FeedEngine.refresh", refresh)
    with TestClient(create_app(Workspace.open(workspace.root))) as client:
        deadline = time.monotonic() + 30
        while len(tries) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(tries) >= 2
        assert len(shown(client)) == 4
    assert "the catalogue cannot be read" in caplog.text


def test_a_wrong_name_in_the_query_is_told_what_is_valid_there(client: TestClient) -> None:
    told = client.get("/v1/jobs?state=quued").json()["error"]
    assert told == "state: unknown state 'quued': did you mean 'queued'?"
    told = client.get("/v1/videos/a/similar?modality=smell").json()["error"]
    assert told == "modality: unknown modality 'smell': valid are visual, text, audio, attributes, id"
