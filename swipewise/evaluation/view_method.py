"""What the page says about how the figures came about, worked out from ``report.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from swipewise.evaluation.wording import day, minute, number

Report = Mapping[str, Any]


def timeline(split: Mapping[str, str]) -> list[dict[str, str]]:
    """The periods of the split that are not empty, and their share of the time."""
    moments = [split[key] for key in ("first", "valid_start", "test_start", "last")]
    parts = []
    for name, start, end in zip(("train", "validation", "test"), moments, moments[1:], strict=False):
        days = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 86_400
        if days > 0:
            parts.append({"name": name, "share": f"{days:.3f}", "dates": f"{day(start)} – {day(end)}"})
    return parts


def method(report: Report) -> list[str]:
    """How it was measured, a sentence a point."""
    protocol, data, split = report["protocol"], report["data"], report["split"]
    return [
        f"Data: {data['interactions']:,} interactions of {data['viewers']:,} viewers with {data['videos']:,} "
        f"videos, {data['positive']:.0%} of them positive.",
        f"Everybody's interactions are cut at the same moments: validation from {minute(split['valid_start'])}, "
        f"test from {minute(split['test_start'])} (UTC). No recommender has seen anything of the test period.",
        f"Examined: the {protocol['viewers']:,} viewers with at least one positive interaction after the cut with "
        "a video that is not in their history. Those videos are the relevant ones, "
        f"{protocol['relevant']:.1f} a viewer.",
        f"Candidates: every video {_candidates(protocol)}, without those in the history, "
        f"{protocol['candidates']:,.0f} on average. No sampling. The first {protocol['places']} places "
        "count; equal scores are put in an arbitrary order that is always the same.",
        "The model is fitted on the training period and stopped by the validation period; baselines are tuned on "
        "the validation period and then fitted again on both. All know the histories up to the cut.",
        f"Intervals: {protocol['resamples']:,} bootstrap resamples of viewers, seed {report['seed']}, the same "
        "draws for every recommender, so that differences and ratios are paired.",
        f"p-values: two-sided sign-flip test on the viewers' differences, {protocol['flips']:,} random assignments of "
        "signs, or all of them where there are no more. Corrected after Holm within one metric over all viewers, for "
        f"{_family(report)}. p-values of the other segments, in report.json, are not corrected.",
    ]


def _candidates(protocol: Mapping[str, Any]) -> str:
    return "of the catalogue" if protocol["all_candidates"] else "uploaded by the viewer's last interaction"


def _family(report: Report) -> str:
    family = {one["other"] for one in report["against"] if one["p_holm"] is not None}
    return f"its {len(family)} comparisons" if len(family) != 1 else "its one comparison"


def settings(model: Mapping[str, Any]) -> str:
    """A baseline's settings and how they were chosen."""
    if model["validation"] is None:
        return f"{model['title']}: default settings, as nobody liked anything new in the validation period."
    chosen = ", ".join(f"{name} = {'none' if v is None else v}" for name, v in model["settings"].items())
    return (
        f"{model['title']}: {chosen}; the best of {model['tried']} settings, NDCG@10 "
        f"{number(model['validation'])} on the validation period."
    )


def glossary(report: Report) -> list[tuple[str, str]]:
    """Words of the page and what they mean."""
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
        (
            "p",
            "How often a difference at least as large would come about if the model and the other were equally good; "
            "corrected, it allows for how many others there are.",
        ),
        ("ItemCF", "Recommends videos liked by the viewers who liked what this viewer liked."),
        ("Popularity", "Recommends to everybody what is liked most."),
    ]
    if any(model["kind"] == "oracle" for model in report["models"]):
        words.append(
            (
                "Oracle",
                "Ranks by the utility that the simulation planted. What viewers meet is partly chance, so even it "
                "stays well below 1.",
            )
        )
    return words


def footer(report: Report) -> list[str]:
    """Where the figures come from."""
    run = report["run"]
    lines = [f"Run {run['id']}, evaluated {minute(report['evaluated_at'])} UTC."]
    if "data_fingerprint" in run:
        lines.append(f"Data fingerprint of the run: {run['data_fingerprint']}.")
    if "versions" in run:
        lines.append(
            "Versions: " + ", ".join(f"{name} {version}" for name, version in run["versions"].items()) + "."
        )
    return lines
