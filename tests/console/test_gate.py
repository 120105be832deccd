"""The door: who passes, from which page, and for how long a channel stays open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from swipewise.console.gate import COOKIE, Gate
from swipewise.console.sessions import Sessions
from swipewise.console.signing import signing_routes
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope

HTML = {"accept": "text/html"}
HOST = "http://testserver"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def key(records: Database) -> str:
    return KeyStore(records).create([Scope.ADMIN], who="test", name="ops")[1]


def made(records: Database, *, asks: bool = True, origins: tuple[str, ...] = ()) -> TestClient:
    """Pages behind a gate, mounted as the console is."""
    sessions = Sessions(KeyStore(records), 12.0) if asks else None
    pages, server = FastAPI(), FastAPI()
    pages.include_router(signing_routes(sessions, AuditLog(records)))

    @pages.get("/page")
    def page() -> str:
        return "the page"

    @pages.post("/change")
    def change() -> str:
        return "changed"

    @pages.get("/_nicegui/3/dynamic_resources/x")
    @pages.get("/_nicegui/3/static/x.js")
    def script() -> str:
        return "script"

    @pages.websocket("/channel")
    async def channel(websocket: WebSocket) -> None:
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text(await websocket.receive_text())

    pages.add_middleware(Gate, sessions=sessions, origins=origins)
    server.mount("/console", pages)
    return TestClient(server, follow_redirects=False)


@pytest.fixture
def client(records: Database) -> TestClient:
    return made(records)


def sign_in(client: TestClient, key: str, **fields: str) -> None:
    answer = client.post("/console/sign-in", data={"key": key, **fields})
    assert answer.status_code == 303, answer.text


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(client: TestClient, key: str) -> None:
    answer = client.get("/console/page?a=1&b=2", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?next=%2Fpage%3Fa%3D1%26b%3D2"
    form = client.get(answer.headers["location"], headers=HTML)
    assert 'name="next" value="/page?a=1&amp;b=2"' in form.text
    back = client.post("/console/sign-in", data={"key": key, "next": "/page?a=1&b=2"})
    assert back.headers["location"] == "/console/page?a=1&b=2"
    assert client.get("/console/page").text == '"the page"'


def test_what_is_no_page_is_refused_without_a_session(client: TestClient) -> None:
    assert client.get("/console/page").status_code == 401
    assert client.post("/console/change").status_code == 401
    assert client.get("/console/_nicegui/3/dynamic_resources/x").status_code == 401
    assert client.get("/console/_nicegui/3/static/x.js").status_code == 200
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/console/channel"):
        pass


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "page"])
def test_nobody_is_led_elsewhere_after_signing_in(client: TestClient, key: str, elsewhere: str) -> None:
    answer = client.post("/console/sign-in", data={"key": key, "next": elsewhere})
    assert answer.headers["location"] == "/console/"


def test_the_cookie_is_kept_from_scripts_and_from_the_api(client: TestClient, key: str) -> None:
    cookie = client.post("/console/sign-in", data={"key": key}).headers["set-cookie"].lower()
    for part in (COOKIE, "httponly", "samesite=lax", "path=/console", "expires="):
        assert part in cookie
    assert key.lower() not in cookie


def test_a_wrong_key_is_told(client: TestClient) -> None:
    answer = client.post("/console/sign-in", data={"key": "hunter2<b>"})
    assert answer.status_code == 401
    assert "this key is not known here" in answer.text
    assert "set-cookie" not in answer.headers


def test_signing_out(client: TestClient, key: str) -> None:
    sign_in(client, key)
    token = client.cookies[COOKIE]
    assert client.post("/console/sign-out").headers["location"] == "/console/sign-in"
    client.cookies.set(COOKIE, token, domain="testserver.local", path="/console")
    assert client.get("/console/page").status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": HOST}, 200),
        ({"origin": "https://shop.example"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": HOST}, 403),
    ],
)
def test_only_own_pages_may_change_something(
    records: Database, key: str, headers: dict[str, str], status: int
) -> None:
    client = made(records, origins=("https://shop.example",))
    sign_in(client, key)
    assert client.post("/console/change", headers=headers).status_code == status
    # Looking is harmless: what is answered, pages of elsewhere cannot read.
    assert client.get("/console/page", headers=headers).status_code == 200


@pytest.mark.parametrize("asks", [True, False])
def test_pages_of_elsewhere_open_no_channel(records: Database, key: str, asks: bool) -> None:
    client = made(records, asks=asks)
    if asks:
        sign_in(client, key)
    with client.websocket_connect("/console/channel", headers={"origin": HOST}) as channel:
        channel.send_text("hello")
        assert channel.receive_text() == "hello"
    evil = {"origin": "https://evil.example"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/console/channel", headers=evil):
        pass


def test_an_open_channel_ends_with_its_session(
    client: TestClient, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, key)
    with client.websocket_connect("/console/channel") as channel:
        channel.send_text("before")
        assert channel.receive_text() == "before"
        monkeypatch.setattr(Sessions, "lasts", lambda *_: False)
        channel.send_text("after")
        with pytest.raises(WebSocketDisconnect):
            channel.receive_text()


def test_without_keys_everybody_here_is_let_in(records: Database) -> None:
    client = made(records, asks=False)
    assert client.get("/console/page").status_code == 200
    assert client.get("/console/sign-in").headers["location"] == "/console/"


def test_every_answer_forbids_what_lies_elsewhere(client: TestClient) -> None:
    policy = client.get("/console/sign-in").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_signing_in_is_in_the_audit(client: TestClient, records: Database, key: str) -> None:
    sign_in(client, key)
    entry = AuditLog(records).newest(1)[0]
    assert (entry.who, entry.action, entry.target, entry.status) == ("ops", "console sign in", "admin", 200)
