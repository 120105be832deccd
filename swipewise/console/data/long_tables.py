"""What pages draw of models, viewers, videos, jobs and feeds, as tables with a row a point."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data.changes import what_would_change
from swipewise.console.data.models import findings
from swipewise.console.data.serving import feed_service
from swipewise.console.data.videos import video_file
from swipewise.console.data.viewers import history_of, viewer_file
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


def viewer_profile(console: Console, viewer_id: str) -> pl.DataFrame:
    """field and value, as text; a row each value of a field that has several."""
    rows = [
        (name, str(value))
        for name, stated in viewer_file(console, viewer_id).profile.items()
        for value in (stated if isinstance(stated, list) else [stated])
    ]
    return pl.DataFrame(rows, schema={"field": pl.String, "value": pl.String}, orient="row")


def feed_changes(console: Console, viewer_id: str) -> pl.DataFrame:
    """of (watched, next, modality), what, video_id, new (among the first), moved, joins and leaves; see ``Changes``.

    Raises:
        DataError: Nothing can be tried.
    """
    found = what_would_change(console.engine, viewer_id, history_of(console, viewer_id))
    if found.note:
        raise DataError(found.note)
    rows = [
        (
            of,
            change.what,
            change.video_id,
            len(change.joins),
            change.moved,
            list(change.joins),
            list(change.leaves),
        )
        for of, changes in (("watched", found.watched), ("next", found.next), ("modality", found.weights))
        for change in changes
    ]
    texts, counts = pl.String, pl.Int64
    schema: dict[str, Any] = {"of": texts, "what": texts, Col.VIDEO_ID: texts, "new": counts, "moved": counts}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(("joins", "leaves"), pl.List(pl.String)), orient="row")


def video_weights(console: Console, video_id: str) -> pl.DataFrame:
    """modality and weight, the mean over those who watched most of it."""
    rows = list(video_file(console, video_id).weights.items())
    return pl.DataFrame(rows, schema={Col.MODALITY: pl.String, WEIGHT: pl.Float64}, orient="row")


def similar_videos(console: Console, video_id: str) -> pl.DataFrame:
    """by (a modality, or all together), video_id and similarity, a cosine."""
    rows = [
        (by, each.video_id, each.similarity)
        for by, found in video_file(console, video_id).similar.items()
        for each in found
    ]
    schema = {"by": pl.String, Col.VIDEO_ID: pl.String, "similarity": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def near_duplicates(console: Console) -> pl.DataFrame:
    """video_id and duplicate_of, the first video with the same picture and sound, of all that have one."""
    links = console.catalog.videos().select(Col.VIDEO_ID, Col.DUPLICATE_OF)
    return links.drop_nulls(Col.DUPLICATE_OF).sort(Col.DUPLICATE_OF, Col.VIDEO_ID)


def feed_latencies(console: Console) -> pl.DataFrame:
    """share and seconds: that share of the feeds since the server was started took at most so long."""
    rows = list(feed_service(console.scrape().decode()).seconds.items())
    return pl.DataFrame(rows, schema={Col.SHARE: pl.Float64, Col.SECONDS: pl.Float64}, orient="row")


def coverage(console: Console) -> pl.DataFrame:
    """modality, encoder and videos that have a vector of it."""
    rows = [(str(modality), encoder, count) for (modality, encoder), count in console.catalog.present().items()]
    schema = {Col.MODALITY: pl.String, "encoder": pl.String, Col.VIDEOS: pl.Int64}
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
