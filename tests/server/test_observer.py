"""What the server says about itself: log lines, metrics, readiness, headers."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from swipewise.catalog import Catalog
from swipewise.errors import StoreError
from swipewise.events.jobs import JobQueue
from swipewise.server import create_app
from swipewise.server.logs import REQUESTS, JsonFormatter
from swipewise.workspace import Workspace


def figures(client: TestClient, **options: Any) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) -> value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(client.get("/metrics", **options).text)
        for sample in family.samples
    }


def test_requests_are_counted_by_template(client: TestClient) -> None:
    for job in ("one", "two"):
        client.get(f"/v1/jobs/{job}")
    for path in ("/a", "/b"):
        client.get(path)
    client.request("MAKEUPANAME", "/healthz")
    found = figures(client)
    assert found["swipewise_requests_total", "GET", "/v1/jobs/{job_id}", "404"] == 2
    assert found["swipewise_request_seconds_count", "GET", "/v1/jobs/{job_id}"] == 2
    assert found["swipewise_requests_total", "GET", "none", "404"] == 2
    assert found["swipewise_requests_total", "none", "none", "405"] == 1
    assert found[("swipewise_requests_in_flight",)] == 1, "the one that asks"


def test_feeds_events_and_jobs_are_counted(client: TestClient) -> None:
    event = {"event_id": "e", "viewer_id": "ann", "video_id": "a", "action": "like"}
    for _ in range(2):
        client.post("/v1/events", json=event)
    trace = client.get("/v1/feed?viewer_id=ann&trace=true").json()["trace"]
    client.put("/v1/videos/v/content", content=b"no video", headers={"content-type": "video/mp4"})
    found = figures(client)
    for step in trace:
        assert found["swipewise_feed_stage_seconds_count", step["stage"]] == 1
        assert found["swipewise_feed_stage_seconds_sum", step["stage"]] == pytest.approx(
            step["milliseconds"] / 1000
        )
    assert found["swipewise_events_total", "added"] == 1
    assert found["swipewise_events_total", "duplicate"] == 1
    assert found["swipewise_events_total", "erased"] == 0
    states = {state: found["swipewise_jobs", state] for state in ("queued", "running", "done", "rejected")}
    assert sum(states.values()) == 1
    assert found[("swipewise_job_queue_depth",)] == states["queued"] + states["running"]


def test_what_is_counted_is_told_while_the_store_is_away(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: JobQueue) -> None:
        raise StoreError("cannot use the live event log")

    monkeypatch.setattr(JobQueue, "counts", fails)
    with TestClient(create_app(workspace)) as client:
        found = figures(client)
    assert ("swipewise_requests_in_flight",) in found
    assert ("swipewise_job_queue_depth",) not in found


def lines_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    formatter = JsonFormatter()
    return [json.loads(formatter.format(record)) for record in caplog.records if record.name == REQUESTS.name]


def test_a_request_is_one_line_without_what_names_viewers(
    configured: Callable[..., Workspace],
    new_key: Callable[..., dict[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, REQUESTS.name)
    headers = new_key("feed", name="app")
    with TestClient(create_app(configured(keys="required"))) as client:
        client.get("/v1/feed?viewer_id=ann&context=word=hunter2", headers={**headers, "X-Request-ID": "abc-1"})
        client.get("/v1/videos/private/thumbnail")
    (feed, thumbnail) = lines_of(caplog)
    assert feed["milliseconds"] > 0
    expected = {"method": "GET", "route": "/v1/feed", "status": 200, "key": "app"}
    assert expected.items() <= feed.items()
    assert (thumbnail["status"], thumbnail["key"]) == (401, None)
    written = "\n".join(record.getMessage() + str(vars(record)) for record in caplog.records)
    for secret in ("hunter2", "viewer_id=ann", "private", headers["Authorization"].removeprefix("Bearer ")):
        assert secret not in written


@pytest.mark.parametrize(
    ("sent", "taken"), [("abc-1", True), ("a" * 128, True), ("a" * 129, False), ('x" y', False), ("", False)]
)
def test_a_sane_request_id_is_answered_back(client: TestClient, sent: str, taken: bool) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": sent}).headers["x-request-id"]
    assert (answered == sent) == taken
    assert answered


def test_lines_logged_during_a_request_bear_its_id(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = []
    formatter = JsonFormatter()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(json.loads(formatter.format(record)))  # type: ignore[method-assign]
    logger = logging.getLogger("swipewise.server.app")
    logger.addHandler(handler)

    def fails(*_: object, **__: object) -> None:
        raise StoreError("cannot use the live event log")

    monkeypatch.setattr("swipewise.feed.engine.FeedEngine.feed", fails)
    client.get("/v1/feed?viewer_id=ann", headers={"X-Request-ID": "abc-1"})
    logger.removeHandler(handler)
    assert [(line["message"], line["request_id"]) for line in lines] == [
        ("cannot use the live event log", "abc-1")
    ]


def test_an_error_keeps_its_trace_in_one_line() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "it %s", ("broke",), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["logger"], line["message"]) == ("error", "x", "it broke")
    assert "ValueError: odd" in line["error"]


def test_an_unexpected_error_is_answered_counted_and_named(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a bug with a secret")

    monkeypatch.setattr("swipewise.feed.engine.FeedEngine.feed", breaks)
    answer = client.get("/v1/feed?viewer_id=ann", headers={"X-Request-ID": "abc-1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc-1")
    assert answer.json() == {"error": "internal error: the server's log has the details"}
    assert answer.headers["connection"] == "close"
    assert figures(client)["swipewise_requests_total", "GET", "/v1/feed", "500"] == 1


def test_ready(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/readyz").json() == {"ready": True, "reason": None}

    def fails(_: Catalog) -> str:
        raise StoreError("cannot read catalog/videos.lance")

    with monkeypatch.context() as broken:
        broken.setattr(Catalog, "version", fails)
        answer = client.get("/readyz")
        # Anybody may ask: where stores lie is for the log.
        told = "the catalogue cannot be read: the server's log has the details"
        assert (answer.status_code, answer.json()["reason"]) == (503, told)
    assert client.get("/readyz").status_code == 200
    client.app.state.readiness.stopping = True  # type: ignore[attr-defined]
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "the server is shutting down")
    assert client.get("/healthz").status_code == 200


def test_every_answer_has_protective_headers(client: TestClient) -> None:
    for path in ("/v1/feed?viewer_id=ann", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
