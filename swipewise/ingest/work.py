"""Work on posted jobs: take them, ingest them, make them known, say what became of them."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from swipewise.catalog import Catalog, Rejection
from swipewise.errors import StoreError, SwipewiseError, WorkspaceError
from swipewise.events.database import Database
from swipewise.events.job_records import Job, JobState
from swipewise.events.jobs import JobQueue
from swipewise.ingest.executor import Executor, worker_pool
from swipewise.ingest.follow import Follower, Outcome
from swipewise.ingest.locations import Roots
from swipewise.ingest.manifest import stated_fields
from swipewise.ingest.run import ingest_entries
from swipewise.ingest.sources import Entry, judged_entry
from swipewise.schema import Col
from swipewise.workspace import Workspace

_logger = logging.getLogger(__name__)

# Jobs of one round are known together, so many at once would let a quick one wait for a slow one.
_AT_ONCE: Final = 8
_LOOK_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 0.5
_TROUBLE_SECONDS: Final = 10.0


class JobRunner:
    """Takes jobs one round after another in a thread of its own, until stopped.

    Several may run on one workspace, also in several processes: a job is held by one of them at a time. Worker
    processes start with the first job and stay.

    Args:
        workspace: Whose jobs, catalogue and configuration.
        publish: Called after each round that changed the catalogue; a job is done once it returns.
        warm: Whether worker processes start at once, so that the first job need not wait for them.
    """

    def __init__(
        self, workspace: Workspace, *, publish: Callable[[], Any] = lambda: None, warm: bool = False
    ) -> None:
        self._workspace = workspace
        self._publish = publish
        self._warm = warm
        self._config = workspace.config.ingest
        self.uploads = threading.Lock()
        """Held while a file is sent here until its job is posted, and while files that no job names are removed."""
        self._owner = f"{socket.gethostname()} {uuid4().hex}"
        self._queue = JobQueue(Database(workspace.events_dir))
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._pool: Executor | None = None
        self._threads = [
            threading.Thread(target=target, name=f"swipewise-{name}", daemon=True)
            for name, target in (("jobs", self._work), ("leases", self._hold))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that a job was posted, so that it is taken at once."""
        self._wake.set()

    def stop(self, patience: float = 5.0) -> None:
        """End after the round that is going on, or leave its jobs to whoever comes next."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout=patience)
        with suppress(StoreError):
            self._queue.put_back(self._owner, None)
        if not any(thread.is_alive() for thread in self._threads):
            self._queue.close()

    def _work(self) -> None:
        try:
            if self._warm:
                self._warm_up()
            while not self._stop.is_set():
                self._wake.clear()
                pause = self._round()
                if pause:
                    self._wake.wait(pause) if pause == _LOOK_SECONDS else self._stop.wait(pause)
        finally:
            self._close_pool()

    def _warm_up(self) -> None:
        try:
            self._open_pool()
        except SwipewiseError as error:
            _logger.warning("posted videos will have to wait: %s", error)

    def _round(self) -> float:
        """Take what waits; the seconds to wait before the next look."""
        try:
            jobs = self._queue.take(
                self._owner,
                limit=_AT_ONCE,
                lease_seconds=self._config.lease_seconds,
                attempts=self._config.attempts,
            )
            if not jobs:
                return _LOOK_SECONDS
            self._ingest(jobs, self._open_pool())
        except WorkspaceError:
            # Nothing has begun: the workers are free.
            self._put_back("another ingestion is running in the workspace")
            return _BUSY_SECONDS
        except Exception as error:
            known = isinstance(error, SwipewiseError)
            _logger.error("cannot work on posted videos: %s", error, exc_info=not known)
            self._close_pool()  # its workers may be at work on what was put back
            self._put_back(f"not taken yet: {error}")
            return _TROUBLE_SECONDS
        return 0.0

    def _ingest(self, jobs: Sequence[Job], pool: Executor) -> None:
        roots = Roots.of(self._workspace)
        round_ = _Round(queue=self._queue, owner=self._owner)
        entries = []
        for job in jobs:
            judged = judged_entry(_entry(job), roots, by_request=True)
            if isinstance(judged, Rejection):
                self._finish(job, "rejected", reason=judged.reason, seconds={})
            else:
                entries.append(judged)
                round_.jobs[id(judged)] = job
        if not entries:
            return
        summary = ingest_entries(self._workspace, entries, pool=pool, follower=round_)
        ended = time.monotonic()
        published = 0.0
        if summary.added or summary.updated:
            self._queue.stage(self._owner, [job.job_id for job in round_.jobs.values()], "publishing")
            self._try_to_publish()
            published = time.monotonic() - ended
        for outcome, seconds in round_.outcomes(ended):
            if outcome.outcome != "rejected":
                seconds |= {"publish": published}
            self._finish(
                round_.jobs[id(outcome.entry)],
                outcome.outcome,
                video_id=outcome.video_id,
                reason=outcome.reason,
                seconds=seconds,
            )
        self._clear_uploads([job.request.uri for job in jobs])

    def _try_to_publish(self) -> None:
        try:
            self._publish()
        except Exception:
            # The videos are in the catalogue; whoever serves them looks again by itself.
            _logger.exception("new videos are in the catalogue and could not be made known yet")

    def _finish(self, job: Job, outcome: str, **facts: Any) -> None:
        facts["seconds"] = {"queue": _waited(job), **facts["seconds"]}
        self._queue.finish(self._owner, job.job_id, outcome=outcome, **facts)

    def _clear_uploads(self, uris: Sequence[str]) -> None:
        """Remove files that were sent here and that nothing names: rejected ones, and copies of known ones."""
        sent = [uri for uri in uris if Path(uri).parent == self._workspace.uploads_dir]
        if not sent:
            return
        with self.uploads:
            kept = Catalog(self._workspace.catalog_dir).uris_in_use(sent) | self._queue.wanted(sent)
            for uri in set(sent) - kept:
                Path(uri).unlink(missing_ok=True)

    def _hold(self) -> None:
        """Renew the lease on whatever is held."""
        while not self._stop.wait(self._config.lease_seconds / 4):
            try:
                self._queue.renew(self._owner, self._config.lease_seconds)
            except StoreError:
                _logger.exception("cannot renew the lease on jobs")

    def _put_back(self, reason: str) -> None:
        try:
            self._queue.put_back(self._owner, reason)
        except StoreError:
            _logger.exception("jobs wait for their lease to run out")

    def _open_pool(self) -> Executor:
        if self._pool is None:
            self._pool = worker_pool(self._workspace.config).__enter__()
        return self._pool

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.__exit__()
            self._pool = None


@dataclass(slots=True, kw_only=True)
class _Round(Follower):
    """Follows the files of one round: tells their jobs' stages, and times them."""

    queue: JobQueue
    owner: str
    jobs: dict[int, Job] = field(default_factory=dict)
    """By the identity of their entries, of which several may be equal."""
    _begun: dict[tuple[int, str], float] = field(default_factory=dict)
    _settled: list[tuple[Outcome, float]] = field(default_factory=list)

    def started(self, entry: Entry, stage: str) -> None:
        self._begun[id(entry), stage] = time.monotonic()
        if stage != "reading":
            # Only told: a log that cannot be written just now will stop the job where it matters.
            with suppress(StoreError):
                self.queue.stage(self.owner, [self.jobs[id(entry)].job_id], stage)

    def settled(self, outcome: Outcome) -> None:
        self._settled.append((outcome, time.monotonic()))

    def outcomes(self, ended: float) -> list[tuple[Outcome, dict[str, float]]]:
        """What became of each file, and the wall time of its stages; the run ended at ``ended``."""
        found = []
        for outcome, at in self._settled:
            place = id(outcome.entry)
            read = self._begun.get((place, "reading"), at)
            seconds = {"read": self._begun.get((place, "encoding"), at) - read, **outcome.seconds}
            if outcome.outcome != JobState.REJECTED.value:
                seconds["commit"] = ended - at
            found.append((outcome, seconds))
        return found


def _entry(job: Job) -> Entry:
    """The file of a job; a new video that is not said to be older was uploaded when it was posted."""
    return Entry(
        uri=job.request.uri,
        location=job.request.location,
        video_id=job.request.video_id,
        stated=stated_fields(job.request.stated),
        assumed={Col.UPLOADED_AT: job.created_at},
        asked_at=job.created_at,
    )


def _waited(job: Job) -> float:
    started: datetime = job.started_at or job.created_at
    return (started - job.created_at).total_seconds()
