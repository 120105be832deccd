"""What no description of the API would suggest: broken text, numbers without end, headers that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from swipewise.events.rules import ID_PATTERN, id_fault
from swipewise.server import create_app
from swipewise.server.messages import Id
from swipewise.workspace import Workspace
from tests.feed.conftest import live_store as live_store

EVENT = {"event_id": "e", "viewer_id": "v", "video_id": "a", "action": "like"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(workspace: Workspace, live_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The API on either kind of live store; nobody works on what is posted."""
    monkeypatch.setattr("swipewise.events.jobs.JobQueue.take", lambda *_, **__: [])
    with TestClient(create_app(workspace), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def local(workspace: Workspace) -> Iterator[TestClient]:
    """A server that listens on this machine alone."""
    with TestClient(create_app(workspace), "http://127.0.0.1:8000", raise_server_exceptions=False) as opened:
        yield opened


def refused(answer: Any, status: int, words: str) -> None:
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text


NAMED = [
    ("GET", "/v1/feed?viewer_id={}"),
    ("GET", "/v1/jobs/{}"),
    ("GET", "/v1/videos/{}"),
    ("GET", "/v1/videos/{}/similar"),
    ("GET", "/v1/videos/{}/thumbnail"),
    ("PUT", "/v1/videos/{}/content"),
    ("DELETE", "/v1/videos/{}"),
    ("POST", "/v1/models/{}/publish"),
    ("GET", "/v1/viewers/{}/profile"),
    ("PUT", "/v1/viewers/{}/profile"),
    ("GET", "/v1/viewers/{}/export"),
    ("DELETE", "/v1/viewers/{}"),
]


def test_names_that_are_no_names(client: TestClient) -> None:
    for method, path in NAMED:
        for spelled in ("%00", "a%01b", "%20", "a" * 300):
            answer = client.request(method, path.format(spelled), content=b"{}", headers=JSON)
            assert answer.status_code == 422, (method, path, spelled, answer.text)
            assert answer.json()["fields"]


def test_bytes_that_are_no_utf8_name_nobody(client: TestClient) -> None:
    for method, path in NAMED:
        for spelled in ("%FF", "%ED%A0%80", "%C3"):
            answer = client.request(method, path.format(spelled), content=b"{}", headers=JSON)
            refused(answer, 422, "is no UTF-8 at byte")
    assert client.get("/v1/feed?viewer_id=%F0%9F%98%80").json()["viewer_id"] == "\N{GRINNING FACE}"


def test_bodies_that_are_none(client: TestClient) -> None:
    routes = [("POST", "/v1/events"), ("POST", "/v1/videos"), ("PUT", "/v1/viewers/v/profile")]
    bodies = [
        b"",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        json.dumps(EVENT).encode("utf-16"),
        b'{"viewer_id": "\\ud800"}',
        b"null",
        b'{"a": 1e999}',
    ]
    for method, path in [*routes, ("PUT", "/v1/viewers/v/controls")]:
        for body in bodies:
            answer = client.request(method, path, content=body, headers=JSON)
            assert answer.status_code == 422, (path, body[:20], answer.text[:200])


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"position": 10**400}, "position: "),
    ({"position": 1.5}, "position: input should be a valid integer"),
    ({"position": True}, "position: input should be a valid integer"),
    ({"watch_seconds": float("nan")}, "watch_seconds: "),
    ({"watch_seconds": float("inf")}, "watch_seconds: "),
    ({"at": "0001-01-01T00:00:00+14:00"}, "at: 0001-01-01T00:00:00+14:00 lies before the year 1 in UTC"),
    ({"at": "9999-12-31T23:59:59-14:00"}, "lies in the future"),
    ({"at": "0000-01-01T00:00:00Z"}, "at: "),
    ({"viewer_id": "a\0b"}, "viewer_id: 'a\\x00b' holds a control character"),
]


def test_events_that_cannot_be(client: TestClient) -> None:
    for changes, words in IMPOSSIBLE:
        refused(client.post("/v1/events", content=json.dumps(EVENT | changes), headers=JSON), 422, words)


def test_a_whole_number_may_be_written_with_a_point(client: TestClient) -> None:
    assert client.post("/v1/events", content=json.dumps(EVENT | {"position": 3.0})).json()["added"] == 1
    exported = client.get("/v1/viewers/v/export").json()
    assert (exported["position"], type(exported["position"])) == (3, int)


