"""How the platform is doing, at a glance."""

from __future__ import annotations

import asyncio

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.health import COUNT, Activity, CatalogueHealth, activity, catalogue_health
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import card, chart, empty, moment, number, percent, table, tiles
from swipewise.console.shell import Visit, element, frame, show
from swipewise.schema import Action, Col

_SHOWN_REASONS = 5
_ADD = "swipewise videos add clips/"
_IMPORT = "swipewise events import log.csv"


def add_page(console: Console) -> None:
    """Put the page at ``/``."""

    @ui.page("/", response_timeout=60)
    async def overview(request: Request) -> None:
        workspace, kept = console.workspace, console.kept
        health = await asyncio.to_thread(kept.get, "health", lambda: catalogue_health(console.catalog))
        done = await asyncio.to_thread(kept.get, "activity", lambda: activity(workspace.events_dir))
        with frame(Visit.of(console, request), "Overview", section="Overview", lead=_lead(console)):
            show(_figures(health, done))
            with element("div", "grid"):
                _activity(done)
                show(_catalogue(health), classes="half")
                show(_rejected(console, health), classes="half")
                _uploads(health)


def _lead(console: Console) -> str:
    engine = console.engine
    return f"Run {engine.run} ranks." if engine.run else f"No model ranks: {engine.note}."


def _figures(health: CatalogueHealth, done: Activity) -> Markup:
    events = int(done.daily[COUNT].sum())
    return tiles(
        [
            ("Videos", number(health.videos), f"{health.seconds / 3600:.1f} h of clips" if health.videos else ""),
            ("Events", number(events), f"latest {moment(done.last)}" if done.last else "none yet"),
            ("In the last hour", number(int(done.minutes[COUNT].sum())), "events posted or imported"),
            ("Near-duplicates", number(health.duplicates), "shown as one in a feed"),
            ("Rejected files", number(health.rejected), "see Ingestion"),
        ]
    )


def _activity(done: Activity) -> None:
    if done.daily.is_empty():
        show(card("Events", empty("No events yet", "Post them to /v1/events, or import a log.", _IMPORT)))
        return
    by_day = done.daily.pivot(Col.ACTION, index=Col.DAY, values=COUNT).fill_null(0).sort(Col.DAY)
    actions = [str(action) for action in Action if action in by_day.columns]
    chart(
        "Events a day",
        charts.lines(
            by_day[Col.DAY].to_list(), {name: by_day[name].to_list() for name in actions}, x="day", y="events"
        ),
        hint="By action, in UTC.",
        classes="two-thirds",
        numbers=_numbers("Events a day", by_day),
    )
    chart(
        "Events a minute",
        charts.columns(
            [f"{at:%H:%M}" for at in done.minutes[Col.AT]],
            {"events": done.minutes[COUNT].to_list()},
            x="time",
            y="",
        ),
        hint="Over the last hour.",
        classes="third",
    )


def _catalogue(health: CatalogueHealth) -> Markup:
    if not health.videos:
        return card("Catalogue", empty("No videos yet", "Add a folder of clips or a manifest.", _ADD))
    rows = [
        (modality, encoder, number(count), percent(count / health.videos))
        for (modality, encoder), count in health.present.items()
    ]
    rows.append(("caption", "as given", number(health.captions), percent(health.captions / health.videos)))
    return card(
        "What videos are known by",
        table("Vectors by modality and encoder", ("Modality", "Encoder", "Videos", "Share"), rows, numbers=(2, 3)),
        hint="A video that lacks one is ranked by the others.",
    )


def _rejected(console: Console, health: CatalogueHealth) -> Markup:
    if not health.rejected:
        return card("Rejected files", empty("None", "Every file that was added could be read."))
    rows = health.reasons.head(_SHOWN_REASONS).rows()
    return card(
        "Rejected files",
        table("Reasons", ("Reason", "Files"), [(reason, number(count)) for reason, count in rows], numbers=(1,)),
        tag("p", tag("a", "All of them", href=f"{console.root}/ingestion"), class_="more"),
    )


def _uploads(health: CatalogueHealth) -> None:
    if health.uploads.is_empty():
        return
    days = health.uploads.upsample(Col.DAY, every="1d").with_columns(pl.col(COUNT).fill_null(0))
    chart(
        "Uploads a day",
        charts.columns(days[Col.DAY].to_list(), {"videos": days[COUNT].to_list()}, x="day", y="videos"),
    )


def _numbers(caption: str, frame: pl.DataFrame) -> Markup:
    heads = [name.replace("_", " ") for name in frame.columns]
    rows = ([str(value) for value in row] for row in frame.tail(60).rows())
    return table(caption, heads, rows, numbers=range(1, len(heads)))
