"""Puts the console onto a server's app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from swipewise.errors import ConfigError, MissingExtraError
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore
from swipewise.feed.engine import FeedEngine

ROOT: Final = "/console"
"""The path of the pages."""


def mount_console(app: FastAPI, engine: FeedEngine, records: Database, scrape: Callable[[], bytes]) -> None:
    """Put the pages under ``/console``, and lead there from ``/``; once in a process, as NiceGUI is one app.

    Args:
        app: The server's, from ``create_app``.
        engine: What makes its feeds.
        records: The store of keys, jobs and the audit.
        scrape: Gives the server's metrics, in Prometheus' text format.

    Raises:
        MissingExtraError: NiceGUI is not installed.
        ConfigError: A console has been mounted before.
    """
    try:
        import nicegui
        from nicegui import ui
    except ImportError as error:
        raise MissingExtraError("the console", "console") from error
    from swipewise.console.context import Console
    from swipewise.console.exports import export_routes
    from swipewise.console.gate import Gate
    from swipewise.console.markup import STATIC
    from swipewise.console.media import media_routes
    from swipewise.console.pages import add_pages
    from swipewise.console.sessions import Sessions
    from swipewise.console.shell import failed_page
    from swipewise.console.signing import signing_routes

    if nicegui.app.config.has_run_config:
        raise ConfigError("a console is mounted in this process already: start another for another workspace")
    workspace = engine.workspace
    config = workspace.config.server
    keys_asked = config.keys == "required"
    sessions = Sessions(KeyStore(records), config.session_hours) if keys_asked else None
    console = Console.over(engine, records, root=ROOT, signs_in=keys_asked, scrape=scrape)
    pages: Any = nicegui.app
    pages.config.quasar_config["loadingBar"] = {"skipHijack": True}
    pages.on_page_exception(failed_page)
    pages.add_static_files("/assets", STATIC, max_cache_age=31_536_000)
    pages.include_router(signing_routes(sessions, console.audit))
    pages.include_router(media_routes(console))
    pages.include_router(export_routes(console))
    add_pages(console)
    ui.run_with(
        app,
        title="Swipewise",
        language="en-US",
        favicon=STATIC / "icon.svg",
        mount_path=ROOT,
        tailwind=False,
        reconnect_timeout=20.0,
        show_welcome_message=False,
    )
    # The last one added is the outermost.
    pages.add_middleware(Gate, sessions=sessions, origins=tuple(config.origins))
    app.add_route("/", lambda _: RedirectResponse(f"{ROOT}/", 303), include_in_schema=False)
