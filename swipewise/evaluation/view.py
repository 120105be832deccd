"""What the page says, worked out from ``report.json`` alone: sentences, panels and tables ready to be placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from swipewise.evaluation.plots import agreement_plot, learning_plot, weights_plot
from swipewise.evaluation.protocol import Metric, Segment

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

_SEGMENT_TITLES: Final = {
    Segment.ALL: "All viewers",
    Segment.WARM_VIEWERS: "Warm viewers",
    Segment.COLD_VIEWERS: "Cold viewers",
    Segment.COLD_VIDEOS: "Cold videos",
}


def page_values(report: Report) -> dict[str, Any]:
    """Everything the template places, by the names it uses."""
    segments = report["segments"]
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
        "segments": [
            _panel(report, segment, Metric.NDCG_10, _SEGMENT_TITLES[segment], _segment_text(report, segment))
            for segment in Segment
            if segment != Segment.ALL and segment in segments
        ],
        "learning": _learning(report["learning"]),
        "attention": _attention(report["attention"]),
        "timeline": _timeline(report["split"]),
        "method": _method(report),
        "baselines": [_settings(model) for model in report["models"] if model["kind"] == "baseline"],
        "glossary": _glossary(report),
        "table": _table(report),
        "footer": _footer(report),
    }


def headline(report: Report) -> str:
    """The finding in one sentence, which claims no more than the interval of the difference allows."""
    best = _best_baseline(report)
    against = _against(report, best["name"])
    low, high, ratio = against["difference"]["low"], against["difference"]["high"], against["ratio"]
    if low is not None and low > 0:
        times = f"{ratio['value']:.2f} times as well as" if ratio else "better than"
        return f"The model ranks {times} the best baseline, {best['title']}"
    if high is not None and high < 0:
        return f"The best baseline, {best['title']}, ranks better than the model"
    return f"These viewers cannot tell the model from the best baseline, {best['title']}"


def _summary(report: Report) -> str:
    protocol = report["protocol"]
    found = _figure(report, report["models"][0]["name"])
    return (
        f"NDCG@10 {_number(found['value'])} ({_range(found)}) over {protocol['viewers']:,} viewers who liked "
        f"something new after {_day(report['split']['test_start'])}. Every ranking chose among all videos that "
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
            "value": _number(found["value"]),
            "range": f"95% interval {_range(found)}",
            "text": "Mean over viewers; 1 is a perfect ranking.",
        },
        {
            "title": f"Against the best baseline, {best['title']}",
            "value": f"{against['ratio']['value']:.2f}×" if against["ratio"] else "n/a",
            "range": f"95% interval {_range(against['ratio'], 2)}" if against["ratio"] else "",
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
                "value": _number(cold["value"]),
                "range": f"95% interval {_range(cold)}",
                "text": f"Videos nobody had seen before the cut; best baseline {_number(max(others))}.",
            }
        )
    return cards


def _panel(report: Report, segment: Segment, metric: Metric, title: str, text: str) -> dict[str, Any]:
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
                "value": _number(figure["value"]),
                "range": _range(figure),
                "at": f"{100 * figure['value'] / scale:.2f}",
                "start": f"{100 * low / scale:.2f}",
                "width": f"{100 * (high - low) / scale:.2f}",
            }
        )
    return {"title": title, "text": text, "rows": rows}


def _segment_text(report: Report, segment: Segment) -> str:
    viewers = f"{report['segments'][segment]['viewers']:,} viewers"
    below = report["protocol"]["cold_viewer_below"]
    return {
        Segment.ALL: f"{viewers}.",
        Segment.WARM_VIEWERS: f"{viewers} with at least {below} interactions before the cut.",
        Segment.COLD_VIEWERS: f"{viewers} with fewer than {below} interactions before the cut.",
        Segment.COLD_VIDEOS: f"{viewers}; only videos without any interaction before the cut count as relevant.",
    }[segment]


def _compared(report: Report, other: Mapping[str, Any]) -> dict[str, str]:
    against = _against(report, other["name"])
    ratio = against["ratio"]
    return {
        "title": other["title"],
        "difference": f"{against['difference']['value']:+.3f}".replace("-", "−"),
        "difference_range": _range(against["difference"]),
        "ratio": f"{ratio['value']:.2f}" if ratio else "–",
        "ratio_range": _range(ratio, 2) if ratio else "–",
        "reading": _reading(against) if other["kind"] == "baseline" else "the ceiling",
    }


def _reading(against: Mapping[str, Any]) -> str:
    low, high = against["difference"]["low"], against["difference"]["high"]
    if low is not None and low > 0:
        return "the model is better, by more than chance"
    if high is not None and high < 0:
        return "the model is worse, by more than chance"
    return "the difference may be chance"


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


def _timeline(split: Mapping[str, str]) -> list[dict[str, str]]:
    moments = [split[key] for key in ("first", "valid_start", "test_start", "last")]
    parts = []
    for name, start, end in zip(("train", "validation", "test"), moments, moments[1:], strict=False):
        days = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 86_400
        if days > 0:
            parts.append({"name": name, "share": f"{days:.3f}", "dates": f"{_day(start)} – {_day(end)}"})
    return parts


def _method(report: Report) -> list[str]:
    protocol, data, split = report["protocol"], report["data"], report["split"]
    return [
        f"Data: {data['interactions']:,} interactions of {data['viewers']:,} viewers with {data['videos']:,} "
        f"videos, {data['positive']:.0%} of them positive.",
        f"Everybody's interactions are cut at the same moments: validation from {_minute(split['valid_start'])}, "
        f"test from {_minute(split['test_start'])} (UTC). No recommender has seen anything of the test period.",
        f"Examined: the {protocol['viewers']:,} viewers with at least one positive interaction after the cut with "
        "a video that is not in their history. Those videos are the relevant ones, "
        f"{protocol['relevant']:.1f} a viewer.",
        "Candidates: every video uploaded by the viewer's last interaction, without those in the history, "
        f"{protocol['candidates']:,.0f} on average. No sampling. The first {protocol['places']} places "
        "count; equal scores are put in an arbitrary order that is always the same.",
        "The model is fitted on the training period and stopped by the validation period; baselines are tuned on "
        "the validation period and then fitted again on both. All know the histories up to the cut.",
        f"Intervals: {protocol['resamples']:,} bootstrap resamples of viewers, seed {report['seed']}, the same "
        "draws for every recommender, so that differences and ratios are paired.",
    ]


def _settings(model: Mapping[str, Any]) -> str:
    if model["validation"] is None:
        return f"{model['title']}: default settings, as nobody liked anything new in the validation period."
    settings = ", ".join(f"{name} = {'none' if v is None else v}" for name, v in model["settings"].items())
    return (
        f"{model['title']}: {settings}; the best of {model['tried']} settings, NDCG@10 "
        f"{_number(model['validation'])} on the validation period."
    )


def _glossary(report: Report) -> list[tuple[str, str]]:
    words = [
        (
            "NDCG@10",
            "Each liked video among the first ten places earns 1 / log2(place + 1); the sum is divided by the "
            "best sum possible for that viewer.",
        ),
        ("Recall@k", "Share of the viewer's liked videos that are among the first k places."),
        ("MRR", f"1 / place of the first liked video, 0 beyond place {report['protocol']['places']}."),
        (
            "95% interval",
            "Made so that it holds the mean over all such viewers 19 times in 20.",
        ),
        ("ItemCF", "Recommends videos liked by the viewers who liked what this viewer liked."),
        ("Popularity", "Recommends to everybody what is liked most."),
    ]
    if _of_kind(report, "oracle"):
        words.append(
            (
                "Oracle",
                "Ranks by the utility that the simulation planted. What viewers meet is partly chance, so even it "
                "stays well below 1.",
            )
        )
    return words


def _table(report: Report) -> dict[str, Any]:
    def cells(name: str, segment: Segment) -> list[dict[str, str]]:
        found = [_figure(report, name, segment, metric) for metric in Metric]
        return [{"value": _number(figure["value"]), "range": _range(figure)} for figure in found]

    segments = [
        {
            "title": _SEGMENT_TITLES[segment],
            "count": f"{part['viewers']:,} viewers, {part['targets']:,} relevant videos",
            "rows": [
                {"title": m["title"], "kind": m["kind"], "cells": cells(m["name"], segment)}
                for m in report["models"]
            ],
        }
        for segment in Segment
        if (part := report["segments"].get(segment))
    ]
    return {"metrics": [METRIC_TITLES[metric] for metric in Metric], "segments": segments}


def _footer(report: Report) -> list[str]:
    run = report["run"]
    lines = [f"Run {run['id']}, evaluated {_minute(report['evaluated_at'])} UTC."]
    if "data_fingerprint" in run:
        lines.append(f"Data fingerprint of the run: {run['data_fingerprint']}.")
    if "versions" in run:
        lines.append(
            "Versions: " + ", ".join(f"{name} {version}" for name, version in run["versions"].items()) + "."
        )
    return lines


def _figure(
    report: Report, name: str, segment: Segment = Segment.ALL, metric: Metric = Metric.NDCG_10
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


def _number(value: float) -> str:
    return f"{value:.3f}"


def _range(found: Mapping[str, Any], digits: int = 3) -> str:
    if found["low"] is None or found["high"] is None:
        return "no interval"
    return f"{found['low']:.{digits}f} to {found['high']:.{digits}f}".replace("-", "−")


def _day(moment: str) -> str:
    when = datetime.fromisoformat(moment)
    return f"{when.day} {when:%b %Y}"


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
