"""The interest map: what videos lie near one another, who lies amid them, and which viewers like the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.categories import OTHER
from swipewise.console.data.interests import Interests, read_map
from swipewise.console.data.map_parts import CATEGORY, REGION, Part
from swipewise.console.markup import Markup, tag
from swipewise.console.pages.map_parts import chooser, part_card
from swipewise.console.parts import (
    card,
    chart,
    empty,
    exports,
    number,
    percent,
    table,
    video_address,
    viewer_address,
)
from swipewise.console.shell import Visit, button, element, frame, show
from swipewise.errors import DataError, SwipewiseError
from swipewise.schema import Col, Modality

_TITLE: Final = "Interest map"
_COLOURS: Final = (Col.MODALITY, CATEGORY, Col.SEGMENT)
_LASSO: Final = {
    "type": "takeGlobalCursor",
    "key": "brush",
    "brushOption": {"brushType": "polygon", "brushMode": "single"},
}


def add_page(console: Console) -> None:
    """Put the page at ``/map``."""

    @ui.page("/map", response_timeout=600)
    async def interests(request: Request, colour: str = "", part: str = "") -> None:
        visit, run = Visit.of(console, request), console.engine.run
        colour = colour if colour in _COLOURS else _COLOURS[0]
        with frame(
            visit,
            _TITLE,
            section=_TITLE,
            lead="Videos and viewers in one plane: what lies near is alike to the model.",
            aside=_colours(console, colour, part),
        ):
            if run is None:
                show(card("Map", empty("No model ranks", console.engine.note or "", "swipewise train")))
                return
            with element("div", "grid") as place:
                waiting = empty("Being drawn", "It takes seconds, on a large platform minutes; then it is kept.")
                show(card("Map", waiting))
            # The page is shown while the map is being drawn.
            await ui.context.client.connected()
            try:
                found = await asyncio.to_thread(read_map, console, run)
            except SwipewiseError as error:
                place.clear()
                with place:
                    show(card("Map", empty("There is no map", str(error))))
                return
            place.clear()
            with place:
                await _MapPage(console, found, colour).build(part)
                _segments(console, found)


def _address(console: Console, colour: str, part: str) -> str:
    return f"{console.root}/map?colour={colour}" + (f"&part={quote(part, safe=':,;')}" if part else "")


def _colours(console: Console, colour: str, part: str) -> Markup:
    links = (
        tag(
            "a",
            f"By {each}",
            class_="button",
            href=_address(console, each, part),
            aria_current="true" if each == colour else None,
        )
        for each in _COLOURS
    )
    return tag("div", *links, class_="row", role="group", aria_label="Colours")


class _MapPage:
    """The live parts of one open map."""

    def __init__(self, console: Console, found: Interests, colour: str) -> None:
        self._console = console
        self._found = found
        self._colour = colour

    async def build(self, part: str) -> None:
        shown = self._found.shown()
        with element("section", "card map"):
            heading = Markup("").join(
                [
                    tag("h2", "Map"),
                    exports(self._console.root, "interest-map"),
                    tag(
                        "p",
                        f"{_counted(shown)}{_of(shown, self._found.places)}. Choose a point to open it, or draw around "
                        "some to see what they are.",
                        class_="hint",
                    ),
                ]
            )
            show(heading, classes="card-head")
            with element("div", "row tools"):
                button("Draw around", self._draw_around)
                show(chooser(self._console, self._found.places, self._colour, part))
            self._chart = ui.echart(self._options(shown, part), renderer="svg", on_point_click=_open)
            self._chart.props["role"] = "img"
            self._chart.props["aria-label"] = f"{_TITLE}: {_counted(shown)}"
            self._chart.on("chart:brushEnd", self._drawn, js_handler=_CORNERS)
        self._part = show(Markup(""), classes="part")
        self._part.props["role"] = "status"
        if part:
            await self._tell(part)

    def _options(self, shown: pl.DataFrame, part: str) -> dict[str, Any]:
        order = [CATEGORY, Col.MODALITY] if self._colour == CATEGORY else [Col.MODALITY, CATEGORY]
        series: dict[str, list[dict[str, Any]]] = {}
        for row in shown.sort(Col.KIND, *order, Col.SEGMENT).to_dicts():
            series.setdefault(_group(row, self._colour), []).append(
                {"name": row[Col.ID], "value": [round(row[Col.X], 4), round(row[Col.Y], 4)]}
            )
        options = charts.scatter(series, {name: _colour_of(name, list(series)) for name in series})
        if part.startswith(f"{REGION}:"):
            with suppress(DataError):
                charts.outline(options, Part.parse(part).corners)
        return options

    async def _draw_around(self) -> None:
        await self._chart.run_chart_method("dispatchAction", _LASSO)

    async def _drawn(self, event: Any) -> None:
        try:
            part = Part.around(event.args or []).text
        except DataError:
            return
        address = json.dumps(_address(self._console, self._colour, part))
        ui.run_javascript(f"history.replaceState(null, '', {address})")
        await self._tell(part)

    async def _tell(self, part: str) -> None:
        told = await asyncio.to_thread(part_card, self._console, self._found.places, part)
        self._part.set_content(str(told))


_CORNERS: Final = "(event) => { const area = event.areas[0]; if (area) emit(area.coordRange); }"


def _group(row: dict[str, Any], colour: str) -> str:
    """What a point is called in the legend."""
    if row[Col.KIND] == "video":
        told = {Col.MODALITY: f"videos by {row[Col.MODALITY]}", CATEGORY: f"videos, {row[CATEGORY]}"}
        return told.get(colour, "videos")
    if colour == Col.SEGMENT:
        return f"segment {row[Col.SEGMENT]}" if row[Col.SEGMENT] else "viewers in no segment"
    return f"viewers by {row[Col.MODALITY]}" if colour == Col.MODALITY else "viewers"


def _colour_of(name: str, names: Sequence[str]) -> str:
    """Modalities and segments have the same colour everywhere, what is in no group is grey, others in turn."""
    kind, _, last = name.rpartition(" ")
    if last in set(Modality):
        return f"var(--{last})"
    if kind == "segment":
        return charts.TOLD_APART[(int(last) - 1) % len(charts.TOLD_APART)]
    if not name.startswith("videos, ") or last == OTHER:
        return charts.PLAIN
    named = [each for each in names if each.startswith("videos, ") and not each.endswith(OTHER)]
    return charts.TOLD_APART[named.index(name) % len(charts.TOLD_APART)]


def _counted(places: pl.DataFrame) -> str:
    videos = int((places[Col.KIND] == "video").sum())
    return f"{number(videos)} videos and {number(len(places) - videos)} viewers"


def _of(shown: pl.DataFrame, places: pl.DataFrame) -> str:
    return f", a sample of {_counted(places)}" if len(shown) < len(places) else ""


def _open(event: Any) -> None:
    # NiceGUI puts the path of the pages before it.
    address = video_address if "video" in event.series_name else viewer_address
    ui.navigate.to(address("", event.name))


def _segments(console: Console, found: Interests) -> None:
    """Segments described by what they like, their sizes, and how many of each were there week by week."""
    if found.segments is None or found.segments.is_empty():
        none = empty("None are told apart", found.note or "These viewers like much the same.")
        show(card("Segments", none))
        return
    rows = [
        (
            tag(
                "a",
                f"Segment {row[Col.SEGMENT]}",
                href=_address(console, Col.SEGMENT, f"{Col.SEGMENT}:{row[Col.SEGMENT]}"),
            ),
            number(row[Col.VIEWERS]),
            percent(row[Col.SHARE]),
            "; ".join(f"{name} ({lift:.1f}×)" for name, lift in zip(row[Col.TOPICS], row[Col.LIFTS], strict=True))
            or "what everybody likes",
        )
        for row in found.segments.to_dicts()
    ]
    show(
        card(
            "Segments",
            table("Segments", ("Segment", "Viewers", "Share", "Likes most"), rows, numbers=(1, 2)),
            hint="Viewers who like the same; in brackets how many times the usual odds of watching.",
            extra=exports(console.root, "segments"),
        )
    )
    if found.trend is None or found.trend.is_empty():
        return
    wide = found.trend.pivot(Col.SEGMENT, index=Col.DAY, values=Col.ACTIVE).fill_null(0).sort(Col.DAY)
    named = {f"segment {name}": wide[name].to_list() for name in sorted(wide.columns[1:], key=int)}
    chart(
        "Active viewers of each segment",
        charts.columns(
            [f"{day:%d %b %Y}" for day in wide[Col.DAY]],
            named,
            x="week of",
            y="viewers",
            stacked=True,
            colours=[_colour_of(name, ()) for name in named],
        ),
        hint="Viewers who did something in the week; weeks in which nobody did are left out.",
        extra=exports(console.root, "segment-trend"),
    )
