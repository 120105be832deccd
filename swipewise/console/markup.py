"""HTML that is built in Python: everything that is not markup itself is escaped."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from markupsafe import Markup as Markup
from markupsafe import escape

STATIC: Final = Path(__file__).parent / "static"
_VOID: Final = frozenset({"input", "img", "br", "hr", "link", "meta", "source"})

Content = str | int | float | None
Attribute = str | int | float | bool | None


def tag(name: str, /, *children: Content, **attributes: Attribute) -> Markup:
    """An element.

    Args:
        name: Of the element.
        children: Text, which is escaped, or markup; None is nothing.
        attributes: A trailing underscore is dropped, others become dashes; None and False leave one out.

    >>> tag("a", "1 < 2", href="/x?a&b", class_="link", aria_current="page", hidden=False)
    Markup('<a href="/x?a&amp;b" class="link" aria-current="page">1 &lt; 2</a>')
    """
    written = Markup("").join(
        Markup(" {}").format(_name(key)) if value is True else Markup(' {}="{}"').format(_name(key), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup("<{}{}>").format(Markup(name), written)
    inner = Markup("").join(escape(child) for child in children if child is not None)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inner)


def head(root: str) -> Markup:
    """What every page's head needs: the style, the script, and the theme before anything is drawn."""
    return Markup("").join(
        [
            # The server's own policy would have browsers leave out from which page a form was sent.
            tag("meta", name="referrer", content="same-origin"),
            tag("link", rel="stylesheet", href=asset("console.css", root)),
            tag("script", src=asset("console.js", root)),
        ]
    )


def document(title: str, body: Markup, root: str) -> str:
    """A whole page that needs no channel to the server."""
    return str(
        Markup("<!doctype html>")
        + tag(
            "html",
            tag(
                "head",
                tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("title", f"{title} · Swipewise"),
                tag("link", rel="icon", href=asset("icon.svg", root), type="image/svg+xml"),
                head(root),
            ),
            tag("body", body),
            lang="en",
        )
    )


def asset(name: str, root: str) -> str:
    """The address of a file of ``static/``, which changes with its content."""
    return f"{root}/assets/{name}?v={_digest(name)}"


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
