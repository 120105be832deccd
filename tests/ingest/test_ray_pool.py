"""What a Ray cluster can do wrong, played by a stand-in; ``test_executors`` meets the real one."""

import json
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import swipewise
from swipewise.config import Config, IngestConfig
from swipewise.errors import ConfigError
from swipewise.ingest.executor import worker_pool

READY = {"encoders": {"visual": "fake@1"}, "recognizers": {}, "depth": 2, "version": swipewise.__version__}


class RayError(Exception):
    """Of the stand-in."""


class StandIn(ModuleType):
    """Calls give what ``answer`` makes of the method, the actor's number and the tasks."""

    def __init__(self, answer: Callable[[str, int, list[Any]], dict[str, Any]]) -> None:
        super().__init__("ray")
        self.exceptions = SimpleNamespace(RayError=RayError)
        self.answer = answer
        self.actors = 0
        self.killed = 0
        self.reserved: dict[str, Any] = {}
        self.is_up = False
        self.resources = {"CPU": 4.0, "GPU": 1.0}

    def is_initialized(self) -> bool:
        return self.is_up

    def init(self, **how: Any) -> None:
        if how["address"] == "nowhere:1":
            raise ConnectionError("nobody is there")
        self.is_up = True

    def shutdown(self) -> None:
        self.is_up = False

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **reserved: Any) -> Any:
        self.reserved = reserved

        def made(*_: str) -> Any:
            self.actors += 1
            number = self.actors

            def method(name: str) -> Any:
                return SimpleNamespace(remote=lambda tasks="[]": (name, number, tasks))

            return SimpleNamespace(start=method("start"), exchange=method("exchange"))

        return lambda _: SimpleNamespace(remote=made)

    def wait(self, calls: list[Any], timeout: float | None) -> tuple[list[Any], list[Any]]:
        return ([], calls) if self.resources["CPU"] < 1 else (calls[:1], calls[1:])

    def get(self, call: tuple[str, int, str]) -> str:
        name, number, tasks = call
        return json.dumps(self.answer(name, number, json.loads(tasks)))

    def kill(self, _: Any) -> None:
        self.killed += 1


def echoes(name: str, number: int, tasks: list[Any]) -> dict[str, Any]:
    """Answers every task with itself, and which actor did it."""
    if name == "start":
        return READY
    return {"answers": [[task, {"did": content, "actor": number}] for task, content in tasks], "depth": 2}


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(echoes)
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    return stand_in


def pool(files: int | None = None, **changed: Any) -> Any:
    return worker_pool(Config(ingest=IngestConfig(executor="ray", **changed)), files)


def done(opened: Any, tasks: int) -> dict[int, Any]:
    answers: dict[int, Any] = {}
    waiting = list(range(tasks))
    while waiting or opened.busy:
        while waiting and opened.free:
            opened.submit(waiting[0], {"number": waiting.pop(0)})
        answers |= dict(opened.wait())
    return answers


@pytest.mark.parametrize(
    ("files", "changed", "actors"),
    [
        (None, {}, 4),
        (3, {}, 3),
        (None, {"workers": 2}, 2),
        (None, {"ray_gpus": 0.5}, 2),
        (None, {"ray_gpus": 4.0}, 1),
    ],
)
def test_there_are_as_many_actors_as_the_cluster_has_room_for(
    ray: StandIn, files: int | None, changed: dict[str, Any], actors: int
) -> None:
    with pool(files, **changed):
        assert ray.actors == actors
        assert ray.reserved["num_gpus"] == changed.get("ray_gpus", 0.0)
    assert ray.killed == actors
    assert not ray.is_up, "it was started for this run"


def test_a_cluster_that_was_there_before_stays(ray: StandIn) -> None:
    ray.is_up = True
    with pool():
        pass
    assert ray.is_up


def test_what_a_lost_actor_had_is_done_by_another(ray: StandIn) -> None:
    def loses(name: str, number: int, tasks: list[Any]) -> dict[str, Any]:
        if name == "exchange" and number == 1:
            raise RayError("its node is gone")
        return echoes(name, number, tasks)

    ray.answer = loses
    with pool(workers=2) as opened:
        answers = done(opened, 9)
    assert {number: answer["did"]["number"] for number, answer in answers.items()} == {n: n for n in range(9)}
    assert 1 not in {answer["actor"] for answer in answers.values()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_its_actor_is_lost_with_each_time_is_given_up_and_no_other(ray: StandIn, workers: int) -> None:
    def loses(name: str, number: int, tasks: list[Any]) -> dict[str, Any]:
        if any(content["number"] == 4 for _, content in tasks):
            raise RayError("killed: out of memory\nand much more about it")
        return echoes(name, number, tasks)

    ray.answer = loses
    with pool(workers=workers) as opened:
        answers = done(opened, 9)
    assert answers.pop(4) == {
        "reason": "the Ray cluster lost 3 actors that were at work on it: killed: out of memory"
    }
    assert {number: answer["did"]["number"] for number, answer in answers.items()} == {
        n: n for n in range(9) if n != 4
    }
    assert ray.actors == workers + 3


def test_a_cluster_that_loses_its_actors_with_whatever_they_are_given_ends_the_run(ray: StandIn) -> None:
    def loses(name: str, number: int, tasks: list[Any]) -> dict[str, Any]:
        if name == "exchange":
            raise RayError("its memory is full")
        return READY

    ray.answer = loses
    with (
        pytest.raises(ConfigError, match=r"the Ray cluster lost \d+ actors in a row: its memory is full"),
        pool(workers=1) as opened,
    ):
        done(opened, 20)


def test_a_cluster_that_loses_one_actor_after_the_other_ends_the_run(ray: StandIn) -> None:
    def loses(name: str, number: int, tasks: list[Any]) -> dict[str, Any]:
        if name == "exchange" or number > 1:
            raise RayError("no module named 'swipewise'")
        return READY

    ray.answer = loses
    with (
        pytest.raises(ConfigError, match="the Ray cluster lost 3 actors in a row: no module named 'swipewise'"),
        pool(workers=1) as opened,
    ):
        done(opened, 1)


def test_a_cluster_that_is_not_there_is_an_error_that_names_it(ray: StandIn) -> None:
    with pytest.raises(
        ConfigError, match=r"ray_address = 'nowhere:1': .* nobody is there; start one with 'ray st"
    ):
        pool(ray_address="nowhere:1").__enter__()


def test_a_cluster_without_room_for_an_actor_is_an_error_that_says_what_it_needs(
    ray: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.ingest.ray_pool._START_SECONDS", 0.01)
    ray.resources = {"CPU": 0.0}
    with pytest.raises(ConfigError, match=r"no Ray actor could start .* needs 1 CPU and 2 GPUs"):
        pool(ray_gpus=2.0).__enter__()


def test_a_cluster_that_runs_another_version_is_an_error(ray: StandIn) -> None:
    ray.answer = lambda *_: READY | {"version": "0.0.1"}
    with pytest.raises(ConfigError, match=r"the Ray cluster runs Swipewise 0\.0\.1, this is"):
        pool().__enter__()


def test_encoders_that_cannot_be_had_on_the_cluster_stop_the_run(ray: StandIn) -> None:
    ray.answer = lambda *_: {"failed": "the encoders cannot start: no such model"}
    with pytest.raises(ConfigError, match="the encoders cannot start: no such model"):
        pool().__enter__()
