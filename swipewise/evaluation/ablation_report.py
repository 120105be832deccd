"""What an ablation's ``report.json`` holds, and the page and table that are drawn from it.

::

    schema_version, ablated_at, seeds
    split        valid_start, test_start
    segments     segment -> viewers, full: metric -> value, low, high
    variants     [name, title, seed_means, trainings: [epochs, best_epoch, validation_ndcg, seconds],
                 changes: segment -> metric -> value, change, share, p, p_holm], without the full model
    full         seed_means and trainings of the full model
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from swipewise.evaluation.ablation import CONTENT_ONLY, FULL, ID_ONLY, SEGMENTS, Ablation, Change
from swipewise.evaluation.pages import change_rows, render_page, write_page
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.significance import LEVEL
from swipewise.evaluation.view import METRIC_TITLES
from swipewise.evaluation.wording import day, interval, minute, number, p_value, segment_title, signed
from swipewise.training.split import TimeSplit

Report = Mapping[str, Any]

SCHEMA_VERSION: Final = 1

_METRICS: Final = (Metric.NDCG_10, Metric.RECALL_50)


def as_ablation_report(found: Ablation, split: TimeSplit, *, ablated_at: datetime) -> dict[str, Any]:
    """Plain values for JSON; no number in it is infinite or NaN."""
    segments = [segment for segment in SEGMENTS if segment in found.comparison.figures]
    return {
        "schema_version": SCHEMA_VERSION,
        "ablated_at": ablated_at.astimezone(UTC).isoformat(timespec="seconds"),
        "seeds": list(found.seeds),
        "split": {"valid_start": _moment(split.valid_start), "test_start": _moment(split.test_start)},
        "segments": {
            str(segment): {
                "viewers": len(found.protocol.segments[segment].rows_B),
                "full": {
                    metric.value: figure.as_dict()
                    for metric, figure in found.comparison.figures[segment][FULL].items()
                },
            }
            for segment in segments
        },
        "full": _trainings(found, FULL),
        "variants": [
            {
                "name": variant,
                "title": variant_title(variant),
                **_trainings(found, variant),
                "changes": {
                    str(segment): {
                        metric.value: _change(change)
                        for metric in Metric
                        if (change := found.find(variant, metric, segment)) is not None
                    }
                    for segment in segments
                },
            }
            for variant in found.variants
        ],
    }


def variant_title(variant: str) -> str:
    """A variant's name as it is shown.

    >>> variant_title("audio"), variant_title("id-only")
    ('without audio', 'id only')
    """
    return variant.replace("-", " ") if variant in (ID_ONLY, CONTENT_ONLY) else f"without {variant}"


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _trainings(found: Ablation, variant: str) -> dict[str, Any]:
    return {
        "seed_means": list(found.seed_means[variant]),
        "trainings": [dict(facts) for facts in found.facts[variant]],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "value": change.value.as_dict(),
        "change": change.change.as_dict(),
        "share": change.share,
        "p": change.p,
        "p_holm": change.p_holm,
    }


def write_ablation(report: Report, directory: Path) -> Path:
    """Write ``index.html`` and ``report.json``; returns the page's path.

    Raises:
        ArtifactError: They cannot be written.
    """
    page = render_page("ablation.html.j2", page_values(report))
    return write_page(page, report, directory, name="index.html", figures="report.json")


def headline(report: Report) -> str:
    """Which parts are worth something by more than chance, in one sentence."""
    found = [(one, _main(one)) for one in report["variants"]]
    certain = sorted(
        (change["change"]["value"], one["title"]) for one, change in found if change["p_holm"] < LEVEL
    )
    losses = [f"{title} ({signed(value)})" for value, title in certain if value < 0]
    gains = [f"{title} ({signed(value)})" for value, title in certain if value > 0]
    if not certain:
        return "These viewers cannot tell any variant from the full model"
    worse = f"Worse than the full model: {', '.join(losses)}" if losses else "No variant is worse"
    return worse + (f". Better: {', '.join(gains)}" if gains else "")


def _main(variant: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = variant["changes"][Segment.ALL][Metric.NDCG_10]
    return found


def page_values(report: Report) -> dict[str, Any]:
    """Everything the template places, by the names it uses."""
    full = report["segments"][Segment.ALL]["full"][Metric.NDCG_10]
    seeds = len(report["seeds"])
    return {
        "headline": headline(report),
        "summary": f"The full model has NDCG@10 {number(full['value'])} ({interval(full)}) over "
        f"{report['segments'][Segment.ALL]['viewers']:,} viewers who liked something new after "
        f"{day(report['split']['test_start'])}. Every variant was trained anew on the same data, split and budget, "
        f"with {seeds} seed{'s' if seeds > 1 else ''}.",
        "panels": [
            {
                "title": f"{METRIC_TITLES[metric]}, {segment_title(segment).lower()}",
                "text": f"{part['viewers']:,} viewers; full model {number(part['full'][metric]['value'])}",
                "rows": change_rows(
                    [(one["title"], one["changes"][segment][metric]["change"]) for one in report["variants"]]
                ),
            }
            for segment, part in report["segments"].items()
            for metric in _METRICS
        ],
        "columns": [segment_title(segment) for segment in report["segments"]],
        "rows": [_row(one, report) for one in report["variants"]],
        "full": {
            "value": number(full["value"]),
            "range": interval(full),
            "seeds": _spread(report["full"]["seed_means"]),
        },
        "footer": [
            f"Compared {minute(report['ablated_at'])} UTC; seeds {', '.join(map(str, report['seeds']))}. All figures "
            "are in report.json beside this page."
        ],
    }


def _spread(means: list[float]) -> str:
    """Of the means of the seeds, from the lowest to the highest."""
    return f"{number(min(means))} to {number(max(means))}" if len(means) > 1 else "–"


def _row(variant: Mapping[str, Any], report: Report) -> dict[str, Any]:
    cells = []
    for segment in report["segments"]:
        found = variant["changes"][segment][Metric.NDCG_10]
        cells.append(
            {
                "value": signed(found["change"]["value"], 4),
                "range": f"{interval(found['change'], 4)}; p {p_value(found['p_holm'])}",
            }
        )
    main = _main(variant)
    recall = variant["changes"][Segment.ALL][Metric.RECALL_50]
    return {
        "title": variant["title"],
        "value": number(main["value"]["value"]),
        "range": interval(main["value"]),
        "seeds": _spread(variant["seed_means"]),
        "recall": number(recall["value"]["value"]),
        "recall_change": signed(recall["change"]["value"], 4),
        "share": "–" if main["share"] is None else f"{main['share']:+.1%}".replace("-", "−"),
        "p": p_value(main["p_holm"]),
        "cells": cells,
    }


def print_ablation(report: Report, console: Console) -> None:
    """The variants with their change over all viewers, then for cold viewers and cold videos, then the finding."""
    full = report["segments"][Segment.ALL]["full"]
    columns = ["variant", "NDCG@10", "change", "95% interval", "p", "R@50", "change"]
    table = Table(*columns, title="All viewers", title_justify="left", box=None)
    table.add_row(
        "full model",
        number(full[Metric.NDCG_10]["value"]),
        *[""] * 3,
        number(full[Metric.RECALL_50]["value"]),
        "",
        style="bold",
    )
    for variant in report["variants"]:
        row, found = _row(variant, report), _main(variant)["change"]
        change = signed(found["value"], 4), interval(found, 4)
        table.add_row(row["title"], row["value"], *change, row["p"], row["recall"], row["recall_change"])
    table.caption = "p: of NDCG@10, sign-flip test corrected after Holm; R@50: Recall@50"
    table.caption_justify = "left"
    console.print(table)
    console.print()
    for segment in (Segment.COLD_VIEWERS, Segment.COLD_VIDEOS):
        if segment in report["segments"]:
            console.print(_segment(report, segment))
            console.print()
    console.print(f"{headline(report)}.")


def _segment(report: Report, segment: str) -> Table:
    part = report["segments"][segment]
    title = f"{segment_title(segment)}, {part['viewers']:,} viewers"
    columns = ["variant", "NDCG@10", "change", "95% interval", "p"]
    table = Table(*columns, title=title, title_justify="left", box=None)
    table.add_row("full model", number(part["full"][Metric.NDCG_10]["value"]), *[""] * 3, style="bold")
    for variant in report["variants"]:
        found = variant["changes"][segment][Metric.NDCG_10]
        change = signed(found["change"]["value"], 4), interval(found["change"], 4)
        table.add_row(variant["title"], number(found["value"]["value"]), *change, p_value(found["p_holm"]))
    return table
