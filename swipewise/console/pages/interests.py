"""The interest map: what videos lie near one another, who lies amid them, and which viewers like the same."""

from __future__ import annotations

import asyncio
from typing import Any

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.interests import Interests, read_interests
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import card, empty, exports, number, percent, table, video_address, viewer_address
from swipewise.console.shell import Visit, element, frame, show
from swipewise.errors import SwipewiseError
from swipewise.schema import Col

_TITLE = "Interest map"
_COLOURS = ("modality", "segment")


def add_page(console: Console) -> None:
    """Put the page at ``/map``."""

    @ui.page("/map", response_timeout=600)
    async def interests(request: Request, colour: str = "modality") -> None:
        visit, run = Visit.of(console, request), console.engine.run
        colour = colour if colour in _COLOURS else _COLOURS[0]
        with frame(
            visit,
            _TITLE,
            section=_TITLE,
            lead="Videos and viewers in one plane: what lies near is alike to the model.",
            aside=_chooser(console, colour),
        ):
            if run is None:
                show(card("Map", empty("No model ranks", console.engine.note or "", "swipewise train")))
                return
            with element("div", "grid") as place:
                show(
                    card(
                        "Map",
                        empty("Being drawn", "It takes seconds, on a large platform minutes; then it is kept."),
                    )
                )
            # The page is shown while the map is being drawn.
            await ui.context.client.connected()
            try:
                found = await asyncio.to_thread(_read, console, run)
            except SwipewiseError as error:
                place.clear()
                with place:
                    show(card("Map", empty("There is no map", str(error))))
                return
            place.clear()
            with place:
                _map(console, found, colour)
                show(_segments(found))


def _read(console: Console, run: str) -> Interests:
    return console.kept.get(("interests", run), lambda: read_interests(console.workspace, run))


def _chooser(console: Console, colour: str) -> Markup:
    links = (
        tag(
            "a",
            f"By {each}",
            class_="button",
            href=f"{console.root}/map?colour={each}",
            aria_current="true" if each == colour else None,
        )
        for each in _COLOURS
    )
    return tag("div", *links, class_="row")


def _map(console: Console, found: Interests, colour: str) -> None:
    shown = found.shown()
    series: dict[str, list[dict[str, Any]]] = {}
    for row in shown.sort(Col.KIND, Col.MODALITY, Col.SEGMENT).to_dicts():
        series.setdefault(_group(row, colour), []).append(
            {"name": row[Col.ID], "value": [round(row[Col.X], 4), round(row[Col.Y], 4)]}
        )
    with element("section", "card map"):
        heading = Markup("").join(
            [
                tag("h2", "Map"),
                exports(console.root, "interest-map"),
                tag(
                    "p",
                    f"{_counted(shown)} of {_counted(found.places)}; choose a point to open it.",
                    class_="hint",
                ),
            ]
        )
        show(heading, classes="card-head")
        drawn = ui.echart(charts.scatter(series), renderer="svg", on_point_click=_open)
        drawn.props["role"] = "img"
        drawn.props["aria-label"] = f"{_TITLE}: {_counted(shown)}"


def _group(row: dict[str, Any], colour: str) -> str:
    if row[Col.KIND] == "video":
        return f"videos by {row[Col.MODALITY]}" if colour == "modality" else "videos"
    if colour == "modality":
        return f"viewers by {row[Col.MODALITY]}"
    return f"segment {row[Col.SEGMENT]}" if row[Col.SEGMENT] else "viewers in no segment"


def _counted(places: pl.DataFrame) -> str:
    videos = int((places[Col.KIND] == "video").sum())
    return f"{number(videos)} videos and {number(len(places) - videos)} viewers"


def _open(event: Any) -> None:
    # NiceGUI puts the path of the pages before it.
    address = video_address if "video" in event.series_name else viewer_address
    ui.navigate.to(address("", event.name))


def _segments(found: Interests) -> Markup:
    if found.segments is None or found.segments.is_empty():
        return card("Segments", empty("None are told apart", found.note or "These viewers like much the same."))
    rows = [
        (
            f"Segment {row[Col.SEGMENT]}",
            number(row[Col.VIEWERS]),
            percent(row[Col.SHARE]),
            "; ".join(f"{name} ({lift:.1f}×)" for name, lift in zip(row[Col.TOPICS], row[Col.LIFTS], strict=True)),
        )
        for row in found.segments.to_dicts()
    ]
    return card(
        "Segments",
        table("Segments", ("Segment", "Viewers", "Share", "Likes most"), rows, numbers=(1, 2)),
        hint="Viewers who like the same; in brackets how many times the usual odds of watching.",
    )
