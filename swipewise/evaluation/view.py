"""What the page says, worked out from ``report.json`` alone: sentences, panels and tables ready to be placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from swipewise.evaluation.plots import activity_plot, agreement_plot, learning_plot, weights_plot
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import ACTIVITY, Group, Segment, group_of
from swipewise.evaluation.view_actions import actions_values
from swipewise.evaluation.view_beyond import beyond_values
from swipewise.evaluation.view_method import footer, glossary, method, settings, timeline
from swipewise.evaluation.wording import day, interval, number, p_value, segment_title, signed, verdict

Report = Mapping[str, Any]

METRIC_TITLES: Final = {
    Metric.NDCG_10: "NDCG@10",
    Metric.RECALL_10: "Recall@10",
    Metric.RECALL_50: "Recall@50",
    Metric.MRR: "MRR",
}

_METRIC_TEXTS: Final = {
    Metric.NDCG_10: "How far up the first ten places the liked videos stand.",
    Metric.RECALL_10: "Share of the liked videos among the first 10.",
    Metric.RECALL_50: "Share of the liked videos among the first 50.",
    Metric.MRR: "One divided by the place of the first liked video.",
}

_GROUP_TITLES: Final = {
    Group.COLDNESS: ("Cold and warm", "Whether viewers and videos were known before the cut."),
    Group.CATEGORY: (
        "By category",
        "The categories with the most videos. Only videos of the category count as relevant.",
    ),
    Group.MODALITY: (
        "Where a modality is missing",
        "Only videos that lack it count as relevant: what the other modalities carry by themselves.",
    ),
}


def page_values(report: Report) -> dict[str, Any]:
    """Everything the template places, by the names it uses."""
    baselines = _of_kind(report, "baseline")
    oracle = _of_kind(report, "oracle")
    return {
        "run_id": report["run"]["id"],
        "headline": headline(report),
        "summary": _summary(report),
        "viewers": f"{report['protocol']['viewers']:,}",
        "has_oracle": bool(oracle),
        "cards": _cards(report),
        "metrics": [
            _panel(report, Segment.ALL, metric, METRIC_TITLES[metric], _METRIC_TEXTS[metric]) for metric in Metric
        ],
        "comparisons": [_compared(report, other) for other in [*baselines, *oracle]],
        "activity": _activity(report),
        "segment_groups": _segment_groups(report),
        "actions": actions_values(report),
        "beyond": beyond_values(report),
        "learning": _learning(report["learning"]),
        "attention": _attention(report["attention"]),
        "timeline": timeline(report["split"]),
        "method": method(report),
        "baselines": [settings(model) for model in report["models"] if model["kind"] == "baseline"],
        "glossary": glossary(report),
        "table": _table(report),
        "footer": footer(report),
    }


def headline(report: Report) -> str:
    """The finding in one sentence, which claims no more than interval and corrected p-value allow."""
    best = _best_baseline(report)
    against = _against(report, best["name"])
    found, ratio = verdict(against), against["ratio"]
    if found > 0:
        times = f"{ratio['value']:.2f} times as well as" if ratio else "better than"
        return f"The model ranks {times} the best baseline, {best['title']}"
    if found < 0:
        return f"The best baseline, {best['title']}, ranks better than the model"
    return f"These viewers cannot tell the model from the best baseline, {best['title']}"


def _summary(report: Report) -> str:
    protocol = report["protocol"]
    found = _figure(report, report["models"][0]["name"])
    return (
        f"NDCG@10 {number(found['value'])} ({interval(found)}) over {protocol['viewers']:,} viewers who liked "
        f"something new after {day(report['split']['test_start'])}. Every ranking chose among all videos that "
        f"existed, {protocol['candidates']:,.0f} on average."
    )


def _cards(report: Report) -> list[dict[str, str]]:
    model = report["models"][0]["name"]
    best = _best_baseline(report)
    against = _against(report, best["name"])
    found = _figure(report, model)
    cards = [
        {
            "title": "NDCG@10 of the model",
            "value": number(found["value"]),
            "range": f"95% interval {interval(found)}",
            "text": "Mean over viewers; 1 is a perfect ranking.",
        },
        {
            "title": f"Against the best baseline, {best['title']}",
            "value": f"{against['ratio']['value']:.2f}×" if against["ratio"] else "n/a",
            "range": f"95% interval {interval(against['ratio'], 2)}" if against["ratio"] else "",
            "text": f"Their NDCG@10 in proportion: {_reading(against)}.",
        },
    ]
    for oracle in _of_kind(report, "oracle"):
        ratio = _against(report, oracle["name"])["ratio"]
        if ratio:
            cards.append(
                {
                    "title": "Share of the ceiling",
                    "value": f"{ratio['value']:.0%}",
                    "range": f"95% interval {ratio['low']:.0%} to {ratio['high']:.0%}",
                    "text": "Of what ranking by the simulation's true utility reaches.",
                }
            )
    if Segment.COLD_VIDEOS in report["segments"]:
        cold = _figure(report, model, Segment.COLD_VIDEOS)
        others = [_figure(report, b["name"], Segment.COLD_VIDEOS)["value"] for b in _of_kind(report, "baseline")]
        cards.append(
            {
                "title": "NDCG@10 on cold videos",
                "value": number(cold["value"]),
                "range": f"95% interval {interval(cold)}",
                "text": f"Videos nobody had seen before the cut; best baseline {number(max(others))}.",
            }
        )
    return cards


def _panel(report: Report, segment: str, metric: Metric, title: str, text: str) -> dict[str, Any]:
    """Bars on one scale, which ends at the largest value or interval."""
    found = [(model, _figure(report, model["name"], segment, metric)) for model in report["models"]]
    scale = max(max(figure["value"], figure["high"] or 0.0) for _, figure in found) or 1.0
    rows = []
    for model, figure in found:
        low = figure["value"] if figure["low"] is None else figure["low"]
        high = figure["value"] if figure["high"] is None else figure["high"]
        rows.append(
            {
                "title": model["title"],
                "kind": model["kind"],
                "value": number(figure["value"]),
                "range": interval(figure),
                "at": f"{100 * figure['value'] / scale:.2f}",
                "start": f"{100 * low / scale:.2f}",
                "width": f"{100 * (high - low) / scale:.2f}",
            }
        )
    return {"title": title, "text": text, "rows": rows}


def _activity(report: Report) -> dict[str, str] | None:
    """The plot, where there are at least two degrees of activity to compare."""
    there = [segment for segment in ACTIVITY if segment in report["segments"]]
    if len(there) < 2:
        return None
    labels = [f"{segment.split()[0]}\n{report['segments'][segment]['viewers']:,}" for segment in there]
    series = [
        (model["title"], model["kind"], [_figure(report, model["name"], segment) for segment in there])
        for model in report["models"]
    ]
    protocol = report["protocol"]
    cold, medium, heavy = (
        protocol[key] for key in ("cold_viewer_below", "medium_viewer_from", "heavy_viewer_from")
    )
    return {
        "plot": activity_plot(labels, series),
        "text": f"NDCG@10 by how much viewers had done before the cut, with 95% intervals: cold viewers have fewer "
        f"than {cold} interactions, light ones {cold} to {medium - 1}, medium ones {medium} to {heavy - 1}, heavy "
        f"ones {heavy} or more. Below the name: how many viewers.",
    }


def _segment_groups(report: Report) -> list[dict[str, Any]]:
    groups = []
    for group, (title, text) in _GROUP_TITLES.items():
        panels = [
            _panel(report, segment, Metric.NDCG_10, segment_title(segment), _segment_text(report, segment))
            for segment in report["segments"]
            if group_of(segment) == group
        ]
        if panels:
            groups.append({"title": title, "text": text, "panels": panels})
    return groups


def _segment_text(report: Report, segment: str) -> str:
    part = report["segments"][segment]
    viewers = f"{part['viewers']:,} viewers"
    below = report["protocol"]["cold_viewer_below"]
    known: dict[str, str] = {
        Segment.WARM_VIEWERS: f"{viewers} with at least {below} interactions before the cut.",
        Segment.COLD_VIEWERS: f"{viewers} with fewer than {below} interactions before the cut.",
        Segment.COLD_VIDEOS: f"{viewers}; only videos without any interaction before the cut count as relevant.",
    }
    return known.get(segment, f"{viewers}, {part['targets']:,} relevant videos.")


def _compared(report: Report, other: Mapping[str, Any]) -> dict[str, str]:
    against = _against(report, other["name"])
    ratio = against["ratio"]
    return {
        "title": other["title"],
        "difference": signed(against["difference"]["value"]),
        "difference_range": interval(against["difference"]),
        "ratio": number(ratio["value"], 2) if ratio else "–",
        "ratio_range": interval(ratio, 2) if ratio else "–",
        "p": p_value(against["p"]),
        "p_holm": p_value(against["p_holm"]),
        "reading": "the ceiling" if other["kind"] == "oracle" else _reading(against),
    }


def _reading(against: Mapping[str, Any]) -> str:
    return {
        1: "the model is better, by more than chance",
        -1: "the model is worse, by more than chance",
        0: "the difference may be chance",
    }[verdict(against)]


def _learning(epochs: Sequence[Mapping[str, float]]) -> dict[str, str] | None:
    if not epochs:
        return None
    best = max(epochs, key=lambda epoch: epoch["ndcg"])
    return {
        "plot": learning_plot(epochs),
        "text": f"After each of {len(epochs)} passes over the training period the model ranked for the validation "
        f"period; what it had learned after pass {best['epoch']:.0f}, the best, was kept and is examined here.",
    }


def _attention(attention: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if attention is None:
        return None
    spreads = attention["modalities"]
    ordered = sorted(spreads, key=lambda name: -spreads[name]["mean"])
    shares = ", ".join(f"{name} {spreads[name]['mean']:.0%}" for name in ordered)
    return {
        "plot": weights_plot(spreads),
        "text": f"The weight each modality gets when the model puts a video together for a viewer, over "
        f"{attention['viewers']:,} viewers with a history. Means: {shares}.",
        "agreement": _agreement(attention["agreement"]),
    }


def _agreement(agreement: Mapping[str, Any] | None) -> dict[str, str] | None:
    if agreement is None:
        return None
    return {
        "plot": agreement_plot(agreement["deciles"], agreement["spearman"]),
        "text": f"The simulation planted how much each viewer cares for each modality. Beside the name: the rank "
        f"correlation (Spearman) between planted and learned weight over {agreement['viewers']:,} viewers with at "
        f"least {agreement['min_interactions']} interactions; mean {agreement['spearman']['mean']:.2f}. Dots are "
        "tenths of the viewers by planted weight, the line through each the middle half of what was learned.",
    }


def _table(report: Report) -> dict[str, Any]:
    def cells(name: str, segment: str) -> list[dict[str, str]]:
        found = [_figure(report, name, segment, metric) for metric in Metric]
        return [{"value": number(figure["value"]), "range": interval(figure)} for figure in found]

    segments = [
        {
            "title": segment_title(segment),
            "count": f"{part['viewers']:,} viewers, {part['targets']:,} relevant videos",
            "rows": [
                {"title": m["title"], "kind": m["kind"], "cells": cells(m["name"], segment)}
                for m in report["models"]
            ],
        }
        for segment, part in report["segments"].items()
    ]
    return {"metrics": [METRIC_TITLES[metric] for metric in Metric], "segments": segments}


def _figure(
    report: Report, name: str, segment: str = Segment.ALL, metric: Metric = Metric.NDCG_10
) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report["segments"][segment]["figures"][name][metric]
    return found


def _against(report: Report, other: str) -> Mapping[str, Any]:
    wanted = (other, Segment.ALL, Metric.NDCG_10)
    found: Mapping[str, Any] = next(
        a for a in report["against"] if (a["other"], a["segment"], a["metric"]) == wanted
    )
    return found


def _of_kind(report: Report, kind: str) -> list[Mapping[str, Any]]:
    return [model for model in report["models"] if model["kind"] == kind]


def _best_baseline(report: Report) -> Mapping[str, Any]:
    return max(_of_kind(report, "baseline"), key=lambda model: _figure(report, model["name"])["value"])
