"""How ``swipewise serve`` listens; tests/server/test_crash.py runs it."""

from __future__ import annotations

import socket

import click
import pytest

from swipewise.cli.serve import _address, _listen


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
