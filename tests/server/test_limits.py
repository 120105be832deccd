"""How much one client may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Body
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from swipewise.config import ServerConfig
from swipewise.events.keys import Scope
from swipewise.server import create_app
from swipewise.server.exchange import HttpScope, Message, Receive, Send
from swipewise.server.intake import MAX_BYTES
from swipewise.server.limits import SLOWEST, BodyLimits, RateLimits
from swipewise.workspace import Workspace

Configured = Callable[..., Workspace]


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    now = 0.0
    limits = RateLimits(ServerConfig(rate_feed=2.0, rate_burst_seconds=2.0), clock=lambda: now)
    assert [limits.wait("ann", Scope.FEED) for _ in range(4)] == [0.0] * 4
    assert limits.wait("ann", Scope.FEED) == pytest.approx(0.5)
    now = 0.5
    assert limits.wait("ann", Scope.FEED) == 0.0
    assert limits.wait("ann", Scope.FEED) == pytest.approx(0.5)
    now = 100.0
    assert [limits.wait("ann", Scope.FEED) == 0.0 for _ in range(5)] == [True] * 4 + [False]


def test_a_refused_request_costs_nothing() -> None:
    limits = RateLimits(ServerConfig(rate_feed=1.0, rate_burst_seconds=1.0), clock=lambda: 0.0)
    assert limits.wait("ann", Scope.FEED) == 0.0
    assert {limits.wait("ann", Scope.FEED) for _ in range(100)} == {1.0}


def test_clients_and_scopes_have_buckets_of_their_own() -> None:
    limits = RateLimits(
        ServerConfig(rate_feed=1.0, rate_events=1.0, rate_admin=0.1, rate_burst_seconds=1.0), clock=lambda: 0.0
    )
    for client, scope in (("ann", Scope.FEED), ("bob", Scope.FEED), ("ann", Scope.EVENTS), ("ann", Scope.ADMIN)):
        assert limits.wait(client, scope) == 0.0
        assert limits.wait(client, scope) > 0


def test_no_limit() -> None:
    limits = RateLimits(ServerConfig(rate_feed=0.0), clock=lambda: 0.0)
    assert {limits.wait("ann", Scope.FEED) for _ in range(10_000)} == {0.0}


def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.server.limits._MOST_CLIENTS", 10)
    now = 0.0
    limits = RateLimits(ServerConfig(rate_feed=1.0, rate_burst_seconds=1.0), clock=lambda: now)
    for client in range(10):
        limits.wait(str(client), Scope.FEED)
    now = 5.0
    limits.wait("busy", Scope.FEED)
    for client in range(100, 105):
        limits.wait(str(client), Scope.FEED)
    assert len(limits._full_at) <= 10
    assert limits.wait("busy", Scope.FEED) > 0, "those that wait are remembered"


def test_over_the_rate_is_429(configured: Configured, new_key: Callable[..., dict[str, str]]) -> None:
    app = create_app(configured(keys="required", rate_feed=0.01, rate_burst_seconds=0.1))
    ann, bob = new_key("feed", "events", name="ann"), new_key("feed", name="bob")
    with TestClient(app) as client:
        assert client.get("/v1/feed?viewer_id=x", headers=ann).status_code == 200
        refused = client.get("/v1/feed?viewer_id=x", headers=ann)
        assert refused.status_code == 429
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert "too many requests" in refused.json()["error"]
        assert client.get("/v1/feed?viewer_id=x", headers=bob).status_code == 200, "another key"
        assert client.post("/v1/events", json=[], headers=ann).status_code == 200, "another scope"


def test_guessing_is_429_too(configured: Configured) -> None:
    app = create_app(configured(keys="required", rate_feed=0.01, rate_burst_seconds=0.1))
    with TestClient(app) as client:
        answers = [client.get("/v1/feed?viewer_id=x").status_code for _ in range(2)]
    assert answers == [401, 429]


def test_without_keys_an_address_has_the_rate(configured: Configured) -> None:
    app = create_app(configured(rate_feed=0.01, rate_burst_seconds=0.1))
    other = TestClient(app, client=("192.0.2.7", 1))
    with TestClient(app) as client:
        assert [client.get("/v1/feed?viewer_id=x").status_code for _ in range(2)] == [200, 429]
        assert other.get("/v1/feed?viewer_id=x").status_code == 200


def test_a_body_is_bounded_whichever_route_reads_it(workspace: Workspace) -> None:
    app = create_app(workspace)

    @app.post("/v1/added/later")
    def later(value: Annotated[dict[str, Any], Body()]) -> int:
        return len(value)

    with TestClient(app) as client:
        assert client.post("/v1/added/later", json={"a": 1}).json() == 1
        for path in ("/v1/added/later", "/v1/events", "/v1/videos"):
            headers = {"content-type": "application/json"}
            answer = client.post(path, content=b'{"a": "' + b"x" * MAX_BYTES + b'"}', headers=headers)
            assert answer.status_code == 413, path
            assert f"the body is larger than {MAX_BYTES} bytes" in answer.json()["error"]


async def _read_all(_scope: HttpScope, receive: Receive, _send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


@pytest.mark.anyio
async def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    async def silent() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    with pytest.raises(HTTPException, match="only 0 bytes of the body came") as raised:
        await BodyLimits(_read_all, 0.01)({"type": "http"}, silent, _nowhere, max_bytes=100)
    assert raised.value.status_code == 408


@pytest.mark.anyio
async def test_a_body_that_drips_is_given_up() -> None:
    async def drips() -> Message:
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(HTTPException, match="bytes of the body came in") as raised:
        await BodyLimits(_read_all, 0.05)({"type": "http"}, drips, _nowhere, max_bytes=1e9)
    assert raised.value.status_code == 408


@pytest.mark.anyio
async def test_a_long_body_has_the_time_it_takes() -> None:
    chunks = 5

    async def steady() -> Message:
        nonlocal chunks
        chunks -= 1
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x" * SLOWEST, "more_body": chunks > 0}

    await BodyLimits(_read_all, 0.05)({"type": "http"}, steady, _nowhere, max_bytes=1e9)
    assert chunks == 0


@pytest.mark.anyio
async def test_after_the_body_a_client_may_be_silent() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def then_silent() -> Message:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def waits(_scope: HttpScope, receive: Receive, _send: Send) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    await BodyLimits(waits, 0.01)({"type": "http"}, then_silent, _nowhere, max_bytes=100)


async def _nowhere(_message: Message) -> None:
    return None
