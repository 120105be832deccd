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
from swipewise.console.data.models import CURVES, Findings, Json, RunFacts, findings
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import bars, card, chart, empty, number, pill, table
from swipewise.console.shell import Visit, button, element, frame, show
from swipewise.errors import SwipewiseError
from swipewise.feed.publishing import publish, rollback

_METRICS = {"ndcg@10": "NDCG@10", "recall@10": "Recall@10", "recall@50": "Recall@50", "mrr": "MRR"}
_SEGMENTS = ("warm viewers", "cold viewers", "cold videos", "light viewers", "medium viewers", "heavy viewers")
_VERDICTS = {"pass": "good", "warn": "warn", "skip": ""}


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
            _learning(found)
            show(_compared(found.evaluation))
            show(_by_segment(found.evaluation))
            show(_attention(found.evaluation), classes="half")
            _calibration(found.evaluation)
            show(_audit(found.audit))
            show(_ablation(found.ablation))


def _runs(visit: Visit, found: Findings) -> None:
    with element("section", "card"):
        show(tag("h2", "Runs"), classes="card-head")
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
                            _change, visit, said, "publish", name, partial(publish, visit.console.workspace, name)
                        ),
                    )
            _confirmed(
                visit,
                "Roll back",
                "Feeds are ranked by the run that was published before this one.",
                partial(_change, visit, said, "rollback", "", partial(rollback, visit.console.workspace)),
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
        tag("span", *states) if states else "–",
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


def _learning(found: Findings) -> None:
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
    )


def _compared(report: Json | None) -> Markup:
    if report is None:
        return card("Against the baselines", empty("Not evaluated yet", "", "swipewise evaluate"))
    figures = report["segments"]["all"]["figures"]
    p_of = {
        each["other"]: each["p_holm"]
        for each in report["against"]
        if each["segment"] == "all" and each["metric"] == "ndcg@10"
    }
    rows = [
        (
            model["title"],
            *(_with_interval(figures[model["name"]].get(metric)) for metric in _METRICS),
            _p(p_of.get(model["name"])),
        )
        for model in report["models"]
    ]
    return card(
        "Against the baselines",
        table("Figures of all recommenders", ("Recommender", *_METRICS.values(), "p"), rows, numbers=range(1, 6)),
        hint=f"Run {report['run']['id']}; means over {report['protocol']['viewers']:,} viewers with 95% intervals. "
        "p: sign-flip test of NDCG@10 against the model, corrected after Holm.",
    )


def _by_segment(report: Json | None) -> Markup:
    if report is None:
        return Markup("")
    titles = [model["title"] for model in report["models"]]
    rows = []
    for name in (*_SEGMENTS, *(each for each in report["segments"] if each.startswith("without "))):
        segment = report["segments"].get(name)
        if segment is not None:
            found = [segment["figures"].get(model["name"], {}).get("ndcg@10") for model in report["models"]]
            rows.append((name, number(segment["viewers"]), *(number(each and each["value"]) for each in found)))
    return card(
        "Cold starts and other segments",
        table("NDCG@10 by segment", ("Segment", "Viewers", *titles), rows, numbers=range(1, len(titles) + 2)),
        hint="NDCG@10.",
    )


def _attention(report: Json | None) -> Markup:
    if report is None or not report.get("attention"):
        return card("What the model listens to", empty("Not measured yet", "", "swipewise evaluate"))
    found = {name: each["mean"] for name, each in report["attention"]["modalities"].items()}
    return card(
        "What the model listens to",
        bars(
            "Mean weight of each modality", dict(sorted(found.items(), key=lambda each: -each[1])), coloured=True
        ),
        hint=f"Mean weight of each modality over {report['attention']['viewers']:,} viewers.",
    )


def _calibration(report: Json | None) -> None:
    measured = ((report or {}).get("actions") or {}).get("actions", [])
    if report is None or not measured:
        show(card("Calibration", empty("Not measured yet", "", "swipewise evaluate")), classes="half")
        return
    model = report["models"][0]["name"]
    curves = {each["action"]: each["scores"][model]["reliability"] for each in measured if model in each["scores"]}
    chart(
        "Calibration",
        charts.points(
            {name: [(bin["predicted"], bin["observed"]) for bin in bins] for name, bins in curves.items()},
            x="predicted chance",
            y="share that did",
        ),
        hint="Of exposures with a like prediction, how many came true; on the diagonal it is right.",
        classes="half",
        numbers=table(
            "Calibration error",
            ("Action", "Happened", "AUC", "Calibration error"),
            [
                (
                    each["action"],
                    number(each["positives"]),
                    number(each["scores"][model]["auc"]["value"]),
                    number(each["scores"][model]["calibration_error"]),
                )
                for each in measured
                if model in each["scores"]
            ],
            numbers=(1, 2, 3),
        ),
    )


def _audit(audit: Json | None) -> Markup:
    if audit is None:
        return card("Audit", empty("Not audited yet", "Is attention collapsed, order ignored?", "swipewise audit"))
    rows = [
        (
            each["title"],
            pill(each["verdict"], _VERDICTS.get(each["verdict"], "")),
            each["text"],
            each["mend"] or "–",
        )
        for each in audit["findings"]
    ]
    return card(
        "Audit", table("Audit", ("Check", "Verdict", "Found", "What to do"), rows), hint=f"Run {audit['run']}."
    )


def _ablation(report: Json | None) -> Markup:
    if report is None:
        return card(
            "Ablations", empty("None yet", "Retrain without each part: what does it lose?", "swipewise ablate")
        )
    full = report["segments"]["all"]["full"]["ndcg@10"]
    rows: list[tuple[Any, ...]] = [("The whole model", _with_interval(full), "–", "–")]
    for each in report["variants"]:
        change = each["changes"]["all"]["ndcg@10"]
        rows.append(
            (each["title"], _with_interval(change["value"]), _signed(change["change"]), _p(change["p_holm"]))
        )
    heads = ("Trained", "NDCG@10", "Change", "p")
    return card(
        "Ablations",
        table("Ablations", heads, rows, numbers=(1, 2, 3)),
        hint="Retrained without each part, in the same way. p: corrected after Holm.",
    )


def _signed(found: Json | None) -> str:
    return "–" if not found else f"{found['value']:+.3f}"


def _with_interval(found: Json | None) -> Markup | str:
    if not found:
        return "–"
    interval = f" {found['low']:.3f} to {found['high']:.3f}"
    return tag("span", f"{found['value']:.3f}", tag("span", interval, class_="muted small"))


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
