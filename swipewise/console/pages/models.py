"""Runs side by side, what was measured of them, and which of them serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.changing import changing
from swipewise.console.context import Console
from swipewise.console.data.models import CURVES, Findings, RunFacts, findings
from swipewise.console.markup import Markup, tag
from swipewise.console.pages.measured import (
    ablated,
    attention,
    audited,
    by_segment,
    calibration,
    compared,
    transferred,
)
from swipewise.console.parts import chart, empty, exports, number, pill, table
from swipewise.console.shell import Visit, button, element, frame, show
from swipewise.errors import SwipewiseError


def add_page(console: Console) -> None:
    """Put the page at ``/models``."""

    @ui.page("/models", response_timeout=60)
    async def models(request: Request) -> None:
        visit = Visit.of(console, request)
        found = await asyncio.to_thread(findings, console.workspace)
        serving = console.engine.run
        lead = f"Run {serving} ranks." if serving else f"No model ranks: {console.engine.note}."
        with frame(visit, "Models", section="Models", lead=lead), element("div", "grid"):
            _runs(visit, found)
            _learning(visit.console, found)
            show(compared(console, found.evaluation))
            show(by_segment(console, found.evaluation))
            attention(console, found.evaluation, found.audit)
            calibration(console, found.evaluation)
            show(audited(console, found.audit))
            show(ablated(console, found.ablation))
            show(transferred(console, found.transfers))


def _runs(visit: Visit, found: Findings) -> None:
    with element("section", "card"):
        extra = exports(visit.console.root, "runs") if found.runs else Markup("")
        show(tag("h2", "Runs") + extra, classes="card-head")
        if not found.runs:
            show(empty("No run yet", "Train a model on what is in the workspace.", "swipewise train"))
            return
        show(_runs_table(visit, found))
        manual = visit.console.workspace.config.server.publish == "manual"
        if not manual:
            show(
                tag(
                    "p",
                    "The newest run is served by itself; ",
                    tag("code", 'publish = "manual"'),
                    " under [server] lets you choose.",
                    class_="hint",
                )
            )
            return
        said = show(Markup(""))
        said.classes("said").props["role"] = "status"
        with element("div", "row"):
            for run in found.runs:
                if not run.model.published:
                    name = run.model.run
                    _confirmed(
                        visit,
                        f"Publish {name}",
                        f"Feeds are ranked by run {name} from now on; requests go on meanwhile.",
                        partial(
                            _change, visit, said, "publish", name, partial(visit.console.engine.publish, name)
                        ),
                    )
            _confirmed(
                visit,
                "Roll back",
                "Feeds are ranked by the run that was published before this one.",
                partial(_change, visit, said, "rollback", "", visit.console.engine.rollback),
            )


def _runs_table(visit: Visit, found: Findings) -> Markup:
    heads = ("Run", "State", "NDCG@10, validation", "Best epoch", "Minutes", "Viewers", "Videos", "Interactions")
    rows = [_run_row(visit, run) for run in found.runs]
    return table("Runs", heads, rows, numbers=range(2, len(heads)))


def _run_row(visit: Visit, run: RunFacts) -> tuple[Any, ...]:
    states = [pill("serving", "good")] if run.model.run == visit.console.engine.run else []
    states += [pill("published", "accent")] if run.model.published else []
    return (
        tag("span", run.model.run, class_="mono"),
        tag("span", *states, class_="pills") if states else "–",
        number(run.model.validation_ndcg),
        number(run.best_epoch),
        f"{run.seconds / 60:.1f}" if run.seconds else "–",
        *(number(run.sizes.get(name)) for name in ("viewers", "videos", "interactions")),
    )


def _confirmed(visit: Visit, name: str, text: str, change: Callable[[], Any]) -> None:
    """A button that asks once more before it does something."""
    with element("dialog") as asked:
        asked.props["aria-label"] = name
        show(tag("h2", f"{name}?") + tag("p", text))
        with element("div", "row"):
            button(name, change, classes="primary", closes=True)
            show(tag("button", "Cancel", class_="button", type="button", data_closes=True))
    disabled = not visit.session.may_change
    show(tag("button", name, class_="button", type="button", data_opens=f"c{asked.id}", disabled=disabled))


async def _change(visit: Visit, said: ui.html, action: str, run: str, work: Callable[[], Any]) -> None:
    try:
        await changing(visit, action, run, work)
        await asyncio.to_thread(visit.console.engine.look_for_videos)
    except SwipewiseError as error:
        said.set_content(str(tag("span", str(error), class_="complaint")))
        return
    ui.navigate.reload()


def _learning(console: Console, found: Findings) -> None:
    runs = [run for run in found.runs if run.learning][:CURVES]
    if not runs:
        return
    last = max(int(run.learning[-1]["epoch"]) for run in runs)
    curves = {run.model.run: {int(each["epoch"]): each["ndcg"] for each in run.learning} for run in runs}
    places = list(range(1, last + 1))
    series = {name: [curve.get(epoch) for epoch in places] for name, curve in curves.items()}
    chart(
        "Learning curves",
        charts.lines(places, series, x="epoch", y="NDCG@10"),
        hint="On the validation period, by epoch.",
        extra=exports(console.root, "learning-curves"),
    )
