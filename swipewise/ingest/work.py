"""Work on posted jobs: take them, ingest them, make them known, say what became of them."""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
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

_AT_ONCE: Final = 8
# A run keeps in memory what it has taken, and others wait for the catalogue as long as it goes on.
_MOST_A_RUN: Final = 4096
_LOOK_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 0.5
_TROUBLE_SECONDS: Final = 10.0
_UPLOADS_SECONDS: Final = 60.0


def hold_uploads(workspace: Workspace) -> AbstractContextManager[None]:
    """Held while a file is sent here until its job is posted, and while files that no job names are removed.

    Raises:
        WorkspaceError: Others hold it for longer than anybody should.
    """
    return workspace.lock("uploads", wait=_UPLOADS_SECONDS)


class JobRunner:
    """Takes jobs in a thread of its own, until stopped; each is over as soon as it is done, whatever others take.

    Several may run on one workspace, also in several processes: a job is held by one of them at a time. Worker
    processes start with the first job and stay.

    Args:
        workspace: Whose jobs, catalogue and configuration.
        publish: Called whenever jobs have changed the catalogue; they are done once it returns.
        warm: Whether worker processes start at once, so that the first job need not wait for them.
    """

    def __init__(
        self, workspace: Workspace, *, publish: Callable[[], Any] = lambda: None, warm: bool = False
    ) -> None:
        self._workspace = workspace
        self._publish = publish
        self._warm = warm
        self._config = workspace.config.ingest
        self._owner = f"{socket.gethostname()} {uuid4().hex}"
        self._queue = JobQueue(Database(workspace.events_dir))
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._pool: Executor | None = None
        self._started = False
        self._threads = [
            threading.Thread(target=target, name=f"swipewise-{name}", daemon=True)
            for name, target in (("jobs", self._work), ("leases", self._hold))
        ]

    def start(self) -> None:
        """Begin."""
        self._started = True
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that a job was posted, so that it is taken at once."""
        self._wake.set()

    @property
    def woken(self) -> bool:
        """Whether a job was posted since the last look."""
        return self._wake.is_set()

    def tell(self, job: Job, stage: str) -> None:
        """Note what is done with a job now."""
        self._queue.stage(self._owner, [job.job_id], stage)

    def stop(self, patience: float = 5.0) -> None:
        """End after what is going on, or leave its jobs to whoever comes next."""
        self._stop.set()
        self._wake.set()
        if self._started:
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
        """Work until nothing waits; the seconds to wait before the next look."""
        round_ = _Round(self)
        try:
            entries = round_.more()
            if not entries:
                return _LOOK_SECONDS
            ingest_entries(self._workspace, entries, pool=self._open_pool(), follower=round_)
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

    def take(self, limit: int) -> list[tuple[Entry, Job]]:
        """Jobs that wait, oldest first, with their files; those whose place is forbidden end here."""
        roots = Roots.of(self._workspace)
        found: list[tuple[Entry, Job]] = []
        while len(found) < limit and not self._stop.is_set():
            self._wake.clear()
            jobs = self._queue.take(
                self._owner,
                limit=limit - len(found),
                lease_seconds=self._config.lease_seconds,
                attempts=self._config.attempts,
            )
            if not jobs:
                break
            self._open_pool()  # takes a while, in which links may be bent: they are judged when it is there
            for job in jobs:
                judged = judged_entry(_entry(job), roots, by_request=True)
                if isinstance(judged, Rejection):
                    self._finish(job, "rejected", reason=judged.reason, seconds={})
                    self._clear_uploads([job.request.uri])
                else:
                    found.append((judged, job))
        return found

    def end(self, settled: Sequence[tuple[Job, Outcome, dict[str, float]]]) -> None:
        """Make known what has come into the catalogue, and end its jobs."""
        published = 0.0
        if any(outcome.outcome in ("added", "updated") for _, outcome, _ in settled):
            self._queue.stage(self._owner, [job.job_id for job, *_ in settled], "publishing")
            started = time.monotonic()
            self._try_to_publish()
            published = time.monotonic() - started
        for job, outcome, seconds in settled:
            if outcome.outcome != "rejected":
                seconds |= {"publish": published}
            self._finish(job, outcome.outcome, video_id=outcome.video_id, reason=outcome.reason, seconds=seconds)
        self._clear_uploads([job.request.uri for job, *_ in settled])

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
        with hold_uploads(self._workspace):
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


class _Round(Follower):
    """Follows a run: brings it the jobs that wait, tells their stages, times them, and ends them as they are stored."""

    live = True

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner
        self._looked_at = -math.inf
        self._taken = 0
        # By the identity of their entries, of which several may be equal; the entry, so that no other has its identity.
        self._jobs: dict[int, tuple[Entry, Job]] = {}
        self._begun: dict[tuple[int, str], float] = {}
        self._settled: list[tuple[Outcome, float]] = []

    def more(self) -> list[Entry]:
        room = min(_AT_ONCE - len(self._jobs), _MOST_A_RUN - self._taken)
        now = time.monotonic()
        if room <= 0 or not (self._runner.woken or now >= self._looked_at + _LOOK_SECONDS):
            return []
        self._looked_at = now
        held = {job.job_id for _, job in self._jobs.values()}
        # A job whose lease ran out, as it could not be renewed, is taken again, and already at work here.
        taken = [(entry, job) for entry, job in self._runner.take(room) if job.job_id not in held]
        self._taken += len(taken)
        self._jobs |= {id(entry): (entry, job) for entry, job in taken}
        return [entry for entry, _ in taken]

    def started(self, entry: Entry, stage: str) -> None:
        self._begun[id(entry), stage] = time.monotonic()
        if stage != "reading":
            # Only told: a log that cannot be written just now will stop the job where it matters.
            with suppress(StoreError):
                self._runner.tell(self._jobs[id(entry)][1], stage)

    def settled(self, outcome: Outcome) -> None:
        self._settled.append((outcome, time.monotonic()))

    def stored(self) -> None:
        ended = time.monotonic()
        settled, self._settled = self._settled, []
        found = []
        for outcome, at in settled:
            place = id(outcome.entry)
            read = self._begun.pop((place, "reading"), at)
            seconds = {"read": self._begun.pop((place, "encoding"), at) - read, **outcome.seconds}
            if outcome.outcome != JobState.REJECTED.value:
                seconds["commit"] = ended - at
            found.append((self._jobs.pop(place)[1], outcome, seconds))
        self._runner.end(found)


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
