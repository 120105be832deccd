"""How ``swipewise serve`` listens; tests/server/test_crash.py runs it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import click
import pytest

from swipewise.cli.serve import _address, _check_reach, _check_tls, _greeting, _listen
from swipewise.workspace import Workspace


def test_small_answers_are_sent_at_once() -> None:
    with _listen("127.0.0.1", 0) as listener:
        # asyncio turns Nagle's algorithm off only for sockets that name their protocol.
        assert listener.proto == socket.IPPROTO_TCP
        assert _address(listener, "http") == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_that_is_not_here() -> None:
    with pytest.raises(click.ClickException, match=r"cannot listen on 192\.0\.2\.1 port 80: .*--host and --port"):
        _listen("192.0.2.1", 80)


def test_a_taken_port() -> None:
    with _listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(click.ClickException, match=f"port {port}: Address already in use"):
            _listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_are_not_let_in_without_keys(host: str) -> None:
    with _listen(host, 0) as listener:
        with pytest.raises(
            click.ClickException, match=r"other machines reach .*keys = \"required\".*127\.0\.0\.1"
        ):
            _check_reach(listener, "off")
        _check_reach(listener, "required")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_this_machine_keys_may_be_off(host: str) -> None:
    with _listen(host, 0) as listener:
        _check_reach(listener, "off")


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    missing, broken = str(tmp_path / "none.pem"), tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(click.ClickException, match=r"none\.pem: No such file or directory: give PEM files"):
        _check_tls(missing, "")
    with pytest.raises(
        click.ClickException, match=r"cannot use certificate .*broken\.pem with the key .*none\.pem"
    ):
        _check_tls(str(broken), missing)
    with pytest.raises(click.ClickException, match=r"give --tls-cert too"):
        _check_tls("", str(broken))
    _check_tls("", "")


def test_the_way_in_is_shown(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "shop")
    required = replace(made, config=replace(made.config, server=replace(made.config.server, keys="required")))
    assert "Authorization: Bearer" in _greeting("http://x", required, "none")
    assert "Authorization" not in _greeting("http://x", made, "none")
