"""How feeds are served, as the server's own metrics tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl
from prometheus_client.parser import text_string_to_metric_families

from swipewise.events.answer_counts import count_levels, count_sources, first_answer
from swipewise.schema import Col

_FEED: Final = "/v1/feed"
_LOOKED_BACK: Final = timedelta(hours=24)
_PERIODS: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=1))
_MOST_PERIODS: Final = 48
_LATEST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallbacks:
    """What the feeds of the last day could lean on.

    Attributes:
        levels: at, level and feeds; a row each period, also where there was no feed, and each level there was.
        sources: Where the videos of the latest feeds came from: source and videos.
        every: The length of a period.
    """

    levels: pl.DataFrame
    sources: pl.DataFrame
    every: timedelta


def fallbacks(events_dir: Path, now: datetime | None = None) -> Fallbacks:
    """Count the answers that are kept, by the shortest periods of which there are not too many.

    Raises:
        StoreError: They cannot be read.
    """
    now = now or datetime.now(UTC)
    since = first_answer(events_dir, now - _LOOKED_BACK) or now
    every = next((each for each in _PERIODS if (now - since) / each < _MOST_PERIODS), _PERIODS[-1])
    found = count_levels(events_dir, since, every)
    if not found.is_empty():
        periods = pl.datetime_range(found[Col.AT][0], now, every, eager=True, time_unit="us").alias(Col.AT)
        names = found.select(pl.col(Col.LEVEL).unique())
        whole = periods.cast(found.schema[Col.AT]).to_frame().join(names, how="cross")
        found = whole.join(found, on=[Col.AT, Col.LEVEL], how="left").with_columns(pl.col(Col.FEEDS).fill_null(0))
    return Fallbacks(levels=found.sort(Col.AT, Col.LEVEL), sources=count_sources(events_dir, _LATEST), every=every)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedService:
    """Feeds since the server was started: how many, how long they took (quantile -> seconds), and how many failed."""

    feeds: int = 0
    failed: int = 0
    seconds: Mapping[float, float] = field(default_factory=dict)


def feed_service(text: str) -> FeedService:
    """Read metrics in Prometheus' text format; the series of several workers are added up."""
    buckets: dict[float, float] = {}
    feeds = failed = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("route") != _FEED:
                continue
            if sample.name == "swipewise_request_seconds_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
            elif sample.name == "swipewise_requests_total":
                feeds += sample.value
                failed += sample.value if sample.labels["status"].startswith("5") else 0.0
    seconds = {share: quantile(buckets, share) for share in (0.5, 0.95, 0.99)} if feeds else {}
    return FeedService(feeds=int(feeds), failed=int(failed), seconds=seconds)


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """A quantile of a histogram with cumulative buckets, by linear interpolation; the last finite bound at most.

    >>> quantile({0.1: 50, 0.2: 100, float("inf"): 100}, 0.75)
    0.15000000000000002
    """
    total = max(buckets.values(), default=0.0)
    low, below = 0.0, 0.0
    for bound in sorted(buckets):
        if buckets[bound] >= share * total:
            if bound == float("inf"):
                return low
            within = buckets[bound] - below
            return low + (bound - low) * ((share * total - below) / within if within else 0.0)
        low, below = bound, buckets[bound]
    return low
