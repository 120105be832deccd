"""What the server counts and times, for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from swipewise.errors import StoreError
from swipewise.events.job_records import JobState
from swipewise.events.live import Appended
from swipewise.feed.stages import Step
from swipewise.server.exchange import WEBSOCKET, Exchange
from swipewise.server.siblings import Place, Siblings

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STAGE_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", WEBSOCKET})
_UNKNOWN: Final = "none"

METRICS: Final = "metrics"
"""What one worker asks another for."""
_PATIENCE_SECONDS: Final = 2.0

_logger = logging.getLogger(__name__)


class _Family(msgspec.Struct):
    """The series of one name, as one worker gives them to another."""

    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


class Metrics:
    """The figures of one server, which may be one of several workers.

    Each worker counts for itself. Whichever is asked gives the series of all, told apart by the label ``worker``: a sum
    of counters would seem to fall whenever a worker starts anew.

    Args:
        count_jobs: Asked at each scrape.
        count_lost: The same: how many answers were not logged.
        siblings: The other workers.
        place: This one's.
    """

    def __init__(
        self,
        count_jobs: Callable[[], Mapping[JobState, int]],
        count_lost: Callable[[], int],
        siblings: Siblings,
        place: Place,
    ) -> None:
        self._registry = CollectorRegistry()
        self._common = CollectorRegistry()
        self._siblings = siblings
        self._place = place
        ProcessCollector(registry=self._registry)
        self._common.register(_Jobs(count_jobs))
        self._workers = Gauge("swipewise_workers", "Worker processes that answer.", registry=self._common)
        restarts = Gauge(
            "swipewise_worker_restarts",
            "Times that the worker was started again because it had died.",
            registry=self._registry,
        )
        restarts.set(place.restarts)
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

    def own(self) -> bytes:
        """What this worker counts, for another one."""
        families = [
            _Family(
                name=family.name,
                documentation=family.documentation,
                type=family.type,
                samples=[(sample.name, sample.labels, sample.value) for sample in family.samples],
            )
            for family in self._registry.collect()
        ]
        return msgspec.json.encode(families)

    def text(self) -> bytes:
        """Everything of all workers, in Prometheus' text format; without jobs where these cannot be counted now."""
        if self._place.count == 1:
            self._workers.set(1)
            return generate_latest(self._registry) + generate_latest(self._common)
        found = {**self._siblings.ask(METRICS, _PATIENCE_SECONDS), self._place.number: self.own()}
        self._workers.set(len(found))
        merged = CollectorRegistry()
        merged.register(_Given(found))
        return generate_latest(merged) + generate_latest(self._common)


class _Given(Collector):
    """The series of several workers, each with its number as a label.

    Args:
        found: What ``Metrics.own`` gave, by worker.
    """

    def __init__(self, found: Mapping[int, bytes]) -> None:
        self._found = found

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for number, given in sorted(self._found.items()):
            for family in msgspec.json.decode(given, type=list[_Family]):
                metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for name, labels, value in family.samples:
                    metric.add_sample(name, {**labels, "worker": str(number)}, value)
        yield from merged.values()


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
