"""The parts that pages are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import polars as pl
from nicegui import ui

from swipewise.console.data.tables import TABLES
from swipewise.console.data.writing import kinds_of
from swipewise.console.markup import Content, Markup, tag
from swipewise.console.shell import element, show

_ROWS = 60

Tile = tuple[str, Content, str]
"""A label, a value, and a note about it."""


def tiles(entries: Iterable[Tile]) -> Markup:
    """Figures side by side."""
    return tag(
        "dl",
        *(
            tag(
                "div",
                tag("dt", label),
                tag("dd", value, class_="value"),
                tag("dd", note, class_="note") if note else None,
                class_="tile",
            )
            for label, value, note in entries
        ),
        class_="tiles",
    )


def card(title: str, *content: Content, hint: str = "", classes: str = "", extra: Markup | None = None) -> Markup:
    """A titled section; ``extra`` stands beside the title."""
    headed = tag(
        "div", tag("h2", title), extra, tag("p", hint, class_="hint") if hint else None, class_="card-head"
    )
    return tag("section", headed, *content, class_=f"card {classes}".strip())


def empty(title: str, text: str, command: str = "") -> Markup:
    """What stands where there is nothing yet: why, and what would change that."""
    return tag(
        "div",
        tag("strong", title),
        tag("span", text),
        tag("code", command) if command else None,
        class_="empty",
    )


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[Content]], *, numbers: Iterable[int] = ()
) -> Markup:
    """A table whose first column names its rows; columns in ``numbers`` are set to the right."""
    right = set(numbers)

    def cell(place: int, value: Content) -> Markup:
        if place == 0:
            return tag("th", value, scope="row")
        return tag("td", value, class_="num" if place in right else "wide", data_head=heads[place])

    header = tag(
        "tr",
        *(
            tag("th", name, scope="col", class_="num" if place in right else None)
            for place, name in enumerate(heads)
        ),
    )
    body = (tag("tr", *(cell(place, value) for place, value in enumerate(row))) for row in rows)
    worded = len(right) + 1 < len(heads)
    return tag(
        "div",
        tag("table", tag("caption", caption, class_="visually-hidden"), tag("thead", header), tag("tbody", *body)),
        class_="scroll words" if worded else "scroll",
        # A table that is wider than the page is scrolled with the keys as well.
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def numbers_of(caption: str, frame: pl.DataFrame) -> Markup:
    """The latest rows of a frame as a table, for what a chart shows of it."""
    heads = [name.replace("_", " ") for name in frame.columns]
    rows = ([str(value) for value in row] for row in frame.tail(_ROWS).rows())
    return table(caption, heads, rows, numbers=range(1, len(heads)))


def bars(label: str, shares: Mapping[str, float], *, most: float | None = None, coloured: bool = False) -> Markup:
    """Shares as bars with their numbers, ``most`` being a full one; coloured: each in the colour of its modality."""
    top = most if most is not None else max(shares.values(), default=1.0) or 1.0
    rows = (
        Markup("").join(
            [
                tag("span", name),
                tag(
                    "span",
                    tag(
                        "span",
                        class_=f"fill {name}" if coloured else "fill",
                        style=f"width:{100 * min(1.0, value / top):.1f}%",
                    ),
                    class_="track",
                ),
                tag("span", percent(value), class_="number"),
            ]
        )
        for name, value in shares.items()
    )
    return tag("div", *rows, class_="bars", role="group", aria_label=label)


def pill(text: str, kind: str = "") -> Markup:
    """A short word in a box; ``kind`` is good, warn, bad or accent."""
    return tag("span", text, class_=f"pill {kind}".strip())


def clip(root: str, video_id: str, words: str = "", *, note: str = "") -> Markup:
    """A video's picture, id and words, leading to its page."""
    return tag(
        "a",
        tag("img", src=picture_address(root, video_id), alt="", loading="lazy"),
        tag("span", video_id, class_="mono"),
        tag("span", words, class_="words") if words else None,
        tag("span", note, class_="muted") if note else None,
        class_="clip",
        href=video_address(root, video_id),
    )


