"""``swipewise serve``."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import workspace_option

if TYPE_CHECKING:
    from fastapi import FastAPI

    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise serve
  swipewise serve --port 9000 --workspace shop
  swipewise serve --port 0            any free port; the address is printed
  swipewise serve --host 0.0.0.0 --tls-cert server.pem --tls-key server.key
"""

_pem = click.Path(dir_okay=False)


@click.command(epilog=_EXAMPLES)
@click.option("--host", help="Address to listen on.  [default: server.host of the workspace]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on, 0 for any that is free.  [default: server.port of the workspace]",
)
@click.option("--tls-cert", type=_pem, help="PEM file with the certificate.  [default: server.tls_cert]")
@click.option("--tls-key", type=_pem, help="PEM file with its private key.  [default: server.tls_key]")
@workspace_option
def command(
    host: str | None, port: int | None, tls_cert: str | None, tls_key: str | None, workspace: Workspace
) -> None:
    """Offer the feed, and take events and videos, over HTTP, until stopped with Ctrl+C or SIGTERM.

    An event or a posted video is on disk before it is acknowledged. New videos and a new run are picked up while the
    server runs. An address that other machines reach needs server.keys = "required" in swipewise.toml, and keys from
    'swipewise keys create'. The log goes to stderr, one JSON object a line.
    """
    # A second thread that waits for a busy core makes search and model slower; set before they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from swipewise.server import Server, create_app
    from swipewise.training.workspace_data import other_encoders

    config = workspace.config.server
    tls_key = (config.tls_key if tls_cert is None else "") if tls_key is None else tls_key
    tls_cert = config.tls_cert if tls_cert is None else tls_cert
    _check_tls(tls_cert, tls_key)
    # Listening first: a taken port is told before the model is loaded, and clients wait instead of being refused.
    listener = _listen(config.host if host is None else host, config.port if port is None else port)
    with listener:
        _check_reach(listener, config.keys)
        app = create_app(workspace, warm=True)
        _add_console(app)
        address = _address(listener, "https" if tls_cert else "http")
        click.echo(_greeting(address, workspace, app.state.engine.note or app.state.engine.run))
        for note in other_encoders(app.state.engine.encoders, workspace):
            click.echo(f"note: {note}", err=True)
        try:
            Server(app, config, tls_cert=tls_cert, tls_key=tls_key).run(sockets=[listener])
        except KeyboardInterrupt:
            # Raised by uvicorn once everything in flight was answered.
            click.echo("stopped")


def _add_console(app: FastAPI) -> None:
    """Put the pages beside the API where what they are made with is installed."""
    from swipewise.console import mount_console
    from swipewise.errors import MissingExtraError

    try:
        mount_console(app, app.state.engine, app.state.records, app.state.metrics.text)
    except MissingExtraError as error:
        click.echo(f"note: no pages are served: {error}", err=True)


def _check_tls(cert: str, key: str) -> None:
    """See that the files go together.

    Raises:
        click.ClickException: They do not, or cannot be read.
    """
    if key and not cert:
        raise click.ClickException("--tls-key is of no use without a certificate: give --tls-cert too")
    if not cert:
        return
    try:
        # The empty password keeps a protected key from asking for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key or None, password="")
    except OSError as error:
        named = f"certificate {cert}" + (f" with the key {key}" if key else "")
        raise click.ClickException(
            f"cannot use {named}: {error.strerror or error}: give PEM files that go together, the key without a "
            "password"
        ) from error


def _check_reach(listener: socket.socket, keys: str) -> None:
    """See that nobody elsewhere can do everything.

    Raises:
        click.ClickException: Others reach the address, and no keys are asked for.
    """
    address = listener.getsockname()[0]
    if keys == "off" and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise click.ClickException(
            f'other machines reach {address}, and without keys they could do everything: set keys = "required" under '
            "[server] in swipewise.toml and make keys with 'swipewise keys create', or listen on 127.0.0.1"
        )


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen.

    Raises:
        click.ClickException: The address cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # Only for a socket that names its protocol does asyncio send small answers at once, not 40 ms later.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host} port {port}: {error.strerror}: choose others with --host and --port"
        ) from error
    return listener


def _address(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _greeting(address: str, workspace: Workspace, model: str) -> str:
    event = '{"event_id": "e1", "viewer_id": "ann", "video_id": "VIDEO", "action": "like"}'
    required = workspace.config.server.keys == "required"
    key = ' -H "Authorization: Bearer $KEY"' if required else ""
    return "\n".join(
        [
            f"serving {workspace.root} at {address} (console: {address}/, API: {address}/docs)",
            f"model: {model}",
            "keys: required, from 'swipewise keys create'"
            if required
            else "keys: off, this machine alone reaches it",
            "try:",
            f"  curl '{address}/v1/feed?viewer_id=ann&limit=5'{key}",
            f"  curl '{address}/v1/events'{key} -H 'Content-Type: application/json' -d '{event}'",
            "stop with Ctrl+C",
        ]
    )
