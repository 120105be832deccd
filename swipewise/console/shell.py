"""The frame around every page: who is here, where one can go, and what the page is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from nicegui import ui

from swipewise.console.context import Console
from swipewise.console.gate import SESSION
from swipewise.console.markup import Markup, asset, head, tag
from swipewise.console.sessions import Session
from swipewise.errors import SwipewiseError

PAGES: Final = (
    ("Overview", "/"),
    ("Feed", "/feed"),
    ("Viewers", "/viewers"),
    ("Videos", "/videos"),
    ("Interest map", "/map"),
    ("Models", "/models"),
    ("Ingestion", "/ingestion"),
    ("Ask", "/ask"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page that somebody has asked for."""

    console: Console
    session: Session

    @classmethod
    def of(cls, console: Console, request: Request) -> Visit:
        """The visit of a request that has passed the gate."""
        return cls(console=console, session=request.scope[SESSION])


@contextmanager
def frame(
    visit: Visit, title: str, *, section: str, lead: str = "", aside: Markup | None = None
) -> Iterator[None]:
    """A page with its navigation; what is made inside becomes its content.

    Args:
        visit: Whose.
        title: The page's heading, and the window's title.
        section: Which entry of ``PAGES`` it belongs to.
        lead: A sentence under the heading.
        aside: Controls beside it.
    """
    root = visit.console.root
    ui.add_head_html(str(head(root)))
    ui.page_title(f"{title} · Swipewise")
    heading = tag("div", tag("h1", title), tag("p", lead, class_="lead") if lead else None)
    # NiceGUI's outer frame would be a second <main> around the navigation.
    outer = ui.context.client.content.parent_slot
    assert outer is not None, "every page has a frame"
    outer.parent.tag = "div"
    with element("div", "shell"):
        show(_side(visit, section), within="header")
        with element("main", "page") as main:
            main.props["id"] = "content"
            main.props["tabindex"] = "-1"
            show(tag("div", heading, aside, class_="head"))
            yield


def element(name: str, classes: str = "") -> ui.element:
    """A live element, to be used as a context."""
    made = ui.element(name)
    return made.classes(classes) if classes else made


def button(
    name: str, on_click: Callable[[], Any], *, classes: str = "", disabled: bool = False, closes: bool = False
) -> ui.element:
    """A live button; ``closes``: it also closes the dialog that it is in."""
    with element("button", f"button {classes}".strip()) as made:
        made.props.update({"type": "button", "disabled": disabled} | ({"data-closes": True} if closes else {}))
        show(tag("span", name), within="span")
    made.on("click", on_click, args=[])
    return made


def show(markup: Markup, *, within: str = "div", classes: str = "") -> ui.html:
    """Place markup on the page; all of it was escaped when it was made."""
    placed = ui.html(str(markup), sanitize=False, tag=within)
    return placed.classes(classes) if classes else placed


def _side(visit: Visit, section: str) -> Markup:
    root = visit.console.root
    links = Markup("").join(
        tag("a", name, href=f"{root}{path}", aria_current="page" if name == section else None)
        for name, path in PAGES
    )
    return Markup("").join(
        [
            tag("a", "Skip to content", class_="skip", href="#content"),
            tag(
                "div",
                tag(
                    "a",
                    tag("img", src=asset("icon.svg", root), alt="", width=24, height=24),
                    "Swipewise",
                    class_="brand",
                    href=f"{root}/",
                ),
                tag(
                    "button",
                    "Menu",
                    class_="button menu-button",
                    type="button",
                    data_menu=True,
                    aria_expanded="false",
                ),
                tag("div", tag("nav", links, class_="nav", aria_label="Pages"), _foot(visit), class_="menu"),
                class_="side",
            ),
        ]
    )


def _foot(visit: Visit) -> Markup:
    session, console = visit.session, visit.console
    who = session.name if console.signs_in else "No keys: this machine alone"
    sign_out = tag(
        "form",
        tag("button", "Sign out", class_="button plain", type="submit"),
        method="post",
        action=f"{console.root}/sign-out",
    )
    return tag(
        "div",
        tag("p", console.workspace.root.name, class_="mono"),
        tag("p", who, None if session.may_change else " · read only"),
        tag("button", "Light or dark", class_="button plain", type="button", data_theme_toggle=True),
        sign_out if console.signs_in else None,
        class_="foot",
    )


def failed_page(error: Exception) -> None:
    """What is shown in place of a page that cannot be made."""
    root = ui.context.client.request.scope.get("root_path", "")
    ui.add_head_html(str(head(root)))
    ui.page_title("Not shown · Swipewise")
    known = isinstance(error, SwipewiseError)
    show(
        tag("h1", "This page cannot be shown")
        + tag("p", str(error) if known else "The server's log has the details.", class_="lead")
        + tag("a", "Overview", class_="button", href=f"{root}/"),
        classes="sign-in card",
    )
