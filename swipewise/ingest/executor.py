"""Who does the tasks of an ingestion: this process, processes of this machine, or a Ray cluster.

Whoever it is, the run decides and commits in the order of its sources, so the outcome is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, Self

from swipewise.config import Config
from swipewise.schema import Modality, Words

Answer = dict[str, Any]
"""What was asked for, or ``reason``; ``decode_seconds`` and ``encode_seconds`` where that was done."""


class Executor(Protocol):
    """Does tasks, several at a time, and gives back their answers in the order in which they end.

    A context manager: on entering it is ready for tasks or raises ``ConfigError``; on its end nothing of it is left.
    """

    encoders: dict[Modality, str]
    """The identity of the encoder that stands for each modality."""

    recognizers: dict[Words, str]
    """The identity of what looks for each kind of words."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exc: object) -> None: ...

    @property
    def free(self) -> int:
        """How many tasks can be submitted now."""
        ...

    @property
    def idle(self) -> int:
        """How many tasks can be submitted now and wait behind no other, which may hang."""
        ...

    @property
    def busy(self) -> int:
        """How many tasks are submitted and not answered."""
        ...

    def submit(self, job: Any, task: Mapping[str, Any]) -> None:
        """Hand over a task while ``free``; ``wait`` gives back ``job`` with the answer."""
        ...

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        """Wait until something happens, while ``busy``: the tasks that ended, if any, with their answers.

        It may return without any, and does when nothing has happened for so many seconds.

        An answer holds ``reason`` where the task failed.
        """
        ...


def worker_pool(config: Config, files: int | None = None) -> Executor:
    """The configured executor for so many files, with no more workers than are configured; None: for any number."""
    settings = {
        "media": asdict(config.media),
        "encoders": asdict(config.encoders),
        "decoders": config.ingest.decoders,
    }
    if config.ingest.executor == "inline":
        from swipewise.ingest.inline import Inline

        return Inline(settings)
    if config.ingest.executor == "ray":
        from swipewise.ingest.ray_pool import RayPool

        return RayPool(
            size=config.ingest.workers,
            files=files,
            settings=settings,
            timeout_seconds=config.media.timeout_seconds,
            address=config.ingest.ray_address,
            gpus=config.ingest.ray_gpus,
        )
    from swipewise.ingest.pool import WorkerPool

    wanted = config.ingest.workers or available_cores()
    return WorkerPool(
        size=min(wanted, max(1, files)) if files is not None else wanted,
        settings=settings,
        timeout_seconds=config.media.timeout_seconds,
    )


def available_cores() -> int:
    """How many cores this process may use; all of the machine's where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