def test_features_hold_whatever_text_there_is(client: TestClient) -> None:
    features = {"a\0": "x\0", "": "y", "\N{GRINNING FACE}": [1e308, -0.0, 5e-324, 2**63 - 1]}
    assert client.put("/v1/viewers/v/profile", json=features).json()["features"] == features
    assert client.get("/v1/viewers/v/profile").json()["features"] == features
    refused(client.put("/v1/viewers/v/profile", json={"a": 2**63}), 422, "more than 64 bits")
    refused(client.put("/v1/viewers/v/profile", content=b'{"a": ' + b"9" * 5000 + b"}"), 422, "not JSON")


def test_headers_that_are_none(client: TestClient) -> None:
    for headers in (
        {"Authorization": b"Bearer \xff"},
        {"X-Request-ID": b"\xff"},
        {"If-None-Match": b"\xff"},
        {"Range": "bytes=9-1"},
        {"Accept": "\\"},
    ):
        assert client.get("/v1/videos", headers=headers).status_code == 200, headers
    for length in ("-1", "1e3", "9" * 30):
        answer = client.put("/v1/videos/v/content", content=b"clip", headers={"Content-Length": length})
        assert answer.status_code in (202, 413), length


def test_an_address_that_is_none_is_refused(local: TestClient) -> None:
    for origin in ("http://[::1", "null", "\\", "http://[v1.x]"):
        refused(local.get("/v1/videos", headers={"Origin": origin}), 403, "may not call this")
    for host in ("[::1", "[x]", "a b", "evil.example:port"):
        refused(local.get("/v1/videos", headers={"Host": host}), 403, "under its own address alone")


def test_whatever_can_be_got_can_be_asked_for_without_its_body(client: TestClient) -> None:
    for path in ("/healthz", "/v1/videos", "/v1/feed?viewer_id=v", "/openapi.json", "/v1/videos/none"):
        full, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (full.status_code, b""), path
        assert head.headers["content-type"] == full.headers["content-type"]
        if "feed" not in path:
            assert head.headers["content-length"] == full.headers["content-length"]


def test_heads_take_keys_like_the_rest(
    workspace: Workspace, configured: Callable[..., Workspace], new_key: Callable[..., dict[str, str]]
) -> None:
    with TestClient(create_app(configured(keys="required"))) as client:
        assert client.head("/v1/videos").status_code == 401
        assert client.head("/v1/videos", headers=new_key("feed")).status_code == 403
        assert client.head("/v1/videos", headers=new_key("admin")).status_code == 200
        assert client.head("/healthz").status_code == 200
        assert client.put("/healthz").status_code == 405, "no key would make that better"


def test_a_wrong_method_is_told_all_the_right_ones(client: TestClient) -> None:
    for path, methods in (
        ("/v1/videos", "GET, HEAD, POST"),
        ("/v1/videos/a", "DELETE, GET, HEAD"),
        ("/v1/videos/a/thumbnail", "GET, HEAD"),
        ("/v1/viewers/v/controls", "DELETE, GET, HEAD, PUT"),
    ):
        for method in ("PATCH", "OPTIONS", "TRACE", "MAKEUPANAME"):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, methods), (method, path)


def test_a_clip_of_a_video_whose_id_holds_a_slash_is_told_why_not(client: TestClient) -> None:
    answer = client.put("/v1/videos/a%2Fb/content", content=b"clip")
    refused(answer, 422, "'a/b' would read as a path in an address: leave out slashes")


def test_where_clips_lie_on_the_server_is_not_told(client: TestClient, workspace: Workspace) -> None:
    sent = client.put("/v1/videos/v/content", content=b"clip")
    told = [sent.text, client.get("/v1/jobs").text, client.get(f"/v1/jobs/{sent.json()['job_id']}").text]
    assert sent.json()["uri"] is None
    assert not [text for text in told if str(workspace.root) in text]


def test_the_described_pattern_of_ids_is_the_rule() -> None:
    # "$" of JSON schemas is the very end.
    pattern, taken = re.compile(ID_PATTERN.removesuffix("$") + r"\Z"), TypeAdapter(Id).validator
    texts = [chr(code) for code in range(0x3000)] + ["", " a", "a ", "a\n", "\na", " \x00", "\u3000", "a\x7f"]
    for text in texts:
        assert bool(pattern.search(text)) == (id_fault(text) is None), repr(text)
        # What the server goes by is another machine for regular expressions.
        assert taken.isinstance_python(text) == (id_fault(text) is None), repr(text)
