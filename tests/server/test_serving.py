"""The process that serves: slow heads, too many connections, the way it stops, and TLS, over real sockets."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from swipewise.config import ServerConfig
from swipewise.server import Server
from swipewise.server.serving import LONGEST_HEAD

PATIENCE = 20


@pytest.fixture(autouse=True)
def no_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here share a process with the tests, whose logging they must leave alone."""
    monkeypatch.setattr("swipewise.server.serving.log_config", lambda *_: None)


def an_app() -> FastAPI:
    app = FastAPI()
    app.state.readiness = SimpleNamespace(stopping=False)
    app.state.entered, app.state.leave = threading.Event(), threading.Event()

    @app.get("/")
    def root() -> str:
        return "here"

    @app.get("/slow")
    def slow() -> str:
        app.state.entered.set()
        assert app.state.leave.wait(PATIENCE)
        return "done"

    return app


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[tuple[Server, int]]:
    """A server in a thread, and its port."""
    config = {name: options.pop(name) for name in list(options) if name in ServerConfig.__dataclass_fields__}
    tls = {name: config.pop(name) for name in ("tls_cert", "tls_key") if name in config}
    server = Server(app, ServerConfig(**config), **tls)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield server, port
        finally:
            app.state.leave.set()
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:"])
def test_a_head_that_does_not_come_is_given_up(begun: bytes) -> None:
    with (
        serving(an_app(), header_seconds=0.1) as (_, port),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(begun)
        assert is_closed(connection)


def test_a_head_that_drips_is_given_up_also_after_an_answer() -> None:
    with (
        serving(an_app(), header_seconds=0.2) as (_, port),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(PATIENCE)
        received = b""
        while b'"here"' not in received:
            received += connection.recv(4096)
        until(lambda: not takes(connection, b"G"))


def takes(connection: socket.socket, drop: bytes) -> bool:
    try:
        connection.sendall(drop)
    except OSError:
        return False
    return True


def test_an_answer_may_take_longer_than_a_head() -> None:
    app = an_app()
    with serving(app, header_seconds=0.1) as (_, port):
        threading.Timer(0.3, app.state.leave.set).start()
        assert httpx.get(f"http://127.0.0.1:{port}/slow", timeout=PATIENCE).json() == "done"


def test_a_head_that_is_too_long() -> None:
    with serving(an_app()) as (_, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * LONGEST_HEAD)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_too_many_connections() -> None:
    app = an_app()
    with serving(app, connections=1) as (_, port):
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        with socket.create_connection(("127.0.0.1", port)):
            until(lambda: httpx.get(f"http://127.0.0.1:{port}/").status_code == 503)


def test_what_is_under_way_ends_before_the_server_does() -> None:
    app = an_app()
    with serving(app) as (server, port):
        answers: list[httpx.Response] = []
        asker = threading.Thread(
            target=lambda: answers.append(httpx.get(f"http://127.0.0.1:{port}/slow", timeout=PATIENCE))
        )
        asker.start()
        assert app.state.entered.wait(PATIENCE)
        server.should_exit = True
        until(lambda: not accepts(port))
        assert answers == []
        app.state.leave.set()
        asker.join(PATIENCE)
    assert [answer.json() for answer in answers] == ["done"]


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_the_first_signal_tells_and_waits_the_second_does_not() -> None:
    app = an_app()
    with serving(app, drain_seconds=600) as (server, port):
        server.handle_exit(signal.SIGTERM, None)
        assert app.state.readiness.stopping
        assert not server.should_exit
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        server.handle_exit(signal.SIGTERM, None)
        until(lambda: not accepts(port))
        # The process would end by the signal once it is done.
        server._captured_signals.clear()


def test_the_pause_ends_by_itself() -> None:
    app = an_app()
    with serving(app, drain_seconds=0.1) as (server, port):
        server.handle_exit(signal.SIGTERM, None)
        until(lambda: not accepts(port))
        assert server.should_exit


def test_one_that_retires_has_its_clients_go_elsewhere_before_it_closes_a_connection() -> None:
    app = an_app()
    with (
        serving(app) as (server, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        assert "connection" not in client.get("/").headers
        answers: list[httpx.Response] = []
        asker = threading.Thread(target=lambda: answers.append(httpx.get(f"http://127.0.0.1:{port}/slow")))
        asker.start()
        assert app.state.entered.wait(PATIENCE)
        server.retire()
        until(lambda: not accepts(port))
        # The one that is open is answered still, also where its request was sent meanwhile.
        answer = client.get("/")
        assert (answer.json(), answer.headers["connection"]) == ("here", "close")
        app.state.leave.set()
        asker.join(PATIENCE)
    assert [(each.json(), each.headers["connection"]) for each in answers] == [("done", "close")]


def test_tls(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
    )
    with serving(an_app(), tls_cert=str(cert), tls_key=str(key)) as (_, port):
        trusting = ssl.create_default_context(cafile=str(cert))
        assert httpx.get(f"https://127.0.0.1:{port}/", verify=trusting).json() == "here"
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            assert connection.version() == "TLSv1.3"
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        trusting.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://127.0.0.1:{port}/", verify=trusting)
