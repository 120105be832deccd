"""What stands where the pages would be when several workers serve, as what a page shows is held in one process."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

CONSOLE_ROOT: Final = "/console"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>No console here · Swipewise</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto 0; padding: 0 1.5rem;
  color: light-dark(#1a1c20, #ececea); background: light-dark(#f6f6f4, #131417); color-scheme: light dark; }}
code {{ display: block; padding: 0.75rem 1rem; overflow-x: auto; border-radius: 8px;
  background: light-dark(#e8e8e4, #24272c); }}
</style>
</head>
<body>
<main>
<h1>The console runs beside these workers</h1>
<p>{workers} workers answer at this address, and what a page of the console shows is held in one process. Run one more
server on the same workspace, at a port of its own:</p>
<code>{command}</code>
<p>Both see the same events, models, keys and jobs. The API is here: see <a href="/docs">/docs</a>.</p>
</main>
</body>
</html>
"""


def console_command(root: Path) -> str:
    """What serves the console beside several workers."""
    return f"swipewise serve --workers 1 --port 8001 -w {root}"


def add_signpost(app: FastAPI, root: Path, workers: int) -> None:
    """Say at the console's addresses where it can be had.

    Args:
        app: Of one of several workers.
        root: The workspace.
        workers: How many there are.
    """
    page = _PAGE.format(workers=workers, command=escape(console_command(root)))

    def signpost(_request: Request) -> HTMLResponse:
        return HTMLResponse(page, 404)

    app.add_route("/", lambda _: RedirectResponse(f"{CONSOLE_ROOT}/", 303), include_in_schema=False)
    app.mount(CONSOLE_ROOT, Starlette(routes=[Route("/{page:path}", signpost)]))
