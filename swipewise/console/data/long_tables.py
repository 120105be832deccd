"""What pages draw of models, viewers and jobs, as tables with a row a point."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data.models import findings
from swipewise.console.data.viewers import viewer_file
from swipewise.errors import DataError
from swipewise.schema import Col

RUN: Final = "run"
EPOCH: Final = "epoch"
NDCG: Final = "ndcg"
PREDICTED: Final = "predicted"
OBSERVED: Final = "observed"
THEME: Final = "theme"
TASTE: Final = "taste"
WEIGHT: Final = "weight"


def learning_curves(console: Console) -> pl.DataFrame:
    """run, epoch, loss and ndcg of each finished run, the newest first."""
    rows = [{RUN: run.model.run, **epoch} for run in findings(console.workspace).runs for epoch in run.learning]
    return pl.DataFrame(rows, schema_overrides={RUN: pl.String, EPOCH: pl.Int64, NDCG: pl.Float64})


def _evaluation(console: Console) -> Any:
    report = findings(console.workspace).evaluation
    if report is None:
        raise DataError("nothing has been evaluated yet: run 'swipewise evaluate'")
    return report


def evaluation_figures(console: Console) -> pl.DataFrame:
    """segment, recommender, metric, value, low and high of the last evaluation.

    Raises:
        DataError: There is none.
    """
    rows = [
        {Col.SEGMENT: segment, "recommender": name, "metric": metric, **figure}
        for segment, found in _evaluation(console)["segments"].items()
        for name, figures in found["figures"].items()
        for metric, figure in figures.items()
    ]
    return pl.DataFrame(rows)


def calibration(console: Console) -> pl.DataFrame:
    """action, predicted and observed shares of the last evaluation, a row a bin.

    Raises:
        DataError: There is none.
    """
    report = _evaluation(console)
    model = report["models"][0]["name"]
    rows = [
        {Col.ACTION: each["action"], PREDICTED: bin["predicted"], OBSERVED: bin["observed"]}
        for each in (report.get("actions") or {}).get("actions", ())
        for bin in each["scores"].get(model, {}).get("reliability", ())
    ]
    return pl.DataFrame(rows, schema={Col.ACTION: pl.String, PREDICTED: pl.Float64, OBSERVED: pl.Float64})


def viewer_themes(console: Console, viewer_id: str) -> pl.DataFrame:
    """at, theme and taste, the log-odds of watching it beyond what is usual; null where it was not among the best."""
    found = viewer_file(console, viewer_id)
    rows = [
        (at, theme.name, taste)
        for theme in found.themes
        for at, taste in zip(found.moments, theme.tastes, strict=True)
    ]
    schema: dict[str, Any] = {Col.AT: pl.Datetime("us", "UTC"), THEME: pl.String, TASTE: pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def viewer_weights(console: Console, viewer_id: str) -> pl.DataFrame:
    """at, modality and weight."""
    found = viewer_file(console, viewer_id)
    rows = [
        (at, name, weight)
        for at, weights in zip(found.moments, found.weights, strict=True)
        for name, weight in weights.items()
    ]
    schema: dict[str, Any] = {Col.AT: pl.Datetime("us", "UTC"), Col.MODALITY: pl.String, WEIGHT: pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def newest_jobs(console: Console) -> pl.DataFrame:
    """job_id, uri, state, outcome, reason, created_at, finished_at and seconds of the newest jobs, newest first."""
    rows = [
        (
            job.job_id,
            job.request.uri,
            job.state.value,
            job.outcome,
            job.reason,
            job.created_at,
            job.finished_at,
            sum(job.seconds.values()),
        )
        for job in console.jobs.find()
    ]
    moment = pl.Datetime("us", "UTC")
    schema: dict[str, Any] = {
        Col.JOB_ID: pl.String,
        Col.URI: pl.String,
        Col.STATE: pl.String,
        Col.OUTCOME: pl.String,
        Col.REASON: pl.String,
        Col.CREATED_AT: moment,
        Col.FINISHED_AT: moment,
        Col.SECONDS: pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
