"""The socket that the server listens on: had before anything is loaded, and only where that is safe."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import Final

from swipewise.errors import ConfigError

BACKLOG: Final = 1024
"""Connections that wait to be accepted; clients wait there while a server starts instead of being refused."""


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen.

    Raises:
        ConfigError: The address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # Only for a socket that names its protocol does asyncio send small answers at once, not 40 ms later.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}: choose others with --host and --port"
        ) from error
    return listener


def address_of(listener: socket.socket, scheme: str) -> str:
    """The address to ask at."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def check_reach(listener: socket.socket, keys: str) -> None:
    """See that nobody elsewhere can do everything.

    Raises:
        ConfigError: Others reach the address, and no keys are asked for.
    """
    address = listener.getsockname()[0]
    if keys == "off" and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise ConfigError(
            f'other machines reach {address}, and without keys they could do everything: set keys = "required" under '
            "[server] in swipewise.toml and make keys with 'swipewise keys create', or listen on 127.0.0.1"
        )


def check_tls(cert: str, key: str) -> None:
    """See that the files go together.

    Raises:
        ConfigError: They do not, or cannot be read.
    """
    if key and not cert:
        raise ConfigError("--tls-key is of no use without a certificate: give --tls-cert too")
    if not cert:
        return
    try:
        # The empty password keeps a protected key from asking for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key or None, password="")
    except OSError as error:
        named = f"certificate {cert}" + (f" with the key {key}" if key else "")
        raise ConfigError(
            f"cannot use {named}: {error.strerror or error}: give PEM files that go together, the key without a "
            "password"
        ) from error
