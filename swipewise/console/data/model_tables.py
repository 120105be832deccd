"""What the models page shows, as tables with a row a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data.long_tables import NDCG, RUN, WEIGHT
from swipewise.console.data.models import Findings, Json, findings
from swipewise.errors import DataError
from swipewise.schema import Col

_FIGURE: Final = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
_NDCG: Final = "ndcg@10"


def runs(console: Console) -> pl.DataFrame:
    """run, serving, published, ndcg (of the validation period), best_epoch, seconds, and the sizes of its data."""
    sizes = (Col.VIEWERS, Col.VIDEOS, Col.INTERACTIONS)
    rows = [
        {
            RUN: run.model.run,
            "serving": run.model.run == console.engine.run,
            "published": run.model.published,
            NDCG: run.model.validation_ndcg,
            "best_epoch": run.best_epoch,
            Col.SECONDS: run.seconds,
            **{name: run.sizes.get(name) for name in sizes},
        }
        for run in findings(console.workspace).runs
    ]
    schema: dict[str, Any] = {RUN: pl.String, "serving": pl.Boolean, "published": pl.Boolean, NDCG: pl.Float64}
    schema |= {"best_epoch": pl.Int64, Col.SECONDS: pl.Float64, **dict.fromkeys(sizes, pl.Int64)}
    return pl.DataFrame(rows, schema=schema)


def attention(console: Console) -> pl.DataFrame:
    """modality, weight (the middle of a bin) and share of the viewers in it, of the last evaluation.

    Raises:
        DataError: It did not measure any.
    """
    report = _report(console, lambda found: found.evaluation, "evaluate")
    rows = [
        (name, (place + 0.5) / len(each["histogram"]), count / max(1, sum(each["histogram"])))
        for name, each in (report.get("attention") or {}).get("modalities", {}).items()
        for place, count in enumerate(each["histogram"])
    ]
    schema = {Col.MODALITY: pl.String, WEIGHT: pl.Float64, Col.SHARE: pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def audit(console: Console) -> pl.DataFrame:
    """check, title, verdict, text and mend of the last audit's findings.

    Raises:
        DataError: There is none.
    """
    report = _report(console, lambda found: found.audit, "audit")
    names = ("check", "title", "verdict", "text", "mend")
    rows = [{name: each[name] for name in names} for each in report["findings"]]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def ablations(console: Console) -> pl.DataFrame:
    """trained, NDCG@10 as value, low and high, change against the whole model, and p, of the last ablation.

    Raises:
        DataError: There is none.
    """
    report = _report(console, lambda found: found.ablation, "ablate")
    rows: list[dict[str, Any]] = [
        {"trained": "the whole model", **_figure(report["segments"]["all"]["full"][_NDCG])}
    ]
    for each in report["variants"]:
        told = each["changes"]["all"][_NDCG]
        change = told["change"] and told["change"]["value"]
        rows.append({"trained": each["title"], **_figure(told["value"]), "change": change, "p": told["p_holm"]})
    return pl.DataFrame(rows, schema={"trained": pl.String, **_FIGURE, "change": pl.Float64, "p": pl.Float64})


def transfers(console: Console) -> pl.DataFrame:
    """workspace and run of models from elsewhere; segment, recommender, metric, value, low and high here."""
    rows = [
        {
            "workspace": Path(report["source"]["workspace"]).name,
            RUN: report["source"]["run"],
            Col.SEGMENT: segment,
            "recommender": name,
            "metric": metric,
            **_figure(figure),
        }
        for report in findings(console.workspace).transfers
        for segment, found in report["segments"].items()
        for name, figures in found["figures"].items()
        for metric, figure in figures.items()
    ]
    names = ("workspace", RUN, Col.SEGMENT, "recommender", "metric")
    return pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.String), **_FIGURE})


def _report(console: Console, of: Callable[[Findings], Json | None], command: str) -> Json:
    found = of(findings(console.workspace))
    if found is None:
        raise DataError(f"there is nothing of it yet: run 'swipewise {command}'")
    return found


def _figure(found: Mapping[str, Any] | None) -> dict[str, float | None]:
    return {name: (found or {}).get(name) for name in _FIGURE}
