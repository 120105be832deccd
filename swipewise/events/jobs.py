"""Jobs: videos that somebody has posted, until they are in the catalogue or rejected.

A job is on disk before it is acknowledged. Whoever works on jobs holds them by a lease and renews it; the jobs of a
process that has died are taken up by another when the lease has run out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa

from swipewise.errors import DataError, UnknownIdError
from swipewise.events.database import Database
from swipewise.events.job_records import (
    FINGERPRINT,
    JOBS,
    KEY,
    LEASE,
    OWNER,
    SEQ,
    Job,
    JobRequest,
    JobState,
    to_job,
)
from swipewise.events.moments import microseconds_now
from swipewise.schema import Col

MOST_LISTED: Final = 1000
"""Jobs given in one answer."""


class JobQueue:
    """The jobs of a workspace; threads and processes may share them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Give back the file."""
        self._database.close()

    def look(self) -> None:
        """Make sure that jobs can be read.

        Raises:
            StoreError: They cannot.
        """
        with self._database.read() as connection:
            connection.execute(sa.select(JOBS.c[SEQ]).limit(1))

    def post(self, requests: Sequence[JobRequest]) -> list[Job]:
        """Queue requests, all or none; they are on disk when this returns.

        A request that equals an earlier one, or bears its idempotency key, is the same job, which goes on as it is; one
        that was rejected is queued again.

        Returns:
            A job a request, in the same order.

        Raises:
            DataError: An idempotency key was used for another request.
            StoreError: The store cannot be written; nothing was queued.
        """
        with self._database.write() as connection:
            ids = [self._posted(connection, request) for request in requests]
            found = self._select(connection, JOBS.c[Col.JOB_ID].in_(ids), len(ids))
        by_id = {job.job_id: job for job in found}
        return [by_id[job_id] for job_id in ids]

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            UnknownIdError: There is none with this id.
            StoreError: The store cannot be read.
        """
        with self._database.read() as connection:
            found = self._select(connection, JOBS.c[Col.JOB_ID] == job_id, 1)
        if not found:
            raise UnknownIdError(f"no job {job_id!r}: 'swipewise videos jobs' lists those there are")
        return found[0]

    def of_video(self, video_id: str) -> Job | None:
        """The newest job that took a video in, None where none did.

        Raises:
            StoreError: The store cannot be read.
        """
        done = (JOBS.c[Col.VIDEO_ID] == video_id) & (JOBS.c[Col.STATE] == JobState.DONE.value)
        with self._database.read() as connection:
            found = self._select(connection, done, 1, newest_first=True)
        return found[0] if found else None

    def find(self, state: JobState | None = None, *, limit: int = MOST_LISTED) -> list[Job]:
        """The newest jobs, newest first, all or those of one state.

        Raises:
            StoreError: The store cannot be read.
        """
        where = sa.true() if state is None else JOBS.c[Col.STATE] == state.value
        with self._database.read() as connection:
            return self._select(connection, where, limit, newest_first=True)

    def counts(self) -> dict[JobState, int]:
        """How many jobs there are in each state.

        Raises:
            StoreError: The store cannot be read.
        """
        state = JOBS.c[Col.STATE]
        with self._database.read() as connection:
            found = connection.execute(sa.select(state, sa.func.count()).group_by(state)).all()
        return dict.fromkeys(JobState, 0) | {JobState(name): count for name, count in found}

    def take(self, owner: str, *, limit: int, lease_seconds: float, attempts: int) -> list[Job]:
        """Begin with the oldest jobs that wait, or whose holder has let the lease run out.

        A job that was begun ``attempts`` times without an end is rejected: it is likely what ends the process.

        Args:
            owner: Who holds them from now on.
            limit: How many at most; no two jobs that are held have the same uri.
            lease_seconds: For how long, unless renewed.
            attempts: How often a job may be begun.

        Raises:
            StoreError: The store cannot be written.
        """
        now = microseconds_now()
        with self._database.write() as connection:
            self._give_up(connection, now, attempts)
            lost = (JOBS.c[Col.STATE] == JobState.RUNNING.value) & (JOBS.c[LEASE] < now)
            others = JOBS.alias()
            held = (others.c[Col.STATE] == JobState.RUNNING.value) & (others.c[LEASE] >= now)
            free = JOBS.c[Col.URI].not_in(sa.select(others.c[Col.URI]).where(held))
            waiting = ((JOBS.c[Col.STATE] == JobState.QUEUED.value) | lost) & free
            rows = connection.execute(
                sa.select(JOBS.c[SEQ], JOBS.c[Col.URI])
                .where(waiting)
                .order_by(JOBS.c[SEQ])
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            first = {uri: seq for seq, uri in reversed(rows)}
            chosen = JOBS.c[SEQ].in_(list(first.values()))
            values = {
                Col.STATE: JobState.RUNNING.value,
                Col.STAGE: "reading",
                Col.REASON: None,
                Col.ATTEMPTS: JOBS.c[Col.ATTEMPTS] + 1,
                Col.STARTED_AT: now,
                OWNER: owner,
                LEASE: now + _micro(lease_seconds),
            }
            connection.execute(JOBS.update().where(chosen).values(values))
            return self._select(connection, chosen, limit)

    def renew(self, owner: str, lease_seconds: float) -> None:
        """Hold all jobs of an owner for longer."""
        self._update(self._held(owner), {LEASE: microseconds_now() + _micro(lease_seconds)})

    def stage(self, owner: str, job_ids: Sequence[str], stage: str) -> None:
        """Tell what is done with held jobs now."""
        self._update(self._held(owner) & JOBS.c[Col.JOB_ID].in_(job_ids), {Col.STAGE: stage})

    def finish(
        self,
        owner: str,
        job_id: str,
        *,
        outcome: str,
        video_id: str | None = None,
        reason: str | None = None,
        seconds: Mapping[str, float],
    ) -> None:
        """End a held job: rejected with a reason, done otherwise. Its secrets are forgotten.

        A job that another owner has taken up meanwhile is left to them.
        """
        state = JobState.REJECTED if outcome == JobState.REJECTED else JobState.DONE
        values = {
            Col.STATE: state.value,
            Col.STAGE: None,
            Col.OUTCOME: None if state is JobState.REJECTED else outcome,
            Col.REASON: reason,
            Col.SECONDS: json.dumps(dict(seconds)),
            Col.FINISHED_AT: microseconds_now(),
            Col.LOCATION: None,
            OWNER: None,
            LEASE: None,
        }
        if video_id is not None:
            values[Col.VIDEO_ID] = video_id
        self._update(self._held(owner) & (JOBS.c[Col.JOB_ID] == job_id), values)

    def put_back(self, owner: str, reason: str | None) -> None:
        """Queue all jobs of an owner again, as if they had not been begun; ``reason`` says what kept them waiting."""
        values = {
            Col.STATE: JobState.QUEUED.value,
            Col.STAGE: None,
            Col.REASON: reason,
            Col.ATTEMPTS: JOBS.c[Col.ATTEMPTS] - 1,
            OWNER: None,
            LEASE: None,
        }
        self._update(self._held(owner), values)

    def wanted(self, uris: Sequence[str]) -> frozenset[str]:
        """Those of some uris that an unfinished job names."""
        unfinished = JOBS.c[Col.STATE].in_([JobState.QUEUED.value, JobState.RUNNING.value])
        statement = sa.select(JOBS.c[Col.URI]).where(JOBS.c[Col.URI].in_(uris) & unfinished)
        with self._database.read() as connection:
            return frozenset(connection.scalars(statement))

    def _posted(self, connection: sa.Connection, request: JobRequest) -> str:
        fingerprint = request.fingerprint
        key = f"key {request.idempotency_key}" if request.idempotency_key is not None else f"same {fingerprint}"
        columns = (Col.JOB_ID, Col.STATE, FINGERPRINT)
        known = connection.execute(
            sa.select(*(JOBS.c[name] for name in columns)).where(JOBS.c[KEY] == key)
        ).one_or_none()
        if known is None:
            return self._inserted(connection, request, key, fingerprint)
        job_id, state, before = known
        if before != fingerprint:
            raise DataError(
                f"idempotency key {request.idempotency_key!r} was used for another request: give each its own"
            )
        if state == JobState.REJECTED.value:
            again = {
                Col.STATE: JobState.QUEUED.value,
                Col.LOCATION: request.location,
                Col.REASON: None,
                Col.ATTEMPTS: 0,
                Col.FINISHED_AT: None,
                Col.CREATED_AT: microseconds_now(),
            }
            connection.execute(JOBS.update().where(JOBS.c[Col.JOB_ID] == job_id).values(again))
        return str(job_id)

    def _inserted(self, connection: sa.Connection, request: JobRequest, key: str, fingerprint: str) -> str:
        job_id = uuid4().hex
        connection.execute(
            JOBS.insert().values(
                {
                    Col.JOB_ID: job_id,
                    KEY: key,
                    FINGERPRINT: fingerprint,
                    Col.URI: request.uri,
                    Col.LOCATION: request.location,
                    Col.VIDEO_ID: request.video_id,
                    Col.STATED: json.dumps(dict(request.stated)),
                    Col.STATE: JobState.QUEUED.value,
                    Col.ATTEMPTS: 0,
                    Col.SECONDS: "{}",
                    Col.CREATED_AT: microseconds_now(),
                }
            )
        )
        return job_id

    def _give_up(self, connection: sa.Connection, now: int, attempts: int) -> None:
        lost = (JOBS.c[Col.STATE] == JobState.RUNNING.value) & (JOBS.c[LEASE] < now)
        times = "once" if attempts == 1 else f"{attempts} times"
        values = {
            Col.STATE: JobState.REJECTED.value,
            Col.STAGE: None,
            Col.REASON: f"the process that took it has ended {times} before it was done: look into its log, and post "
            "the video again",
            Col.FINISHED_AT: now,
            Col.LOCATION: None,
            OWNER: None,
            LEASE: None,
        }
        connection.execute(JOBS.update().where(lost & (JOBS.c[Col.ATTEMPTS] >= attempts)).values(values))

    def _select(
        self, connection: sa.Connection, where: sa.ColumnElement[bool], limit: int, *, newest_first: bool = False
    ) -> list[Job]:
        order = JOBS.c[SEQ].desc() if newest_first else JOBS.c[SEQ]
        rows = connection.execute(sa.select(JOBS).where(where).order_by(order).limit(limit)).mappings()
        return [to_job(dict(row)) for row in rows]

    def _update(self, where: sa.ColumnElement[bool], values: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            connection.execute(JOBS.update().where(where).values(dict(values)))

    @staticmethod
    def _held(owner: str) -> sa.ColumnElement[bool]:
        return (JOBS.c[OWNER] == owner) & (JOBS.c[Col.STATE] == JobState.RUNNING.value)


def _micro(seconds: float) -> int:
    return int(seconds * 1_000_000)
