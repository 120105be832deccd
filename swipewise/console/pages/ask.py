"""Look anybody and anything up, and take any table away."""

from __future__ import annotations

import asyncio

from fastapi import Request
from nicegui import ui

from swipewise.console.context import Console
from swipewise.console.data.tables import TABLES
from swipewise.console.markup import Markup
from swipewise.console.pages.videos import VIDEOS
from swipewise.console.pages.viewers import VIEWERS
from swipewise.console.parts import card, exports, searching, table
from swipewise.console.shell import Visit, element, frame, show

_SHOWN = 12


def add_page(console: Console) -> None:
    """Put the page at ``/ask``."""

    @ui.page("/ask", response_timeout=60)
    async def ask(request: Request, q: str = "") -> None:
        search = searching(f"{console.root}/ask", "q", q, "A viewer's id, or a video's id, words or creator")
        with (
            frame(
                Visit.of(console, request),
                "Ask",
                section="Ask",
                lead="Look up any viewer or video, and take any table with you.",
                aside=search,
            ),
            element("div", "grid"),
        ):
            if q.strip():
                for listing in (VIEWERS, VIDEOS):
                    show(await asyncio.to_thread(listing.card, console, q, _SHOWN), classes="half stack")
            show(_tables(console))


def _tables(console: Console) -> Markup:
    rows = [(taken.title, exports(console.root, name)) for name, taken in TABLES.items() if not taken.of]
    return card(
        "Tables",
        table("Tables", ("Table", "Take it as"), rows),
        hint="Those of one viewer or video are on their pages.",
    )
