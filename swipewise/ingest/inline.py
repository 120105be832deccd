"""Tasks in this process, one step after the other: for debuggers, notebooks and where no process may be started.

A file that crashes or hangs a decoder takes the whole run with it: neither ``media.timeout_seconds`` nor
``media.max_memory_mb`` is kept to, as both need a process that can be ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from swipewise.config import MediaConfig
from swipewise.encoders import identity
from swipewise.ingest.executor import Answer
from swipewise.ingest.stages import WAITING_BYTES, Steps, Told
from swipewise.ingest.tasks import Decoded
from swipewise.ingest.worker import open_encoders
from swipewise.schema import Modality, Words


class Inline:
    """The plain twin of worker processes.

    Args:
        settings: The ``media`` and ``encoders`` sections of the configuration.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.encoders: dict[Modality, str] = {}
        self.recognizers: dict[Words, str] = {}
        self._settings = settings
        self._batch = settings["encoders"]["batch"]
        self._jobs: dict[int, Any] = {}
        self._queue: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._done: list[tuple[Any, Answer]] = []
        self._numbers = 0

    def __enter__(self) -> Self:
        encoders, recognizers = open_encoders(self._settings)
        self.encoders = {modality: identity(encoder) for modality, encoder in encoders.items()}
        self.recognizers = {kind: identity(recognizer) for kind, recognizer in recognizers.items()}
        self._steps = Steps(
            media=replace(MediaConfig(**self._settings["media"]), max_memory_mb=0),
            encoders=encoders,
            recognizers=recognizers,
            tell=self._told,
        )
        return self

    def __exit__(self, *_exc: object) -> None:
        self._queue.clear()
        self._jobs.clear()

    @property
    def free(self) -> int:
        """How many tasks can be submitted now."""
        return int(self._batch) - len(self._jobs)

    @property
    def idle(self) -> int:
        """How many tasks can be submitted now and wait behind no other, which may hang."""
        return int(not self._jobs)

    @property
    def busy(self) -> int:
        """How many tasks are submitted and not answered."""
        return len(self._jobs)

    def submit(self, job: Any, task: Mapping[str, Any]) -> None:
        """Line up a task."""
        self._numbers += 1
        self._jobs[self._numbers] = job
        self._queue.append((self._numbers, task))

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        """Do what is lined up: decode each clip, encode as many together as may wait."""
        decoded: list[Decoded] = []
        while self._queue:
            clip = self._steps.decode(*self._queue.popleft())
            decoded += [clip] if clip else []
            if decoded and (not self._queue or sum(each.size for each in decoded) >= WAITING_BYTES):
                self._steps.encode(decoded)
                decoded = []
        done, self._done = self._done, []
        return done

    def _told(self, message: Told) -> None:
        if "answer" in message:
            self._done.append((self._jobs.pop(message["task"]), message["answer"]))
