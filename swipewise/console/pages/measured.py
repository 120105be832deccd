"""What evaluation, audit, ablation and transfer have found of models, in cards of the models page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.models import Json
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import card, chart, empty, exports, number, percent, pill, table
from swipewise.console.shell import show

_METRICS = {"ndcg@10": "NDCG@10", "recall@10": "Recall@10", "recall@50": "Recall@50", "mrr": "MRR"}
_TRANSFERRED = {"ndcg@10": "NDCG@10", "recall@50": "Recall@50"}
_SEGMENTS = ("cold viewers", "cold videos", "warm viewers", "light viewers", "medium viewers", "heavy viewers")
_COLD = ("cold viewers", "cold videos")
_VERDICTS = {"pass": "good", "warn": "warn", "skip": ""}


def compared(console: Console, report: Json | None) -> Markup:
    """All recommenders with their intervals, and whether the model beats each by more than chance."""
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
        extra=exports(console.root, "evaluation"),
    )


def by_segment(console: Console, report: Json | None) -> Markup:
    """The same by kinds of viewers and videos, cold starts first."""
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
        extra=exports(console.root, "evaluation"),
    )


def attention(console: Console, report: Json | None, audit: Json | None) -> None:
    """How the weights of each modality are spread over viewers, and whether the audit finds them collapsed."""
    title = "What the model listens to"
    if report is None or not report.get("attention"):
        show(card(title, empty("Not measured yet", "", "swipewise evaluate")), classes="half")
        return
    found, viewers = report["attention"]["modalities"], report["attention"]["viewers"]
    bins = len(next(iter(found.values()))["histogram"])
    shares = {
        name: [count / max(1, sum(each["histogram"])) for count in each["histogram"]]
        for name, each in found.items()
    }
    ordered = sorted(found.items(), key=lambda each: -each[1]["mean"])
    rows = [
        (name, *(percent(value) for value in (each["mean"], *each["quantiles"].values())))
        for name, each in ordered
    ]
    chart(
        title,
        charts.lines(
            [percent((place + 0.5) / bins) for place in range(bins)],
            {name: shares[name] for name, _ in ordered},
            x="weight",
            y="viewers",
            percent=True,
            colours=[f"var(--{name})" for name, _ in ordered],
        ),
        hint=f"How the weight of each modality is spread over {viewers:,} viewers.",
        extra=exports(console.root, "attention"),
        classes="half",
        numbers=table(
            "Weights over viewers",
            ("Modality", "Mean", "5%", "25%", "Median", "75%", "95%"),
            rows,
            numbers=range(1, 7),
        ),
        below=_collapse(audit),
    )


def _collapse(audit: Json | None) -> Markup:
    """What the audit says of attention, its verdict first."""
    findings = [each for each in (audit or {}).get("findings", ()) if each["check"].startswith("attention")]
    if not findings:
        return tag(
            "p", "Whether attention has collapsed is for ", tag("code", "swipewise audit"), class_="hint small"
        )
    collapsed = [each for each in findings if each["verdict"] == "warn"]
    judged = [each for each in findings if each["verdict"] != "skip"]
    verdict = "not judged" if not judged else "collapsed" if collapsed else "not collapsed"
    told = " ".join(each["text"] for each in collapsed) or f"{len(judged)} checks of the audit pass"
    kind = "warn" if collapsed else "good" if judged else ""
    return tag("p", pill(verdict, kind), " ", tag("span", told, class_="small"))


def calibration(console: Console, report: Json | None) -> None:
    """How often what was predicted came true."""
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
        extra=exports(console.root, "calibration"),
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


def audited(console: Console, audit: Json | None) -> Markup:
    """All findings of the audit."""
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
        "Audit",
        table("Audit", ("Check", "Verdict", "Found", "What to do"), rows),
        hint=f"Run {audit['run']}.",
        extra=exports(console.root, "audit"),
    )


def ablated(console: Console, report: Json | None) -> Markup:
    """What the model loses when it is trained without each of its parts."""
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
        extra=exports(console.root, "ablations"),
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


def transferred(console: Console, reports: Sequence[Json]) -> Markup:
    """How models do on a platform that they were not trained on."""
    title = "Transfer"
    if not reports:
        told = empty(
            "None yet", "How does the model of another workspace rank here?", "swipewise transfer --from OTHER"
        )
        return card(title, told)
    rows: list[tuple[Any, ...]] = []
    for report in reports:
        figures = report["segments"]["all"]["figures"]
        p_of = {
            each["other"]: each["p_holm"]
            for each in report["against"]
            if each["segment"] == "all" and each["metric"] == "ndcg@10"
        }
        source = report["source"]
        for model in report["models"]:
            name = model["name"]
            first = name == report["models"][0]["name"]
            rows.append(
                (
                    f"{source['run']} of {Path(source['workspace']).name}" if first else model["title"],
                    *(_with_interval(figures[name].get(metric)) for metric in _TRANSFERRED),
                    *(_value(report, segment, name) for segment in _COLD),
                    _p(p_of.get(name)),
                )
            )
    heads = ("Recommender", *_TRANSFERRED.values(), *(f"NDCG@10, {name}" for name in _COLD), "p")
    return card(
        title,
        table("Transferred models", heads, rows, numbers=range(1, len(heads))),
        hint="A model of another workspace, to which all ids here are new, on this one's test period; below it what it "
        "is held against. p: sign-flip test of NDCG@10 against the transferred model, corrected after Holm.",
        extra=exports(console.root, "transfer"),
    )


def _value(report: Json, segment: str, name: str) -> str:
    figures = report["segments"].get(segment, {}).get("figures", {}).get(name, {})
    return number(figures["ndcg@10"]["value"]) if figures.get("ndcg@10") else "–"