def video_address(root: str, video_id: str) -> str:
    """The address of a video's page."""
    return f"{root}/videos?{'id=' + quote(video_id, safe='')}"


def picture_address(root: str, video_id: str) -> str:
    """The address of a video's thumbnail."""
    return f"{root}/media/pictures/{quote(video_id, safe='')}"


def viewer_address(root: str, viewer_id: str) -> str:
    """The address of a viewer's page."""
    return f"{root}/viewers?id={quote(viewer_id, safe='')}"


def chart(
    title: str,
    options: dict[str, Any],
    *,
    hint: str = "",
    classes: str = "",
    numbers: Markup | None = None,
    extra: Markup | None = None,
    below: Markup | None = None,
) -> None:
    """A card with a chart, and with its numbers as a table for whoever cannot see it; ``below`` follows the chart."""
    with element("section", f"card {classes}".strip()):
        show(
            Markup("").join([tag("h2", title), extra or "", tag("p", hint, class_="hint") if hint else ""]),
            classes="card-head",
        )
        drawn = ui.echart(options, renderer="svg")
        drawn.props["role"] = "img"
        drawn.props["aria-label"] = f"{title}. {hint}".strip()
        if below is not None:
            show(below)
        if numbers is not None:
            show(tag("details", tag("summary", "The numbers"), numbers, class_="more"))


def percent(value: float | None) -> str:
    """A share of one.

    >>> percent(0.1234), percent(None), percent(0.004)
    ('12%', '–', '0.4%')
    """
    if value is None:
        return "–"
    return f"{100 * value:.0f}%" if abs(value) >= 0.095 or value == 0 else f"{100 * value:.1f}%"


def number(value: float | int | None) -> str:
    """A count, or a figure with three places.

    >>> number(12345), number(0.12345), number(None)
    ('12,345', '0.123', '–')
    """
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the minute.

    >>> moment(datetime(2030, 1, 2, 3, 4, tzinfo=UTC))
    '2 Jan 2030, 03:04'
    """
    if at is None:
        return "–"
    there = at.astimezone(UTC)
    return f"{there.day} {there:%b %Y, %H:%M}"


def span(length: timedelta) -> str:
    """A length of time, in the unit that suits it.

    >>> span(timedelta(seconds=4.2)), span(timedelta(hours=30)), span(timedelta(days=9))
    ('4.2 seconds', '30.0 hours', '9.0 days')
    """
    seconds = length.total_seconds()
    for unit, size, least in (("days", 86_400, 2), ("hours", 3_600, 2), ("minutes", 60, 2)):
        if seconds >= least * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def facts(entries: Iterable[tuple[str, Content]]) -> Markup:
    """Names and what they are, below each other."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in entries), class_="facts")


def searching(address: str, field: str, value: str, label: str) -> Markup:
    """A form of one field whose answer is a page with an address of its own."""
    return tag(
        "form",
        tag(
            "div",
            tag("label", label, for_="search"),
            tag("input", id="search", name=field, value=value, type="search"),
        ),
        tag("button", "Search", class_="button", type="submit"),
        method="get",
        action=address,
        role="search",
    )


def exports(root: str, name: str, id: str = "") -> Markup:
    """Links to a table of ``TABLES`` in each form that it can be had in; ``id`` names the viewer or video it is of."""
    taken = TABLES[name]
    query = f"?id={quote(id, safe='')}" if id else ""
    links = (
        tag(
            "a",
            kind.upper() if kind != "parquet" else "Parquet",
            href=f"{root}/export/{name}.{kind}{query}",
            download=f"{name}.{kind}",
            aria_label=f"{taken.title} as {kind}",
        )
        for kind in kinds_of(taken)
    )
    return tag("span", *links, class_="exports")
