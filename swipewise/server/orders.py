"""What a supervisor and its workers say to each other."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Self

import msgspec

from swipewise.server.siblings import Place


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told on its command line.

    Attributes:
        workspace: Its folder.
        tls_cert, tls_key: PEM files, or empty.
        listener: The number of the socket that clients come in by, which it inherits.
        channel: The number of that which connects it to the supervisor.
        place: Among the workers.
    """

    workspace: Path
    tls_cert: str
    tls_key: str
    listener: int
    channel: int
    place: Place

    def as_argument(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def of(cls, argument: str) -> Self:
        """What ``as_argument`` gave."""
        return msgspec.json.decode(argument, type=cls, dec_hook=lambda kind, value: kind(value))


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line from a worker to its supervisor; without a word in it a sign of life.

    Attributes:
        ready: Whether it serves from now on.
        model: What it ranks with, or why it does without a model.
        notes: What the operator should know of the model.
        error: Why it cannot serve.
    """

    ready: bool = False
    model: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""


class Channel:
    """The worker's end of what connects it to its supervisor.

    Args:
        connection: A stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)

    def say(self, said: Said) -> None:
        """Send a line; one that does not get through is not missed."""
        try:
            self._connection.send(msgspec.json.encode(said) + b"\n")
        except OSError:
            return

    @property
    def closed(self) -> bool:
        """Whether the supervisor has closed its end, or has died."""
        try:
            return self._connection.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
