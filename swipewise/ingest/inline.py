"""Tasks in this process, one step after the other: for debuggers, notebooks and where no process may be started.

A file that crashes or hangs a decoder takes the whole run with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Self

from swipewise.config import MediaConfig
from swipewise.encoders import identity
from swipewise.ingest.executor import Answer
from swipewise.ingest.stages import Steps, Told
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
            media=MediaConfig(**self._settings["media"]),
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
        """Do what is lined up: decode each clip, encode them together."""
        decoded: list[Decoded] = []
        while self._queue:
            clip = self._steps.decode(*self._queue.popleft())
            decoded += [clip] if clip else []
        if decoded:
            self._steps.encode(decoded)
        done, self._done = self._done, []
        return done

    def _told(self, message: Told) -> None:
        if "answer" in message:
            self._done.append((self._jobs.pop(message["task"]), message["answer"]))
