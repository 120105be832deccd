"""How feeds are served, as the server's own metrics tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

_FEED: Final = "/v1/feed"


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
