"""What is looked up one by one: a page that finds it by words, and a page about each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console.context import Console
from swipewise.console.markup import Markup
from swipewise.console.parts import card, empty, exports, number, searching
from swipewise.console.shell import Visit, frame, show
from swipewise.errors import UnknownIdError

_LISTED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A kind of things that have a page each.

    Attributes:
        section: Of ``PAGES``; also what the page is called.
        path: Where its pages are: as it is it lists, with ``id`` it is about one, with ``q`` it finds.
        asked: What may be looked for, in words.
        lead: What is said of all of them, ``{}`` being how many.
        read: All of them; kept for a while.
        find: Those that words lead to, so many at most; all where there are no words.
        shown: Some of them, each leading to its page.
        nothing: What stands where there are none at all.
        unfound: Why nothing was found, ``{}`` being the words.
    """

    section: str
    path: str
    asked: str
    lead: str
    read: Callable[[Console], pl.DataFrame]
    find: Callable[[pl.DataFrame, str, int], pl.DataFrame]
    shown: Callable[[Console, pl.DataFrame], Markup]
    nothing: Markup
    unfound: str

    def all(self, console: Console) -> pl.DataFrame:
        """All of them."""
        return console.kept.get(self.section, lambda: self.read(console))

    def search(self, console: Console, words: str = "") -> Markup:
        """A field that leads to what is found."""
        return searching(f"{console.root}{self.path}", "q", words, self.asked)

    def card(self, console: Console, words: str, limit: int = _LISTED) -> Markup:
        """What words lead to; not for the event loop, as all may have to be read."""
        everything = self.all(console)
        found = self.find(everything, words, limit)
        if everything.is_empty():
            return card(self.section, self.nothing)
        if found.is_empty():
            return card(self.section, empty("Nothing found", self.unfound.format(repr(words.strip()))))
        return card(
            self.section,
            self.shown(console, found),
            hint=_how_many(len(found), len(everything), words),
            extra=exports(console.root, self.section.lower()),
        )


def _how_many(shown: int, there: int, words: str) -> str:
    return (
        f"The first {number(shown)} that were found." if words.strip() else f"{number(shown)} of {number(there)}."
    )


def add_listing(console: Console, listing: Listing, open_one: Callable[[Visit, str], Awaitable[None]]) -> None:
    """Put both pages where their address is.

    Args:
        console: Whose pages.
        listing: What they are about.
        open_one: Makes the page about one; where there is none with this id it raises UnknownIdError before.
    """

    @ui.page(listing.path, response_timeout=60)
    async def pages(request: Request, id: str = "", q: str = "") -> None:
        visit = Visit.of(console, request)
        if not id:
            await _list(visit, listing, q)
            return
        try:
            await open_one(visit, id)
        except UnknownIdError as error:
            with frame(visit, listing.section, section=listing.section, aside=listing.search(console)):
                show(card("Not found", empty(id, str(error))))


async def _list(visit: Visit, listing: Listing, words: str) -> None:
    console = visit.console
    found = await asyncio.to_thread(listing.card, console, words)
    lead = listing.lead.format(number(len(listing.all(console))))
    with frame(visit, listing.section, section=listing.section, lead=lead, aside=listing.search(console, words)):
        show(found)
