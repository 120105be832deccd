"""How ``swipewise serve`` listens; tests/server/test_crash.py runs it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from swipewise.cli.serve import _greeting
from swipewise.errors import ConfigError
from swipewise.server.listening import address_of, check_reach, check_tls, listen
from swipewise.workspace import Workspace


def test_small_answers_are_sent_at_once() -> None:
    with listen("127.0.0.1", 0) as listener:
        # asyncio turns Nagle's algorithm off only for sockets that name their protocol.
        assert listener.proto == socket.IPPROTO_TCP
        assert address_of(listener, "http") == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_that_is_not_here() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1 port 80: .*--host and --port"):
        listen("192.0.2.1", 80)


def test_a_taken_port() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: Address already in use"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_are_not_let_in_without_keys(host: str) -> None:
    with listen(host, 0) as listener:
        with pytest.raises(ConfigError, match=r"other machines reach .*keys = \"required\".*127\.0\.0\.1"):
            check_reach(listener, "off")
        check_reach(listener, "required")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_this_machine_keys_may_be_off(host: str) -> None:
    with listen(host, 0) as listener:
        check_reach(listener, "off")


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    missing, broken = str(tmp_path / "none.pem"), tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"none\.pem: No such file or directory: give PEM files"):
        check_tls(missing, "")
    with pytest.raises(ConfigError, match=r"cannot use certificate .*broken\.pem with the key .*none\.pem"):
        check_tls(str(broken), missing)
    with pytest.raises(ConfigError, match=r"give --tls-cert too"):
        check_tls("", str(broken))
    check_tls("", "")


def test_the_way_in_is_shown(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "shop")
    required = replace(made, config=replace(made.config, server=replace(made.config.server, keys="required")))
    assert "Authorization: Bearer" in _greeting("http://x", required, "none")
    assert "Authorization" not in _greeting("http://x", made, "none")
