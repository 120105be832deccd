"""The pages, one module each: a page asks ``data/`` and shows what it is given."""

from __future__ import annotations

from swipewise.console.context import Console


def add_pages(console: Console) -> None:
    """Put every page where its address is."""
    from swipewise.console.pages import ask, feed, ingestion, interests, models, overview, videos, viewers

    for module in (overview, feed, viewers, videos, interests, models, ingestion, ask):
        module.add_page(console)
