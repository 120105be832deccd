"""The processes that serve one workspace from one socket: what they ask of one another.

Each listens on a UNIX socket in a folder that only its owner may enter. One request a connection, one line; the answer
is whatever the asked one makes of it, up to the end of the connection.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".sock"
_LONGEST_REQUEST: Final = 64
_REQUEST_SECONDS: Final = 5.0
_LOOK_AROUND_SECONDS: Final = 0.5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process stands among those that serve; the default is one that serves alone.

    Attributes:
        number: Which of them it is, from 0.
        count: How many there are.
        generation: Grows whenever a place is filled again.
        restarts: How often its place was filled again because the process before it had died.
        folder: Where they meet; None: nowhere, as there is only one.
    """

    number: int = 0
    count: int = 1
    generation: int = 0
    restarts: int = 0
    folder: Path | None = None

    @property
    def address(self) -> Path | None:
        """Of the socket it listens on."""
        return None if self.folder is None else self.folder / f"{self.number}-{self.generation}{_SUFFIX}"


ALONE: Final = Place()
"""Of a process that serves alone."""


class Siblings:
    """The other processes, and this one as they see it.

    Args:
        place: Of this one.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._address = place.address
        self._handlers: Mapping[str, Callable[[], bytes]] = {}
        self._closed = threading.Event()
        self._listener: socket.socket | None = None

    def listen(self, handlers: Mapping[str, Callable[[], bytes]]) -> None:
        """Begin to answer the others, each request in a thread of its own.

        Args:
            handlers: What makes the answer to each request.
        """
        if self._address is None:
            return
        self._handlers = handlers
        # The last worker to end takes the folder along, so that it does not outlive a supervisor that was killed.
        self._address.parent.mkdir(mode=0o700, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._address))
        self._listener.listen(16)
        self._listener.settimeout(_LOOK_AROUND_SECONDS)
        threading.Thread(
            target=self._serve, args=(self._listener,), name="swipewise-siblings", daemon=True
        ).start()

    def close(self) -> None:
        """Answer no more."""
        self._closed.set()
        if self._listener is not None and self._address is not None:
            self._address.unlink(missing_ok=True)
            self._listener.close()
            with suppress(OSError):
                self._address.parent.rmdir()

    def ask(self, request: str, seconds: float) -> dict[int, bytes]:
        """Ask all others at once.

        Args:
            request: One of the handlers' names.
            seconds: For how long to wait for all of them.

        Returns:
            Answers by the number of who gave them; who did not answer in time is not in it. Of two in one place the
            newer counts.
        """
        others = self._others()
        if not others:
            return {}
        with ThreadPoolExecutor(len(others)) as threads:
            answers = list(threads.map(lambda other: _asked(other, request, seconds), others))
        found: dict[int, bytes] = {}
        for other, answer in zip(others, answers, strict=True):
            if answer is not None:
                found[_rank(other)[0]] = answer
        return found

    def _others(self) -> list[Path]:
        """The others' addresses, those of one place in the order in which they came."""
        if self._place.folder is None:
            return []
        return sorted(
            (path for path in self._place.folder.glob(f"*{_SUFFIX}") if path != self._address), key=_rank
        )

    def _serve(self, listener: socket.socket) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_REQUEST_SECONDS)
            request = connection.recv(_LONGEST_REQUEST).decode(errors="replace").strip()
            handler = self._handlers.get(request)
            try:
                answer = handler() if handler else b""
            except Exception:
                _logger.exception("cannot do what another worker asked for: %s", request)
                return
            connection.sendall(answer)


def _asked(other: Path, request: str, seconds: float) -> bytes | None:
    """The answer of one; None where there is none in time."""
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(other))
            connection.sendall(f"{request}\n".encode())
            while block := connection.recv(65536):
                answer += block
    except TimeoutError:
        _logger.warning("worker %d has not answered within %g seconds: %s", _rank(other)[0], seconds, request)
        return None
    except OSError:
        return None  # it has just ended
    return bytes(answer)


def _rank(address: Path) -> tuple[int, int]:
    number, _, generation = address.stem.partition("-")
    return int(number), int(generation)
