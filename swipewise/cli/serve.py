"""``swipewise serve``."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import workspace_option

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise serve
  swipewise serve --port 9000 --workspace shop
  swipewise serve --port 0            any free port; the address is printed
"""


@click.command(epilog=_EXAMPLES)
@click.option("--host", help="Address to listen on.  [default: server.host of the workspace]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on, 0 for any that is free.  [default: server.port of the workspace]",
)
@workspace_option
def command(host: str | None, port: int | None, workspace: Workspace) -> None:
    """Offer the feed, and take events and videos, over HTTP, until stopped with Ctrl+C or SIGTERM.

    An event or a posted video is on disk before it is acknowledged. New videos and a new run are picked up while the
    server runs. There are no keys: whoever reaches the address may post.
    """
    # A second thread that waits for a busy core makes search and model slower; set before they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import uvicorn

    from swipewise.server import create_app

    config = workspace.config.server
    # Listening first: a taken port is told before the model is loaded, and clients wait instead of being refused.
    listener = _listen(config.host if host is None else host, config.port if port is None else port)
    with listener:
        app = create_app(workspace, warm=True)
        click.echo(_greeting(_address(listener), workspace, app.state.engine.note or app.state.engine.run))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=10))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            # Raised by uvicorn once everything in flight was answered.
            click.echo("stopped")


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


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greeting(address: str, workspace: Workspace, model: str) -> str:
    event = '{"event_id": "e1", "viewer_id": "ann", "video_id": "VIDEO", "action": "like"}'
    return "\n".join(
        [
            f"serving {workspace.root} at {address} (API: {address}/docs)",
            f"model: {model}",
            "try:",
            f"  curl '{address}/v1/feed?viewer_id=ann&limit=5'",
            f"  curl '{address}/v1/events' -H 'Content-Type: application/json' -d '{event}'",
            "stop with Ctrl+C",
        ]
    )
