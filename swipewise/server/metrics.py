"""What the server counts and times, for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from swipewise.errors import StoreError
from swipewise.events.job_records import JobState
from swipewise.events.live import Appended
from swipewise.feed.stages import Step
from swipewise.server.exchange import WEBSOCKET, Exchange

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STAGE_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", WEBSOCKET})
_UNKNOWN: Final = "none"

_logger = logging.getLogger(__name__)


class Metrics:
    """The figures of one server.

    Args:
        count_jobs: Asked at each scrape.
        count_lost: The same: how many answers were not logged.
    """

    def __init__(
        self, count_jobs: Callable[[], Mapping[JobState, int]], count_lost: Callable[[], int] = lambda: 0
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Jobs(count_jobs))
        self._requests = Counter(
            "swipewise_requests",
            "Requests answered, by the template of their route.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "swipewise_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "swipewise_feed_stage_seconds",
            "Time of each stage of making a feed.",
            ("stage",),
            buckets=_STAGE_SECONDS,
            registry=self._registry,
        )
        self._events = Counter(
            "swipewise_events",
            "Posted events: added, duplicate, or of erased viewers.",
            ("outcome",),
            registry=self._registry,
        )
        lost = Gauge("swipewise_answers_lost", "Feeds that could not be logged in time.", registry=self._registry)
        lost.set_function(count_lost)
        self.in_flight = Gauge(
            "swipewise_requests_in_flight", "Requests that are not answered yet.", registry=self._registry
        )

    def answered(self, exchange: Exchange, seconds: float) -> None:
        """Count a request. What no route takes is counted as one, however many names clients think of."""
        method = exchange.method if exchange.method in _METHODS else _UNKNOWN
        route = exchange.route or _UNKNOWN
        self._requests.labels(method, route, str(exchange.status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def feed_made(self, trace: Iterable[Step]) -> None:
        """Count the stages of a feed."""
        for step in trace:
            self._stages.labels(step.stage).observe(step.milliseconds / 1000)

    def events_taken(self, appended: Appended) -> None:
        """Count events that are on disk."""
        self._events.labels("added").inc(appended.added)
        self._events.labels("duplicate").inc(appended.duplicates)
        self._events.labels("erased").inc(appended.erased)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format; without jobs where these cannot be counted now."""
        return generate_latest(self._registry)


class _Jobs(Collector):
    """Posted videos by state, as the store has them, so that a restart forgets none."""

    def __init__(self, count: Callable[[], Mapping[JobState, int]]) -> None:
        self._count = count

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        try:
            counts = self._count()
        except StoreError as error:
            # All else is wanted most while a store is away.
            _logger.warning("jobs are not counted: %s", error)
            return
        jobs = GaugeMetricFamily("swipewise_jobs", "Posted videos by state.", labels=("state",))
        for state, count in counts.items():
            jobs.add_metric((state.value,), count)
        yield jobs
        yield GaugeMetricFamily(
            "swipewise_job_queue_depth",
            "Posted videos that are not over: queued or running.",
            value=counts[JobState.QUEUED] + counts[JobState.RUNNING],
        )
