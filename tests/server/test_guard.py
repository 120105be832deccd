"""Who gets past: every route tried with every kind of key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.websockets import WebSocketDisconnect

from swipewise.errors import StoreError
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope
from swipewise.server import create_app
from swipewise.server.access import ROUTES
from swipewise.server.keyring import MAX_AGE, KeyRing
from swipewise.workspace import Workspace

Headers = dict[str, str]
NewKey = Callable[..., Headers]
Configured = Callable[..., Workspace]


@pytest.fixture
def app(configured: Configured) -> FastAPI:
    return create_app(configured(keys="required"))


@pytest.fixture
def guarded(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def requests_of(app: FastAPI) -> list[tuple[str, str]]:
    """(method, template) of every route of an app."""
    return [
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


def path_of(template: str) -> str:
    return re.sub(r"\{[^}]+\}", "a", template)


def test_every_route_is_declared_and_every_declared_one_is_there(app: FastAPI) -> None:
    assert set(requests_of(app)) == set(ROUTES)


def test_every_route_with_every_kind_of_key(app: FastAPI, guarded: TestClient, new_key: NewKey) -> None:
    wrong = {"Authorization": f"Bearer swk_{'0' * 12}_{'x' * 43}"}
    stranger = new_key("admin", name="to be forged")
    forged = {
        "Authorization": stranger["Authorization"][:-1] + ("A" if stranger["Authorization"][-1] != "A" else "B")
    }
    keys = {scope: new_key(scope) for scope in Scope}
    for method, template in requests_of(app):
        needed, case = ROUTES[method, template].scope, f"{method} {template}"
        for headers in ({}, wrong, forged, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
            answer = guarded.request(method, path_of(template), headers=headers)
            assert (answer.status_code == 401) == (needed is not None), case
            assert ("www-authenticate" in answer.headers) == (needed is not None), case
        for scope, headers in keys.items():
            answer = guarded.request(method, path_of(template), headers=headers)
            if needed is None or scope in (needed, Scope.ADMIN):
                assert answer.status_code not in (401, 403, 429), case
            else:
                assert answer.status_code == 403, case
                assert f"this takes the scope {needed}" in answer.json()["error"], case


def test_every_route_over_the_rate(configured: Configured, new_key: NewKey) -> None:
    slow = {f"rate_{access.scope}": 0.001 for access in ROUTES.values() if access.scope is not None}
    app, admin = create_app(configured(keys="required", **slow)), new_key("admin")
    with TestClient(app, raise_server_exceptions=False) as client:
        for headers in (admin, {}):
            spent: set[Scope | None] = {None} if not headers else set()
            for method, template in requests_of(app):
                scope, case = ROUTES[method, template].scope, f"{method} {template}"
                first, second = (client.request(method, path_of(template), headers=headers) for _ in range(2))
                assert (first.status_code == 429) == (scope in spent), case
                assert second.status_code == 429, case
                assert int(second.headers["retry-after"]) > 0, case
                spent.add(scope)


def test_keys_that_are_over(guarded: TestClient, new_key: NewKey, app: FastAPI, workspace: Workspace) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    expiring, ended = new_key("admin", name="short", expires_at=soon), new_key("admin", name="ended")
    database = Database(workspace.events_dir)
    KeyStore(database).revoke("ended", who="test")
    database.close()
    while datetime.now(UTC) < soon:
        pass
    for method, template in requests_of(app):
        if ROUTES[method, template].scope is not None:
            for headers, word in ((expiring, "'short' expired at"), (ended, "'ended' was revoked at")):
                answer = guarded.request(method, path_of(template), headers=headers)
                assert answer.status_code == 401
                assert word in answer.json()["error"]


def test_what_is_added_later_takes_an_admin_key(app: FastAPI, new_key: NewKey) -> None:
    @app.get("/v1/forgotten")
    def forgotten() -> str:
        return "secret"

    @app.websocket("/v1/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    app.router.routes.append(Mount("/pages", app=PlainTextResponse("secret")))
    admin, feed = new_key("admin"), new_key("feed", "events")
    with TestClient(app) as client:
        for path in ("/v1/forgotten", "/pages", "/pages/page"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers=feed).status_code == 403
            assert "secret" in client.get(path, headers=admin).text
        with client.websocket_connect("/v1/talk?who=ann", headers=admin):
            pass
        for headers in ({}, feed):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/talk", headers=headers):
                pass


def test_what_is_not_there_is_told_to_administrators_alone(guarded: TestClient, new_key: NewKey) -> None:
    assert guarded.get("/v1/nothing").status_code == 401
    assert guarded.get("/v1/nothing", headers=new_key("feed")).status_code == 403
    assert guarded.get("/v1/nothing", headers=new_key("admin")).status_code == 404


def test_metrics_may_be_open(configured: Configured) -> None:
    with TestClient(create_app(configured(keys="required", open_metrics=True))) as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/v1/jobs").status_code == 401


@pytest.mark.anyio
async def test_a_key_is_read_again_after_seconds(workspace: Workspace, new_key: NewKey) -> None:
    database = Database(workspace.events_dir)
    now = 0.0
    ring = KeyRing(KeyStore(database), clock=lambda: now)
    assert await ring.find("swk_nobody_x") is None
    sent = new_key("feed", name="app")["Authorization"].removeprefix("Bearer ")
    now = 0.5
    found = await ring.find(sent)
    assert found is not None, "a key made a moment ago"
    KeyStore(database).revoke("app", who="test")
    now = 0.5 + MAX_AGE
    found = await ring.find(sent)
    assert found is not None
    assert found.revoked_at is not None
    database.close()


@pytest.mark.anyio
async def test_guesses_do_not_wear_the_store_out(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    def read(_: KeyStore) -> list[object]:
        nonlocal reads
        reads += 1
        return []

    monkeypatch.setattr(KeyStore, "all", read)
    database = Database(workspace.events_dir)
    ring = KeyRing(KeyStore(database))
    assert await asyncio.gather(*(ring.find(f"swk_{guess}_x") for guess in range(100))) == [None] * 100
    assert reads <= 2, "once when they came, and once for a key that might be new"
    database.close()


def test_keys_that_cannot_be_read_open_nothing(
    guarded: TestClient, new_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: KeyStore) -> None:
        raise StoreError("cannot use the live event log: disk I/O error")

    headers = new_key("admin")
    monkeypatch.setattr(KeyStore, "all", fails)
    answer = guarded.get("/v1/jobs", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_administrators_leave_a_trail(guarded: TestClient, new_key: NewKey) -> None:
    admin = new_key("admin", name="ops")
    sent = {**admin, "X-Request-ID": "r-1"}
    refused = guarded.post("/v1/videos", json={"uri": "/etc/passwd"}, headers=sent)
    guarded.post("/v1/videos", json={"uri": "/etc/passwd"}, headers=new_key("feed"))
    guarded.get("/v1/jobs", headers=admin)
    newest, *others = [
        entry
        for entry in guarded.get("/v1/audit", headers=admin).json()["entries"]
        if not entry["action"].startswith("keys ")
    ]
    assert others == []
    assert newest["who"] == "ops"
    assert newest["action"] == "POST /v1/videos"
    assert (newest["target"], newest["status"], newest["request_id"]) == ("/v1/videos", refused.status_code, "r-1")


def test_the_trail_names_no_viewers(app: FastAPI, new_key: NewKey) -> None:
    @app.delete("/v1/things/{viewer_id}")
    def forget(viewer_id: str) -> None:
        return None

    admin = new_key("admin", name="ops")
    with TestClient(app) as client:
        assert client.delete("/v1/things/private", headers=admin).status_code == 200
        (entry, *_) = client.get("/v1/audit", headers=admin).json()["entries"]
    assert (entry["action"], entry["target"]) == ("DELETE /v1/things/{viewer_id}", "/v1/things/{viewer_id}")


def test_an_export_leaves_a_trail_though_it_only_reads(guarded: TestClient, new_key: NewKey) -> None:
    admin = new_key("admin", name="ops")
    guarded.get("/v1/viewers/private/export", headers=admin)
    (entry, *_) = guarded.get("/v1/audit", headers=admin).json()["entries"]
    assert (entry["action"], entry["status"]) == ("GET /v1/viewers/{viewer_id}/export", 404)
    assert "private" not in json.dumps(entry)


def test_what_cannot_be_audited_is_not_done(
    guarded: TestClient, new_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StoreError("cannot use the live event log: database or disk is full")

    admin = new_key("admin")
    monkeypatch.setattr(AuditLog, "begin", fails)
    assert guarded.put("/v1/videos/x/content", content=b"clip", headers=admin).status_code == 503
    assert guarded.get("/v1/jobs", headers=admin).json()["jobs"] == []


def local(app: FastAPI) -> TestClient:
    """A client of a server that listens on this machine alone."""
    return TestClient(app, base_url="http://127.0.0.1:8000")


def test_without_keys_pages_of_elsewhere_may_not_act(configured: Configured) -> None:
    event = {"viewer_id": "ann", "video_id": "a", "action": "like"}
    with local(create_app(configured(origins=("https://app.example",)))) as client:
        for origin, status in (
            ("https://evil.example", 403),
            ("null", 403),
            ("https://app.example", 200),
            ("http://127.0.0.1:8000", 200),
        ):
            answer = client.post("/v1/events", json=event, headers={"Origin": origin})
            assert answer.status_code == status, origin


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("[::1]:8000", 200),
        ("app.example", 200),
        ("evil.example:8000", 403),
        ("localhost.evil.example", 403),
    ],
)
def test_without_keys_a_name_that_was_pointed_here_gets_nothing(
    configured: Configured, host: str, status: int
) -> None:
    with local(create_app(configured(origins=("https://app.example",)))) as client:
        assert client.get("/v1/feed?viewer_id=ann", headers={"Host": host}).status_code == status


def test_pages_are_shut_out_by_default_and_named_ones_let_in(configured: Configured) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    with TestClient(create_app(configured(keys="required"))) as client:
        closed = client.options("/v1/feed", headers=asked)
        assert closed.status_code == 401
        assert "access-control-allow-origin" not in closed.headers
    with TestClient(create_app(configured(keys="required", origins=("https://app.example",)))) as client:
        opened = client.options("/v1/feed", headers=asked | {"Access-Control-Request-Headers": "authorization"})
        assert (opened.status_code, opened.headers["access-control-allow-origin"]) == (200, "https://app.example")
        other = client.options("/v1/feed", headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_the_description_names_the_scopes(guarded: TestClient) -> None:
    description = guarded.get("/openapi.json").json()
    assert description["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    paths = description["paths"]
    assert paths["/v1/feed"]["get"]["security"] == [{"key": ["feed"]}]
    assert paths["/v1/videos/{video_id}/thumbnail"]["get"]["security"] == [{"key": ["feed"]}]
    assert "security" not in paths["/healthz"]["get"]
    assert "429" in paths["/v1/events"]["post"]["responses"]
