"""What the workers on one socket ask of one another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from swipewise.config import ServerConfig
from swipewise.events.job_records import JobState
from swipewise.server.exchange import Exchange
from swipewise.server.limits import share_of_rates
from swipewise.server.metrics import METRICS, Metrics
from swipewise.server.siblings import ALONE, Place, Siblings


@pytest.fixture
def place(tmp_path: Path) -> Place:
    # The name of such a socket is bounded, and pytest's folders are deep.
    return Place(
        count=3, generation=1, folder=Path(f"/tmp/swipewise-test-{tmp_path.parent.name}-{tmp_path.name[-8:]}")
    )


@pytest.fixture
def opened(place: Place) -> Iterator[list[Siblings]]:
    made: list[Siblings] = []
    yield made
    for each in made:
        each.close()
    assert not place.folder.exists(), "the last one takes the folder along"


def test_all_others_are_asked_and_of_one_place_the_newer(place: Place, opened: list[Siblings]) -> None:
    for number, generation in ((1, 2), (2, 3), (1, 11)):
        sibling = Siblings(replace(place, number=number, generation=generation))
        answer = f"{number}-{generation}".encode()
        sibling.listen({"name": lambda answer=answer: answer, "nothing": lambda: b""})
        opened.append(sibling)
    asker = Siblings(place)
    asker.listen({"name": lambda: b"own"})
    opened.append(asker)
    assert asker.ask("name", 20) == {1: b"1-11", 2: b"2-3"}
    assert asker.ask("nothing", 20) == {1: b"", 2: b""}


def test_one_that_hangs_or_fails_or_is_gone_holds_nobody_up(place: Place, opened: list[Siblings]) -> None:
    leave = threading.Event()
    hanging, failing, sound = (Siblings(replace(place, number=n, generation=n)) for n in (1, 2, 3))
    hanging.listen({"x": lambda: b"late" if leave.wait(20) else b""})
    failing.listen({"x": lambda: bytes([1 // 0])})
    sound.listen({"x": lambda: b"here"})
    opened += [hanging, failing, sound]
    gone = Siblings(replace(place, number=4, generation=4))
    gone.listen({"x": lambda: b"gone"})
    gone._listener.close()
    assert Siblings(place).ask("x", 0.5) == {2: b"", 3: b"here"}
    leave.set()
    gone.close()


def test_one_that_is_alone_asks_nobody() -> None:
    alone = Siblings(ALONE)
    alone.listen({})
    assert alone.ask("x", 1) == {}
    alone.close()


def test_figures_of_all_workers_are_given_by_any(place: Place, opened: list[Siblings]) -> None:
    workers = []
    for number in (0, 1):
        own = replace(place, number=number, generation=number, count=2, restarts=number)
        siblings = Siblings(own)
        metrics = Metrics(lambda: dict.fromkeys(JobState, 2), lambda: 0, siblings, own)
        siblings.listen({METRICS: metrics.own})
        opened.append(siblings)
        workers.append(metrics)
    for metrics, times in zip(workers, (1, 2), strict=True):
        for _ in range(times):
            metrics.answered(Exchange(request_id="x", method="GET", route="/v1/feed", status=200), 0.003)
    for metrics in workers:
        families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
        counted = {each.labels["worker"]: each.value for each in families["swipewise_requests"].samples}
        assert counted == {"0": 1, "1": 2}
        buckets = [
            each for each in families["swipewise_request_seconds"].samples if each.labels.get("le") == "0.005"
        ]
        assert {each.labels["worker"]: each.value for each in buckets} == {"0": 1, "1": 2}
        restarts = {each.labels["worker"]: each.value for each in families["swipewise_worker_restarts"].samples}
        assert restarts == {"0": 0, "1": 1}
        assert [each.value for each in families["swipewise_workers"].samples] == [2]
        # What lies in the store is not theirs.
        assert [each.labels for each in families["swipewise_job_queue_depth"].samples] == [{}]


def test_each_worker_grants_its_share() -> None:
    shared = share_of_rates(ServerConfig(rate_events=100, rate_feed=0, rate_admin=3), 2)
    assert (shared.rate_events, shared.rate_feed, shared.rate_admin) == (50, 0, 1.5)
