"""Charts for ECharts, in the colours of the page, whose light and dark they follow by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from swipewise.schema import Col

INK, MUTED, LINE, ACCENT = "var(--ink)", "var(--muted)", "var(--line)", "var(--accent)"
SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 11))
"""Colours that are told apart, in the order in which they are used up."""
PLAIN: Final = "var(--series-5)"
"""The grey among them, for what is not told apart."""
TOLD_APART: Final = tuple(colour for colour in SERIES if colour != PLAIN)

Options = dict[str, Any]


def lines(
    places: Sequence[Any],
    series: Mapping[str, Sequence[float | None]],
    *,
    x: str,
    y: str,
    stacked: bool = False,
    percent: bool = False,
    colours: Sequence[str] = SERIES,
) -> Options:
    """Lines over places; stacked: areas on top of each other.

    Args:
        places: Of the points, left to right.
        series: A name and a value a place.
        x: What the axis below shows.
        y: What the axis beside shows.
        stacked: Whether series add up.
        percent: Whether values are shares of 1.
        colours: Of the series, in their order.
    """
    drawn = [
        {
            "name": name,
            "type": "line",
            "data": list(values),
            "showSymbol": sum(value is not None for value in values) < 2,
            "lineStyle": {"width": 1 if stacked else 1.75},
            "emphasis": {"disabled": True},
        }
        | ({"stack": "all", "areaStyle": {"opacity": 0.45}} if stacked else {})
        for name, values in series.items()
    ]
    options = _framed(places, drawn, x=x, y=y, percent=percent) | {"color": list(colours)}
    options["xAxis"] |= {"boundaryGap": False}
    options["xAxis"]["axisLabel"] |= {"alignMinLabel": "left", "alignMaxLabel": "right"}
    return options


def watched(curve: pl.DataFrame) -> Options:
    """How many are still watching after each share of a clip; ``curve`` is one of ``behavior.watching``."""
    options = lines(
        [f"{at:.0%}" for at in curve[Col.WATCHED]],
        {"still watching": curve[Col.REMAINING].to_list()},
        x="share of the clip",
        y="viewers",
        percent=True,
    )
    options["xAxis"]["axisLabel"]["showMaxLabel"] = True
    return options


def columns(
    places: Sequence[Any],
    series: Mapping[str, Sequence[float | None]],
    *,
    x: str,
    y: str,
    stacked: bool = False,
    percent: bool = False,
    colours: Sequence[str] = SERIES,
) -> Options:
    """Upright bars over places; arguments as of ``lines``."""
    drawn = [
        {"name": name, "type": "bar", "data": list(values), "barMaxWidth": 28, "emphasis": {"disabled": True}}
        | ({"stack": "all"} if stacked else {})
        for name, values in series.items()
    ]
    options = _framed(places, drawn, x=x, y=y, percent=percent) | {"color": list(colours)}
    if all(isinstance(value, int) for values in series.values() for value in values):
        options["yAxis"]["minInterval"] = 1
    return options


def _framed(places: Sequence[Any], drawn: list[Options], *, x: str, y: str, percent: bool) -> Options:
    named = len(drawn) > 1
    return {
        "animation": False,
        "color": list(SERIES),
        "textStyle": {"fontFamily": "inherit", "color": MUTED},
        "grid": {"left": 8, "right": 16, "top": 52 if named else 30, "bottom": 26, "containLabel": True},
        "legend": {
            "show": named,
            "top": 0,
            "left": 0,
            "textStyle": {"color": INK},
            "icon": "roundRect",
            "itemWidth": 12,
            "itemHeight": 8,
            "type": "scroll",
        },
        "tooltip": _tooltip() | {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": [str(place) for place in places],
            "name": x,
            "nameLocation": "middle",
            "nameGap": 28,
            "nameTextStyle": {"color": MUTED},
            "axisLabel": {"color": MUTED, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": LINE}},
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "name": y,
            "nameTextStyle": {"color": MUTED, "align": "left"},
            "axisLabel": {"color": MUTED} | ({":formatter": "v => Math.round(v * 100) + '%'"} if percent else {}),
            "splitLine": {"lineStyle": {"color": LINE}},
        },
        "series": drawn,
    }


def _tooltip() -> Options:
    return {
        "backgroundColor": "var(--surface)",
        "borderColor": LINE,
        "textStyle": {"color": INK, "fontSize": 12},
        "axisPointer": {"lineStyle": {"color": MUTED}},
    }


def bare(options: Options) -> None:
    """Leave a chart of ``lines`` its areas and its tooltip alone, for what stands beside the names of its series."""
    options["legend"]["show"] = False
    options["grid"] = {"left": 0, "right": 0, "top": 8, "bottom": 22, "containLabel": False}
    options["yAxis"] |= {"show": False, "max": 1}
    options["xAxis"] |= {"axisLabel": {"show": False}, "nameGap": 6}


def mark(options: Options, places: Sequence[int], name: str) -> None:
    """Draw lines upright through a chart of ``lines``, at some of its places."""
    first = options["series"][0]
    first["markLine"] = {
        "symbol": "none",
        "silent": True,
        "lineStyle": {"color": "var(--warn)", "type": "dashed", "width": 1.5},
        "label": {"formatter": name, "color": "var(--warn)"},
        "data": [{"xAxis": place} for place in places],
    }


def points(series: Mapping[str, Sequence[tuple[float, float]]], *, x: str, y: str) -> Options:
    """Shares against shares, a line a name, with the diagonal on which they agree.

    Args:
        series: A name and its points.
        x: What the axis below shows.
        y: What the axis beside shows.
    """
    most = max((value for places in series.values() for place in places for value in place), default=1.0)
    diagonal = {
        "name": "as predicted",
        "type": "line",
        "data": [[0, 0], [most, most]],
        "showSymbol": False,
        "lineStyle": {"type": "dashed", "width": 1, "color": MUTED},
        "itemStyle": {"color": MUTED},
        "emphasis": {"disabled": True},
    }
    drawn = [
        {
            "name": name,
            "type": "line",
            "data": [list(place) for place in places],
            "symbolSize": 5,
            "lineStyle": {"width": 1.5},
            "emphasis": {"disabled": True},
        }
        for name, places in series.items()
    ]
    options = _framed((), [*drawn, diagonal], x=x, y=y, percent=True)
    shares = {"type": "value", "axisLabel": options["yAxis"]["axisLabel"], "splitLine": {"show": False}}
    options["xAxis"] |= shares
    del options["xAxis"]["data"]
    return options


def scatter(series: Mapping[str, Sequence[Options]], colours: Mapping[str, str]) -> Options:
    """Named points in a plane whose axes mean nothing by themselves; viewers are diamonds.

    Args:
        series: A name and its points.
        colours: Of each series.
    """
    bare = {"show": False, "type": "value", "scale": True}
    drawn = [
        {
            "name": name,
            "type": "scatter",
            "data": list(places),
            "symbol": "circle" if name.startswith("videos") else "diamond",
            "symbolSize": 5 if name.startswith("videos") else 8,
            "itemStyle": {"opacity": 0.35 if colours[name] == PLAIN else 0.8, "color": colours[name]},
            "emphasis": {"disabled": True},
        }
        # What is in no group lies below.
        for name, places in sorted(series.items(), key=lambda each: colours[each[0]] != PLAIN)
    ]
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit", "color": MUTED},
        "grid": {"left": 8, "right": 8, "top": 36, "bottom": 8},
        "legend": {
            "top": 0,
            "left": 0,
            "itemWidth": 10,
            "itemHeight": 10,
            "itemGap": 18,
            "data": [each["name"] for each in drawn],
            "textStyle": {"color": INK},
            "type": "scroll",
        },
        "tooltip": _tooltip() | {"trigger": "item", "formatter": "{b}"},
        # Something is only drawn around where a button has asked for it.
        "brush": {"xAxisIndex": 0, "yAxisIndex": 0, "toolbox": [], "outOfBrush": {"colorAlpha": 0.2}},
        "toolbox": {"show": False},
        "xAxis": bare,
        "yAxis": bare,
        "series": drawn,
    }


def outline(options: Options, corners: Sequence[Sequence[float]]) -> None:
    """Draw a closed line through a chart of ``scatter``; it is in no legend and cannot be chosen."""
    options["series"].append(
        {
            "type": "line",
            "data": [list(corner) for corner in (*corners, *corners[:1])],
            "silent": True,
            "showSymbol": False,
            "lineStyle": {"color": "var(--warn)", "type": "dashed", "width": 1.5},
            "itemStyle": {"color": "var(--warn)"},
        }
    )
