"""Tasks on a Ray cluster: actors that each own one worker process.

A file that crashes or hangs a decoder kills that process, not the actor, and the actor knows whom to blame. Actors
rather than Ray Data: what is to be encoded follows from the hashes of all files before, so tasks come out of answers,
and a failure must cost one file, where Ray Data would repeat or fail a block of them.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import swipewise
from swipewise.cluster import ray_for, reach
from swipewise.errors import ConfigError, SwipewiseError
from swipewise.ingest.executor import Answer
from swipewise.ingest.pool import WorkerPool
from swipewise.schema import Modality, Words

_START_SECONDS = 300.0
_MOST_DEATHS = 3
"""Actors lost in a row without a task done by any, or tasks given up in a row, after which the run ends."""

_MOST_LOSSES = 3
"""Actors that were lost with a task, after which it is given up."""


class RayActor:
    """What an actor runs; it speaks JSON.

    Args:
        settings: Those of a ``WorkerPool``.
        timeout_seconds: Wall time allowed for a file.
    """

    def __init__(self, settings: str, timeout_seconds: float) -> None:
        self._pool = WorkerPool(size=1, settings=json.loads(settings), timeout_seconds=timeout_seconds)

    def start(self) -> str:
        """Start the worker process: which encoders there are, how many tasks fit, and whose version it is."""
        try:
            self._pool.__enter__()
        except SwipewiseError as error:
            return json.dumps({"failed": str(error)})
        told = {"encoders": self._pool.encoders, "recognizers": self._pool.recognizers}
        return json.dumps(told | {"depth": self._depth(), "version": swipewise.__version__})

    def exchange(self, tasks: str) -> str:
        """Take up tasks and wait for at least one answer: their numbers with the answers, and how many tasks fit."""
        answers: list[tuple[Any, Answer]] = []
        try:
            for number, task in json.loads(tasks):
                while not self._pool.free:  # its process has just been replaced
                    answers += self._pool.wait()
                self._pool.submit(number, task)
            while not answers:
                answers = self._pool.wait()
        except SwipewiseError as error:
            return json.dumps({"failed": str(error)})
        return json.dumps({"answers": answers, "depth": self._depth()})

    def _depth(self) -> int:
        return max(1, self._pool.free + self._pool.busy)


@dataclass(slots=True, kw_only=True, eq=False)
class _Actor:
    """An actor as the driver sees it; ``depth`` is 0 until it is ready.

    held: numbers of the tasks that it has or is to get; unsent: those of them that wait for its next call; suspects:
    those that the actor before it was lost with, which come first, one at a time; alone: it has one of these.
    """

    handle: Any
    depth: int = 0
    held: set[int] = field(default_factory=set)
    unsent: list[int] = field(default_factory=list)
    suspects: deque[int] = field(default_factory=deque)
    alone: bool = False

    @property
    def room(self) -> int:
        return 0 if self.suspects or self.alone else max(0, self.depth - len(self.held))


class RayPool:
    """Actors on a cluster; a context manager, on whose end none is left.

    Args:
        size: How many actors; 0: one a CPU of the cluster, or as many as its GPUs are enough for.
        files: No more actors than these.
        settings: As of a ``WorkerPool``.
        timeout_seconds: As of a ``WorkerPool``.
        address: Of the cluster; "" is for Ray to find: by RAY_ADDRESS, on this machine, or one started for this run.
        gpus: What share of GPUs an actor reserves.

    A task that was with an actor that was lost, as with its machine, is done again elsewhere with nothing beside it,
    and given up when that happens time and again.
    """

    def __init__(
        self,
        *,
        size: int,
        files: int | None,
        settings: Mapping[str, Any],
        timeout_seconds: float,
        address: str = "",
        gpus: float = 0.0,
    ) -> None:
        self.encoders: dict[Modality, str] = {}
        self.recognizers: dict[Words, str] = {}
        self._ray = ray_for("ingest.executor = 'ray'")
        self._size, self._files = size, files
        self._arguments = (json.dumps(settings), timeout_seconds)
        self._address = address
        self._gpus = gpus
        self._tasks: dict[int, tuple[Any, Mapping[str, Any]]] = {}
        self._again: deque[int] = deque()
        self._actors: list[_Actor] = []
        self._calls: dict[Any, _Actor] = {}
        self._losses: Counter[int] = Counter()  # by task: actors that were lost with it
        self._numbers = self._deaths = self._given_up = 0
        self._mine = False  # whether Ray was started here, so that it ends here

    def __enter__(self) -> Self:
        """Reach the cluster, start the actors and wait for the first.

        Raises:
            ConfigError: There is no such cluster, it has no room for one actor, or the encoders cannot be had.
        """
        try:
            self._mine = reach(self._ray, self._address, "ingest.ray_address")
            self._actors = [self._start() for _ in range(self._count())]
            self._await_first()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors, self._calls = [], {}
        if self._mine:
            self._ray.shutdown()

    @property
    def free(self) -> int:
        """How many tasks can be submitted now."""
        return max(0, sum(actor.room for actor in self._actors) - len(self._again))

    @property
    def idle(self) -> int:
        """How many tasks can be submitted now and wait behind no other, which may hang."""
        return max(0, sum(actor.room > 0 and not actor.held for actor in self._actors) - len(self._again))

    @property
    def busy(self) -> int:
        """How many tasks are submitted and not answered."""
        return len(self._tasks)

    def submit(self, job: Any, task: Mapping[str, Any]) -> None:
        """Hand a task to an idle actor, else to that with most room; ``wait`` gives back ``job`` with the answer."""
        self._numbers += 1
        self._tasks[self._numbers] = (job, task)
        self._give(self._numbers)

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        """Wait for the next actor to answer: the tasks that ended.

        The list is empty when an actor has only become ready, or nothing has happened for so many seconds.

        Raises:
            ConfigError: An actor cannot start, or the cluster loses one after the other.
        """
        self._call_idle_actors()
        calls, _ = self._ray.wait(list(self._calls), timeout=seconds)
        if not calls:
            return []
        actor = self._calls.pop(calls[0])
        try:
            message = json.loads(self._ray.get(calls[0]))
        except self._ray.exceptions.RayError as error:
            return self._lost(actor, error)
        if "failed" in message:
            raise ConfigError(message["failed"])
        if "answers" not in message:
            self._ready(actor, message)
            return []
        self._deaths = self._given_up = 0
        actor.depth = message["depth"]
        actor.held -= {number for number, _ in message["answers"]}
        done = [(self._tasks.pop(number)[0], answer) for number, answer in message["answers"]]
        self._hand_out_again()
        return done

    def _await_first(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.free:
            self.wait(max(0.0, deadline - time.monotonic()))
            if not self.free and time.monotonic() >= deadline:
                raise ConfigError(
                    f"no Ray actor could start within {_START_SECONDS:g} s on {self._ray.cluster_resources()}: an "
                    f"actor needs 1 CPU and {self._gpus:g} GPUs (ingest.ray_gpus)"
                )

    def _ready(self, actor: _Actor, told: Mapping[str, Any]) -> None:
        if told["version"] != swipewise.__version__:
            raise ConfigError(
                f"the Ray cluster runs Swipewise {told['version']}, this is {swipewise.__version__}: install the same"
            )
        self.encoders = {Modality(name): identity for name, identity in told["encoders"].items()}
        self.recognizers = {Words(name): identity for name, identity in told["recognizers"].items()}
        actor.depth = told["depth"]
        self._hand_out_again()

    def _lost(self, actor: _Actor, error: Exception) -> list[tuple[Any, Answer]]:
        """Put a new actor in the place of one that was lost, and give up what was with too many of them."""
        sent = sorted(actor.held - set(actor.unsent))
        self._losses.update(sent)
        guilty = [number for number in sent if self._losses[number] >= _MOST_LOSSES]
        self._deaths = 0 if guilty else self._deaths + 1
        self._given_up += len(guilty)
        if self._deaths >= _MOST_DEATHS or self._given_up >= _MOST_DEATHS:
            lost = self._deaths or self._given_up * _MOST_LOSSES
            raise ConfigError(f"the Ray cluster lost {lost} actors in a row: {error}") from error
        self._ray.kill(actor.handle)
        heir = self._start()
        heir.suspects.extend([*(number for number in sent if number not in guilty), *actor.suspects])
        self._actors[self._actors.index(actor)] = heir
        self._again.extend(actor.unsent)
        self._hand_out_again()
        reason = f"the Ray cluster lost {_MOST_LOSSES} actors that were at work on it: {_first_line(error)}"
        return [(self._tasks.pop(number)[0], {"reason": reason}) for number in guilty]

    def _hand_out_again(self) -> None:
        for actor in self._actors:
            if actor.depth and not actor.held:
                actor.alone = bool(actor.suspects)
                if actor.suspects:
                    self._put(actor, actor.suspects.popleft())
        while self._again and max(actor.room for actor in self._actors) > 0:
            self._give(self._again.popleft())

    def _give(self, number: int) -> None:
        self._put(max(self._actors, key=lambda each: (each.room > 0 and not each.held, each.room)), number)

    def _put(self, actor: _Actor, number: int) -> None:
        actor.held.add(number)
        actor.unsent.append(number)

    def _call_idle_actors(self) -> None:
        called = set(map(id, self._calls.values()))
        for actor in self._actors:
            if actor.held and id(actor) not in called:
                tasks = [(number, self._tasks[number][1]) for number in actor.unsent]
                actor.unsent = []
                self._calls[actor.handle.exchange.remote(json.dumps(tasks))] = actor

    def _start(self) -> _Actor:
        # A restart is the driver's to make, which knows the tasks.
        remote = self._ray.remote(num_cpus=1, num_gpus=self._gpus, max_restarts=0)(RayActor)
        actor = _Actor(handle=remote.remote(*self._arguments))
        self._calls[actor.handle.start.remote()] = actor
        return actor

    def _count(self) -> int:
        resources = self._ray.cluster_resources()
        rooms = [resources.get("CPU", 0)] + ([resources.get("GPU", 0) / self._gpus] if self._gpus else [])
        return max(1, min(self._size or int(min(rooms)), self._files or 1_000_000))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
