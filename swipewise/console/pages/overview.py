"""How the platform is doing, at a glance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.behavior import COHORTS, Behavior, platform_behavior
from swipewise.console.data.health import COUNT, Activity, CatalogueHealth, activity, catalogue_health
from swipewise.console.data.models import alerts
from swipewise.console.data.serving import Fallbacks, fallbacks
from swipewise.console.markup import Markup, tag
from swipewise.console.pages.serving import answered, served
from swipewise.console.parts import (
    bars,
    card,
    chart,
    empty,
    exports,
    moment,
    number,
    numbers_of,
    percent,
    span,
    table,
    tiles,
)
from swipewise.console.shell import Visit, element, frame, show
from swipewise.schema import Action, Col

_SHOWN_REASONS = 5
_WEEKS = 12
_ADD = "swipewise videos add clips/"
_IMPORT = "swipewise events import log.csv"


def add_page(console: Console) -> None:
    """Put the page at ``/``."""

    @ui.page("/", response_timeout=60)
    async def overview(request: Request) -> None:
        found = await asyncio.to_thread(_found, console)
        with frame(Visit.of(console, request), "Overview", section="Overview", lead=_lead(console)):
            show(_figures(found.health, found.activity))
            with element("div", "grid"):
                _activity(console, found.activity)
                show(served(console, found.fallbacks), classes="third")
                answered(console, found.fallbacks)
                show(_alerts(console, found.alerts))
                if not found.activity.daily.is_empty():
                    _behavior(console, found.behavior)
                show(_catalogue(console, found.health), classes="half")
                show(_rejected(console, found.health), classes="half")
                _uploads(console, found.health)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """All that the page shows."""

    health: CatalogueHealth
    activity: Activity
    behavior: Behavior
    fallbacks: Fallbacks
    alerts: Sequence[Mapping[str, Any]]


def _found(console: Console) -> _Found:
    workspace, kept = console.workspace, console.kept
    return _Found(
        health=kept.get("health", lambda: catalogue_health(console.catalog)),
        activity=kept.get("activity", lambda: activity(workspace.events_dir)),
        behavior=kept.get("behavior", lambda: platform_behavior(workspace, console.catalog)),
        fallbacks=kept.get("fallbacks", lambda: fallbacks(workspace.events_dir)),
        alerts=alerts(workspace),
    )


def _lead(console: Console) -> str:
    engine = console.engine
    return f"Run {engine.run} ranks." if engine.run else f"No model ranks: {engine.note}."


def _alerts(console: Console, warnings: Sequence[Mapping[str, Any]]) -> Markup:
    if not (console.workspace.report_dir / "audit.json").is_file():
        told = empty("Not audited yet", "The audit looks for what goes wrong in models.", "swipewise audit")
        return card("Alerts", told)
    if not warnings:
        return card("Alerts", empty("None", "The last audit warns of nothing."))
    rows = [(each["title"], each["text"], each["mend"] or "–") for each in warnings]
    return card(
        "Alerts",
        table("Alerts", ("Check", "Found", "What to do"), rows),
        hint="Of the last audit.",
        extra=exports(console.root, "audit"),
    )


def _behavior(console: Console, behavior: Behavior) -> None:
    root, steps, curve = console.root, behavior.funnel, behavior.watched
    shares = {row[Col.STEP]: row[Col.SHARE] or 0.0 for row in steps.to_dicts()}
    show(
        card(
            "Funnel",
            bars("Share of exposures that reached each step", shares, most=1.0),
            hint=f"Of {number(steps[Col.INTERACTIONS][0])} exposures.",
            extra=exports(root, "funnel"),
        ),
        classes="half",
    )
    chart(
        "How far clips are watched",
        charts.watched(curve),
        classes="half",
        extra=exports(root, "watch-curve"),
    )
    show(
        card(
            "Retention",
            _cohorts(behavior),
            hint="By the week of a viewer's first event: the share that came again in each week after it.",
            extra=exports(root, "retention"),
        )
    )


def _cohorts(behavior: Behavior) -> Markup:
    """A row a cohort, a column a week, darker where more came again."""
    latest = behavior.retention[Col.COHORT].unique().sort().tail(COHORTS)
    shown = behavior.retention.filter(pl.col(Col.COHORT).is_in(latest.implode()))
    weeks = range(min(_WEEKS, shown[Col.PERIOD].n_unique()))
    rows = []
    for cohort in latest:
        of_cohort = shown.filter(pl.col(Col.COHORT) == cohort)
        share = dict(zip(of_cohort[Col.PERIOD], of_cohort[Col.SHARE], strict=True))
        cells = (
            tag(
                "span",
                percent(share[week]),
                class_="heat" if share[week] else "heat none",
                style=f"--share:{100 * share[week]:.0f}%",
            )
            if week in share
            else ""
            for week in weeks
        )
        rows.append((f"{cohort:%d %b %Y}", number(int(of_cohort[Col.SIZE][0])), *cells))
    heads = ("Week of", "Viewers", *(f"+{week}" for week in weeks))
    return table("Retention by cohort", heads, rows, numbers=range(1, len(heads)))


def _figures(health: CatalogueHealth, done: Activity) -> Markup:
    events, length = int(done.daily[COUNT].sum()), span(timedelta(seconds=health.seconds))
    return tiles(
        [
            ("Videos", number(health.videos), f"{length} of clips" if health.videos else ""),
            ("Events", number(events), f"latest {moment(done.last)}" if done.last else "none yet"),
            ("In the last hour", number(int(done.minutes[COUNT].sum())), "events posted or imported"),
            ("Near-duplicates", number(health.duplicates), "shown as one in a feed"),
            ("Rejected files", number(health.rejected), "see Ingestion"),
        ]
    )


def _activity(console: Console, done: Activity) -> None:
    if done.daily.is_empty():
        show(card("Events", empty("No events yet", "Post them to /v1/events, or import a log.", _IMPORT)))
        return
    by_day = done.daily.pivot(Col.ACTION, index=Col.DAY, values=COUNT).fill_null(0).sort(Col.DAY)
    actions = [str(action) for action in Action if action in by_day.columns]
    drawn = _with_gaps(by_day)
    chart(
        "Events a day",
        charts.lines(
            [f"{day:%d %b %Y}" if day else "…" for day in drawn[Col.DAY]],
            {name: drawn[name].to_list() for name in actions},
            x="day, UTC",
            y="events",
        ),
        hint="By action. Where days had none the line is broken.",
        classes="two-thirds",
        numbers=numbers_of("Events a day", by_day),
        extra=exports(console.root, "events-by-day"),
    )
    if not done.minutes[COUNT].sum():
        none = empty("None in the last hour", f"The latest was on {moment(done.last)}.")
        show(card("Events a minute", none), classes="third")
        return
    chart(
        "Events a minute",
        charts.columns(
            [f"{at:%H:%M}" for at in done.minutes[Col.AT]],
            {"events": done.minutes[COUNT].to_list()},
            x="time, UTC",
            y="",
        ),
        hint="Over the last hour.",
        classes="third",
        extra=exports(console.root, "events-by-minute"),
    )


def _with_gaps(by_day: pl.DataFrame) -> pl.DataFrame:
    """The same with one empty row wherever days are missing, so that a pause does not look like a fall."""
    after = by_day[Col.DAY].diff().dt.total_days().fill_null(1) > 1
    parts: list[pl.DataFrame] = []
    for row, broken in enumerate(after):
        parts += [by_day.clear(1)] if broken else []
        parts.append(by_day[row])
    return pl.concat(parts)


def _catalogue(console: Console, health: CatalogueHealth) -> Markup:
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
        extra=exports(console.root, "coverage"),
    )


def _rejected(console: Console, health: CatalogueHealth) -> Markup:
    if not health.rejected:
        return card("Rejected files", empty("None", "Every file that was added could be read."))
    rows = health.reasons.head(_SHOWN_REASONS).rows()
    return card(
        "Rejected files",
        table("Reasons", ("Reason", "Files"), [(reason, number(count)) for reason, count in rows], numbers=(1,)),
        tag("p", tag("a", "All of them", href=f"{console.root}/ingestion"), class_="more"),
        extra=exports(console.root, "rejected"),
    )


def _uploads(console: Console, health: CatalogueHealth) -> None:
    if health.uploads.is_empty():
        return
    days = health.uploads.upsample(Col.DAY, every="1d").with_columns(pl.col(COUNT).fill_null(0))
    chart(
        "Uploads a day",
        charts.columns(days[Col.DAY].to_list(), {"videos": days[COUNT].to_list()}, x="day", y="videos"),
        extra=exports(console.root, "uploads-by-day"),
    )
