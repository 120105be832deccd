"""Look anybody and anything up, and take any table away."""

from __future__ import annotations

import asyncio

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console.context import Console
from swipewise.console.data.tables import TABLES
from swipewise.console.data.videos import find_videos
from swipewise.console.data.viewers import viewers_seen
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import card, clip, empty, exports, moment, number, searching, table, viewer_address
from swipewise.console.shell import Visit, element, frame, show
from swipewise.schema import Col

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
                viewers, videos = await asyncio.to_thread(_found, console, q.strip())
                show(_viewers(console, viewers, q), classes="half")
                show(_videos(console, videos, q), classes="half")
            show(_tables(console))


def _found(console: Console, words: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    seen = console.kept.get("viewers", lambda: viewers_seen(console.workspace.events_dir))
    viewers = seen.filter(pl.col(Col.VIEWER_ID).str.contains(words, literal=True)).head(_SHOWN)
    return viewers, find_videos(console.kept.get("videos", console.catalog.videos), words, _SHOWN)


def _viewers(console: Console, found: pl.DataFrame, words: str) -> Markup:
    if found.is_empty():
        return card("Viewers", empty("Nobody", f"No viewer with events has {words!r} in the id."))
    rows = [
        (tag("a", viewer, href=viewer_address(console.root, viewer)), number(events), moment(at))
        for viewer, events, at in found.rows()
    ]
    return card("Viewers", table("Viewers", ("Viewer", "Events", "Latest"), rows, numbers=(1,)))


def _videos(console: Console, found: pl.DataFrame, words: str) -> Markup:
    if found.is_empty():
        return card("Videos", empty("Nothing", f"No id, caption, creator or tag holds {words!r}."))
    clips = (clip(console.root, row[Col.VIDEO_ID], row[Col.CAPTION] or "") for row in found.to_dicts())
    return card("Videos", tag("div", *clips, class_="thumbs"))


def _tables(console: Console) -> Markup:
    rows = [(taken.title, exports(console.root, name)) for name, taken in TABLES.items() if not taken.of]
    return card(
        "Tables",
        table("Tables", ("Table", "Take it as"), rows),
        hint="Those of one viewer or video are on their pages.",
    )
