"""What is being taken into the catalogue, how fast, and what could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from swipewise.catalog import Catalog
from swipewise.console.data.health import COUNT
from swipewise.errors import UnknownIdError
from swipewise.events.job_records import Job, JobRequest, JobState
from swipewise.events.jobs import JobQueue
from swipewise.schema import Col

JOBS: Final = 30
HOURS: Final = 48
STAGE: Final = "stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestionState:
    """Jobs and rejected files.

    ``taken`` holds at (an hour) and count of videos taken into the catalogue, over the last hours with any; ``seconds``
    stage and its median time over the newest jobs; ``rejected`` is as of ``Catalog.rejected``, the latest first.
    """

    counts: Mapping[JobState, int]
    jobs: Sequence[Job]
    taken: pl.DataFrame
    seconds: pl.DataFrame
    rejected: pl.DataFrame


def ingestion_state(catalog: Catalog, queue: JobQueue) -> IngestionState:
    """Look at it as it is now.

    Raises:
        StoreError: A store cannot be read.
    """
    jobs = queue.find(limit=JOBS)
    times = [{STAGE: stage, Col.SECONDS: took} for job in jobs for stage, took in job.seconds.items()]
    seconds = pl.DataFrame(times, schema={STAGE: pl.String, Col.SECONDS: pl.Float64})
    taken = (
        catalog.videos()
        .group_by(pl.col(Col.INGESTED_AT).dt.truncate("1h").alias(Col.AT))
        .agg(pl.len().alias(COUNT))
        .sort(Col.AT)
        .tail(HOURS)
    )
    return IngestionState(
        counts=queue.counts(),
        jobs=jobs,
        taken=taken,
        seconds=seconds.group_by(STAGE, maintain_order=True).agg(pl.col(Col.SECONDS).median()),
        rejected=catalog.rejected().sort(Col.AT, descending=True),
    )


def retry(catalog: Catalog, queue: JobQueue, uri: str) -> Job:
    """Queue a rejected file again.

    Raises:
        UnknownIdError: It is not on the rejected list.
        StoreError: The job cannot be written.
    """
    if uri not in set(catalog.rejected()[Col.URI]):
        raise UnknownIdError(f"{uri} is not on the rejected list any more: look for it among the videos")
    return queue.post([JobRequest(uri=uri, location=uri)])[0]
