"""What state the catalogue and the log are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from swipewise.catalog import Catalog
from swipewise.events import read_events
from swipewise.events.history import History
from swipewise.schema import Col

COUNT = "count"
MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueHealth:
    """Figures of a catalogue.

    ``present`` says for each "modality, encoder" how many videos have a vector of it. ``reasons`` holds reason and
    count of rejected files, the most frequent first; ``uploads`` day and count.
    """

    videos: int
    present: Mapping[tuple[str, str], int]
    duplicates: int
    captions: int
    seconds: float
    rejected: int
    reasons: pl.DataFrame
    uploads: pl.DataFrame


def catalogue_health(catalog: Catalog) -> CatalogueHealth:
    """Look at a catalogue as it is now.

    Raises:
        StoreError: It cannot be read.
    """
    videos = catalog.videos()
    rejected = catalog.rejected()
    uploads = (
        videos.lazy()
        .select(pl.col(Col.UPLOADED_AT).dt.date().alias(Col.DAY))
        .drop_nulls()
        .group_by(Col.DAY)
        .agg(pl.len().alias(COUNT))
        .sort(Col.DAY)
        .collect()
    )
    return CatalogueHealth(
        videos=len(videos),
        present={(str(modality), identity): count for (modality, identity), count in catalog.present().items()},
        duplicates=int(videos[Col.DUPLICATE_OF].is_not_null().sum()),
        captions=int(videos[Col.CAPTION].is_not_null().sum()),
        seconds=float(videos[Col.DURATION].sum() or 0.0),
        rejected=len(rejected),
        reasons=rejected[Col.REASON].value_counts(sort=True, name=COUNT),
        uploads=uploads,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What came in.

    ``daily`` holds day, action and count of the whole log; ``minutes`` minute and count of the last hour, a row each
    minute; ``last`` is the newest event's time.
    """

    daily: pl.DataFrame
    minutes: pl.DataFrame
    last: datetime | None


def activity(events_dir: Path, now: datetime | None = None) -> Activity:
    """Count the events of a log.

    Raises:
        StoreError: It cannot be read.
    """
    until = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    since = until - timedelta(minutes=MINUTES - 1)

    def read() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        events = read_events(events_dir)
        daily = (
            events.group_by(pl.col(Col.AT).dt.date().alias(Col.DAY), pl.col(Col.ACTION).cast(pl.String))
            .agg(pl.len().alias(COUNT))
            .sort(Col.DAY, Col.ACTION)
        )
        minutes = (
            events.filter(pl.col(Col.AT) >= since)
            .group_by(pl.col(Col.AT).dt.truncate("1m"))
            .agg(pl.len().alias(COUNT))
        )
        return tuple(pl.collect_all([daily, minutes, events.select(pl.col(Col.AT).max())]))  # type: ignore[return-value]

    daily, found, last = History(events_dir).collected(read)
    every = pl.DataFrame({Col.AT: pl.datetime_range(since, until, "1m", eager=True)}).cast(found.schema[Col.AT])
    minutes = every.join(found, on=Col.AT, how="left").with_columns(pl.col(COUNT).fill_null(0))
    return Activity(daily=daily, minutes=minutes.sort(Col.AT), last=last.item() if len(last) else None)
