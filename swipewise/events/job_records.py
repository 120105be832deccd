"""What is known of a job, and the table that holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from swipewise.events.moments import moment_of
from swipewise.schema import Col


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What somebody wants to be taken.

    Attributes:
        uri: Where the file lies, without secrets.
        location: The same with whatever secrets it takes; kept until the job is over.
        video_id: The id it is to have.
        stated: What is said about it, as JSON values.
        idempotency_key: The client's name for this request; None: equal requests are the same.
    """

    uri: str
    location: str = field(repr=False)
    video_id: str | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for equal requests, whatever signature the uri carries."""
        content = [self.uri, self.video_id, sorted(self.stated.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands.

    Attributes:
        job_id: Its id.
        state: Where it is.
        request: What is wanted.
        stage: Of a running job: what is done now.
        video_id: The video it is; of an unfinished job the one it is to be, if that was said.
        outcome: Of a job that is done: "added", "updated" or "unchanged".
        reason: Why it was rejected, or what keeps it waiting.
        attempts: How often work on it was begun.
        seconds: Wall time of its stages so far.
        created_at, started_at, finished_at: When it was posted, last taken up, and over.
    """

    job_id: str
    state: JobState
    request: JobRequest
    stage: str | None
    video_id: str | None
    outcome: str | None
    reason: str | None
    attempts: int
    seconds: Mapping[str, float]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def facts(self) -> dict[str, Any]:
        """What may be told of it: everything but its secrets."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "request"}
        return {"uri": self.request.uri, **own}


SEQ: Final = "seq"
KEY: Final = "request_key"
FINGERPRINT: Final = "request_fingerprint"
OWNER: Final = "owner"
LEASE: Final = "lease_until"

JOBS: Final = sa.table(
    "jobs",
    sa.column(SEQ, sa.BigInteger),
    sa.column(Col.JOB_ID, sa.Text),
    sa.column(KEY, sa.Text),
    sa.column(FINGERPRINT, sa.Text),
    sa.column(Col.URI, sa.Text),
    sa.column(Col.LOCATION, sa.Text),
    sa.column(Col.VIDEO_ID, sa.Text),
    sa.column(Col.STATED, sa.Text),  # a JSON object
    sa.column(Col.STATE, sa.Text),
    sa.column(Col.STAGE, sa.Text),
    sa.column(Col.OUTCOME, sa.Text),
    sa.column(Col.REASON, sa.Text),
    sa.column(Col.ATTEMPTS, sa.Integer),
    sa.column(Col.SECONDS, sa.Text),  # a JSON object
    sa.column(Col.CREATED_AT, sa.BigInteger),  # microseconds since 1970 UTC, as all times here
    sa.column(Col.STARTED_AT, sa.BigInteger),
    sa.column(Col.FINISHED_AT, sa.BigInteger),
    sa.column(OWNER, sa.Text),
    sa.column(LEASE, sa.BigInteger),
)


def to_job(row: Mapping[str, Any]) -> Job:
    """A row of the table as a record."""
    request = JobRequest(
        uri=row[Col.URI],
        location=row[Col.LOCATION] or row[Col.URI],
        video_id=row[Col.VIDEO_ID],
        stated=json.loads(row[Col.STATED]),
    )
    return Job(
        job_id=row[Col.JOB_ID],
        state=JobState(row[Col.STATE]),
        request=request,
        stage=row[Col.STAGE],
        video_id=row[Col.VIDEO_ID],
        outcome=row[Col.OUTCOME],
        reason=row[Col.REASON],
        attempts=row[Col.ATTEMPTS],
        seconds=json.loads(row[Col.SECONDS]),
        created_at=moment_of(row[Col.CREATED_AT]),
        started_at=None if row[Col.STARTED_AT] is None else moment_of(row[Col.STARTED_AT]),
        finished_at=None if row[Col.FINISHED_AT] is None else moment_of(row[Col.FINISHED_AT]),
    )
