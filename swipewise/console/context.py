"""What the pages of one server have in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import polars as pl

from swipewise.catalog import Catalog
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.jobs import JobQueue
from swipewise.feed.engine import FeedEngine
from swipewise.feed.standing import Teller
from swipewise.workspace import Workspace

T = TypeVar("T")


class Kept:
    """Answers that take long to find, kept for a while; one is found once though many ask for it.

    Args:
        seconds: How long, at least; what took longer to find is kept ten times as long as that took.
        clock: Seconds that only grow.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._found: dict[Hashable, tuple[float, Any]] = {}

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """What is kept under a key, found anew where that is too old."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            until, answer = self._found.get(key, (-float("inf"), None))
            start = self._clock()
            if start >= until:
                answer = find()
                end = self._clock()
                self._found[key] = (end + max(self._seconds, 10 * (end - start)), answer)
            found: T = answer
            return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The workspace, its feed, and the stores that pages read.

    ``root`` is the path under which the pages are reached; ``signs_in`` says whether keys are asked for; ``scrape``
    gives the server's metrics in Prometheus' text format.
    """

    workspace: Workspace
    engine: FeedEngine
    catalog: Catalog
    jobs: JobQueue
    audit: AuditLog
    teller: Teller
    root: str
    signs_in: bool
    scrape: Callable[[], bytes]
    kept: Kept = field(default_factory=lambda: Kept(20.0))

    @classmethod
    def over(
        cls,
        engine: FeedEngine,
        records: Database,
        *,
        root: str = "",
        signs_in: bool = False,
        scrape: Callable[[], bytes] = bytes,
        kept: Kept | None = None,
    ) -> Self:
        """The console of an engine's workspace, whose jobs and audit lie in a database."""
        catalog = Catalog(engine.workspace.catalog_dir)
        return cls(
            workspace=engine.workspace,
            engine=engine,
            catalog=catalog,
            jobs=JobQueue(records),
            audit=AuditLog(records),
            teller=Teller(catalog),
            root=root,
            signs_in=signs_in,
            scrape=scrape,
            kept=kept or Kept(20.0),
        )

    def videos(self) -> pl.DataFrame:
        """The catalogue, as of ``Catalog.videos``, kept for a while.

        Raises:
            StoreError: It cannot be read.
        """
        return self.kept.get("videos", self.catalog.videos)
