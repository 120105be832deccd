"""Jobs: posted once, held by one, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swipewise.errors import DataError, StoreError, UnknownIdError
from swipewise.events import EventLog, migrations
from swipewise.events.database import Database
from swipewise.events.job_records import Job, JobRequest, JobState
from swipewise.events.jobs import JobQueue

A = JobRequest(uri="s3://b/a.mp4", location="s3://b/a.mp4?sig=1", video_id="v1", stated={"caption": "hi"})

pytestmark = pytest.mark.usefixtures("live_store")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    opened = JobQueue(Database(tmp_path))
    yield opened
    opened.close()


def take(
    queue: JobQueue, owner: str = "me", *, limit: int = 10, lease: float = 60, attempts: int = 3
) -> list[Job]:
    return queue.take(owner, limit=limit, lease_seconds=lease, attempts=attempts)


def request(name: str) -> JobRequest:
    return JobRequest(uri=f"/{name}.mp4", location=f"/{name}.mp4")


def test_a_posted_job_is_on_disk_and_waits(queue: JobQueue, tmp_path: Path) -> None:
    (job,) = queue.post([A])
    again = JobQueue(Database(tmp_path))
    assert again.get(job.job_id) == job
    assert (job.state, job.attempts, job.request.location, job.video_id) == ("queued", 0, A.location, "v1")
    assert job.request.stated == {"caption": "hi"}
    again.close()


def test_the_same_request_is_the_same_job(queue: JobQueue) -> None:
    first, same = queue.post([A, replace(A, location="s3://b/a.mp4?sig=2")])
    assert first.job_id == same.job_id
    others = queue.post([replace(A, video_id="v2"), replace(A, stated={}), replace(A, uri="s3://b/b.mp4")])
    assert len({first.job_id, *(job.job_id for job in others)}) == 4
    take(queue)
    queue.finish("me", first.job_id, outcome="added", video_id="v1", seconds={})
    (done,) = queue.post([A])
    assert (done.job_id, done.state) == (first.job_id, JobState.DONE)


def test_an_idempotency_key_names_one_request(queue: JobQueue) -> None:
    keyed = replace(A, idempotency_key="k")
    assert queue.post([keyed])[0].job_id == queue.post([keyed])[0].job_id != queue.post([A])[0].job_id
    with pytest.raises(DataError, match="idempotency key 'k' was used for another request: give each its own"):
        queue.post([request("new"), replace(keyed, video_id="v2")])
    assert "/new.mp4" not in [job.request.uri for job in queue.find()], "all or none"


def test_a_rejected_job_that_is_posted_again_is_tried_again(queue: JobQueue) -> None:
    (job,) = queue.post([A])
    take(queue)
    queue.finish("me", job.job_id, outcome="rejected", reason="no such file", seconds={"reading": 1.0})
    rejected = queue.get(job.job_id)
    assert (rejected.state, rejected.reason, rejected.seconds) == ("rejected", "no such file", {"reading": 1.0})
    assert rejected.request.location == A.uri, "its signature is forgotten"
    (again,) = queue.post([replace(A, location="s3://b/a.mp4?sig=2")])
    assert (again.job_id, again.state, again.reason, again.attempts) == (job.job_id, "queued", None, 0)
    assert again.request.location == "s3://b/a.mp4?sig=2"


def test_jobs_are_taken_once_and_in_order(queue: JobQueue) -> None:
    queue.post([request(name) for name in "abc"])
    assert [job.request.uri for job in take(queue, "one", limit=2)] == ["/a.mp4", "/b.mp4"]
    (last,) = take(queue, "two")
    assert (last.request.uri, last.state, last.stage, last.attempts) == ("/c.mp4", "running", "reading", 1)
    assert take(queue, "three") == []


def test_no_two_jobs_of_one_file_are_taken_together(queue: JobQueue) -> None:
    first, second = queue.post([A, replace(A, video_id="v2")])
    assert [job.job_id for job in take(queue)] == [first.job_id]
    assert take(queue, "other") == []
    queue.finish("me", first.job_id, outcome="added", seconds={})
    assert [job.job_id for job in take(queue)] == [second.job_id]


def test_a_job_whose_lease_ran_out_is_taken_up_by_another(queue: JobQueue) -> None:
    (job,) = queue.post([A])
    take(queue, "dead", lease=0)
    (taken,) = take(queue, "next")
    assert (taken.job_id, taken.attempts) == (job.job_id, 2)
    queue.finish("dead", job.job_id, outcome="added", video_id="v1", seconds={})
    queue.stage("dead", [job.job_id], "encoding")
    assert (queue.get(job.job_id).state, queue.get(job.job_id).stage) == ("running", "reading"), (
        "it is the other's"
    )


def test_a_renewed_lease_holds(queue: JobQueue) -> None:
    queue.post([A])
    take(queue, "slow", lease=0)
    queue.renew("slow", 60)
    assert take(queue, "next") == []


def test_a_job_that_ends_every_process_is_given_up(queue: JobQueue) -> None:
    (job,) = queue.post([A])
    for _ in range(2):
        assert len(take(queue, "dies", lease=0, attempts=2)) == 1
    assert take(queue, "next", attempts=2) == []
    given_up = queue.get(job.job_id)
    assert given_up.state is JobState.REJECTED
    assert str(given_up.reason).startswith("the process that took it has ended 2 times before it was done")


def test_what_was_put_back_counts_as_not_begun(queue: JobQueue) -> None:
    (job,) = queue.post([A])
    take(queue)
    queue.put_back("me", "the disk is full")
    waiting = queue.get(job.job_id)
    assert (waiting.state, waiting.reason, waiting.attempts) == ("queued", "the disk is full", 0)
    (taken,) = take(queue)
    assert taken.reason is None


def test_jobs_are_found_by_state_newest_first(queue: JobQueue) -> None:
    queue.post([request(name) for name in "abc"])
    (a,) = take(queue, limit=1)
    queue.finish("me", a.job_id, outcome="unchanged", video_id="v", seconds={})
    assert [job.request.uri for job in queue.find()] == ["/c.mp4", "/b.mp4", "/a.mp4"]
    assert [job.request.uri for job in queue.find(JobState.QUEUED, limit=1)] == ["/c.mp4"]
    (done,) = queue.find(JobState.DONE)
    assert (done.outcome, done.video_id, done.stage) == ("unchanged", "v", None)
    assert done.finished_at is not None
    assert queue.wanted(["/a.mp4", "/b.mp4"]) == {"/b.mp4"}


def test_an_unknown_job_is_told(queue: JobQueue) -> None:
    with pytest.raises(UnknownIdError, match="no job 'x': 'swipewise videos jobs' lists"):
        queue.get("x")


def test_a_log_from_before_jobs_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
    database = Database(tmp_path)
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO events (event_id, viewer_id, video_id, action, at) VALUES ('e', 'v', 'x', 'like', 1)"
        )
    database.close()
    monkeypatch.undo()
    queue = JobQueue(Database(tmp_path))
    assert len(queue.post([A])) == 1
    queue.close()
    with EventLog.open(tmp_path) as log:
        assert log.profile("v") is None


def test_an_error_quotes_no_secret(queue: JobQueue, tmp_path: Path) -> None:
    database = Database(tmp_path)
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN stage")
    database.close()
    with pytest.raises(StoreError) as error:
        queue.post([replace(A, location="https://ann:s3cret@host/a.mp4")])
    assert "s3cret" not in f"{error.value} {error.value.__cause__}"
