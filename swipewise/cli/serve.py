"""``swipewise serve``."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import workspace_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastapi import FastAPI

    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise serve
  swipewise serve --port 9000 --workspace shop
  swipewise serve --port 0            any free port; the address is printed
  swipewise serve --workers 4         four processes; 'kill -HUP' replaces them without a refused request
  swipewise serve --workers 1 --port 8001    beside them, for the console
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
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Processes that answer, of which one that dies is started again.  [default: server.workers]",
)
@workspace_option
def command(
    host: str | None,
    port: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    workers: int | None,
    workspace: Workspace,
) -> None:
    """Offer the feed, and take events and videos, over HTTP, until stopped with Ctrl+C or SIGTERM.

    An event or a posted video is on disk before it is acknowledged. New videos and a new run are picked up while the
    server runs. Pages are served where there is one worker; beside several, run another server for them. An address
    that other machines reach needs server.keys = "required" in swipewise.toml, and keys from 'swipewise keys create'.
    The log goes to stderr, one JSON object a line.
    """
    # A second thread that waits for a busy core makes search and model slower; set before they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from swipewise.server.listening import address_of, check_reach, check_tls, listen

    config = workspace.config.server
    tls_key = (config.tls_key if tls_cert is None else "") if tls_key is None else tls_key
    tls_cert = config.tls_cert if tls_cert is None else tls_cert
    check_tls(tls_cert, tls_key)
    # Listening first: a taken port is told before the model is loaded, and clients wait instead of being refused.
    with listen(config.host if host is None else host, config.port if port is None else port) as listener:
        check_reach(listener, config.keys)
        address = address_of(listener, "https" if tls_cert else "http")
        serve = _serve_alone if (workers or config.workers) == 1 else _supervise
        try:
            serve(workspace, listener, address, workers or config.workers, tls_cert, tls_key)
        except KeyboardInterrupt:
            # Raised once everything in flight was answered.
            click.echo("stopped")


def _add_console(app: FastAPI) -> None:
    """Put the pages beside the API where what they are made with is installed."""
    from swipewise.console import mount_console
    from swipewise.errors import MissingExtraError

    try:
        mount_console(app, app.state.engine, app.state.records, app.state.metrics.text)
    except MissingExtraError as error:
        click.echo(f"note: no pages are served: {error}", err=True)


def _serve_alone(
    workspace: Workspace, listener: socket.socket, address: str, _workers: int, tls_cert: str, tls_key: str
) -> None:
    from swipewise.server import Server, create_app
    from swipewise.training.workspace_data import other_encoders

    app = create_app(workspace, warm=True)
    _add_console(app)
    engine = app.state.engine
    _greet(_greeting(address, workspace, engine.note or engine.run), other_encoders(engine.encoders, workspace))
    Server(app, workspace.config.server, tls_cert=tls_cert, tls_key=tls_key).run(sockets=[listener])


def _supervise(
    workspace: Workspace, listener: socket.socket, address: str, workers: int, tls_cert: str, tls_key: str
) -> None:
    from logging.config import dictConfig

    from swipewise.server.logs import log_config
    from swipewise.server.supervisor import Supervisor

    dictConfig(log_config())
    Supervisor(
        workspace,
        listener,
        workers,
        tls_cert=tls_cert,
        tls_key=tls_key,
        greet=lambda said: _greet(_greeting(address, workspace, said.model, workers), said.notes),
    ).run()


def _greet(greeting: str, notes: Iterable[str]) -> None:
    click.echo(greeting)
    for note in notes:
        click.echo(f"note: {note}", err=True)


def _greeting(address: str, workspace: Workspace, model: str, workers: int = 1) -> str:
    from swipewise.server.pageless import console_command

    event = '{"viewer_id": "ann", "video_id": "VIDEO", "action": "like"}'
    required = workspace.config.server.keys == "required"
    pages = f"console: {address}/, " if workers == 1 else ""
    key = ' -H "Authorization: Bearer $KEY"' if required else ""
    return "\n".join(
        [
            f"serving {workspace.root} at {address} ({pages}API: {address}/docs)",
            f"model: {model}",
            *(
                # What a page shows is held in one process.
                [f"workers: {workers}", f"console: beside them, by '{console_command(workspace.root)}'"]
                if workers > 1
                else []
            ),
            "keys: required, from 'swipewise keys create'"
            if required
            else "keys: off, this machine alone reaches it",
            "try:",
            f"  curl '{address}/v1/feed?viewer_id=ann&limit=5'{key}",
            f"  curl '{address}/v1/events'{key} -H 'Content-Type: application/json' -d '{event}'",
            "stop with Ctrl+C",
        ]
    )
