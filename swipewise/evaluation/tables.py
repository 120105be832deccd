"""What ``swipewise evaluate`` prints: the tables of ``report.json`` for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.view import METRIC_TITLES, headline
from swipewise.evaluation.view_beyond import COLUMNS, columns_of
from swipewise.evaluation.wording import number, p_value

Report = Mapping[str, Any]


def print_tables(report: Report, console: Console) -> None:
    """Figures over all viewers with their p-values, by segment, by action and beyond accuracy; then the finding."""
    tables = [_ranking(report), _segments(report), _actions(report), _beyond(report)]
    for table in tables:
        if table.row_count:
            console.print(table)
            console.print()
    console.print(f"{headline(report)}.")
    agreement = (report["attention"] or {}).get("agreement")
    if agreement:
        each = ", ".join(f"{name} {value:.2f}" for name, value in agreement["spearman"].items())
        console.print(f"Planted and learned modality weights agree (Spearman): {each}.")


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(*columns, title=title, title_justify="left", box=None)
    table.columns[0].overflow = "fold"  # names that differ at their ends must not look alike
    return table


def _style(model: Mapping[str, Any]) -> str | None:
    return "bold" if model["kind"] == "model" else None


def _ranking(report: Report) -> Table:
    others = [metric for metric in Metric if metric != Metric.NDCG_10]
    titles = [METRIC_TITLES[metric] for metric in others]
    table = _table("All viewers", ["recommender", "NDCG@10", "95% interval", *titles, "p"])
    p_holm = {
        against["other"]: against["p_holm"]
        for against in report["against"]
        if (against["segment"], against["metric"]) == (Segment.ALL, Metric.NDCG_10)
    }
    for model in report["models"]:
        found = report["segments"][Segment.ALL]["figures"][model["name"]]
        ndcg = found[Metric.NDCG_10]
        table.add_row(
            model["title"],
            number(ndcg["value"]),
            f"{number(ndcg['low'])} to {number(ndcg['high'])}",
            *(number(found[metric]["value"]) for metric in others),
            p_value(p_holm.get(model["name"])),
            style=_style(model),
        )
    table.caption = "p: sign-flip test of NDCG@10 against the model, corrected after Holm"
    table.caption_justify = "left"
    return table


def _segments(report: Report) -> Table:
    """A line a segment, so that many fit."""
    table = _table("NDCG@10 by segment", ["segment", "viewers", *(model["title"] for model in report["models"])])
    for segment, part in report["segments"].items():
        if segment != Segment.ALL:
            figures = [part["figures"][model["name"]][Metric.NDCG_10] for model in report["models"]]
            table.add_row(
                escape(segment), f"{part['viewers']:,}", *(number(figure["value"]) for figure in figures)
            )
    return table


def _actions(report: Report) -> Table:
    titles = {model["name"]: model for model in report["models"]}
    table = _table(
        "Predicting actions", ["action", "recommender", "AUC", "GAUC", "F1", "log loss", "calibration error"]
    )
    for action in (report["actions"] or {}).get("actions", []):
        for name, score in action["scores"].items():
            found = [score[key]["value"] if score[key] else None for key in ("auc", "gauc", "f1", "log_loss")]
            table.add_row(
                action["action"],
                titles[name]["title"],
                *map(number, [*found, score["calibration_error"]]),
                style=_style(titles[name]),
            )
    return table


def _beyond(report: Report) -> Table:
    columns = columns_of(report["beyond"])
    table = _table("The first ten places", ["recommender", *(COLUMNS[key] for key in columns)])
    for model in report["models"]:
        one = report["beyond"]["recommenders"][model["name"]]
        values = [one[key]["value"] if isinstance(one[key], Mapping) else one[key] for key in columns]
        table.add_row(model["title"], *map(number, values), style=_style(model))
    return table
