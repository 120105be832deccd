"""Tells systemd how the service is, where it asked to be told (``Type=notify``)."""

from __future__ import annotations

import logging
import os
import socket

_logger = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send a line such as ``READY=1``; without systemd nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.connect(address)
            connection.sendall(state.encode())
    except OSError as error:
        _logger.warning("cannot tell systemd %s: %s", state, error)
