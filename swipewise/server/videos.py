"""The part of the API that takes videos: posted by uri or sent as they are, worked on as jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from swipewise.errors import DataError
from swipewise.events.job_records import Job, JobRequest, JobState
from swipewise.events.jobs import MOST_LISTED, JobQueue
from swipewise.ingest.locations import Roots
from swipewise.ingest.work import hold_uploads
from swipewise.server.intake import BadRequestError, read_body
from swipewise.server.messages import Problem, one_or_many
from swipewise.server.posting import (
    MAX_VIDEOS,
    IdempotencyKey,
    JobAnswer,
    JobsAnswer,
    PostedVideo,
    VideoFacts,
    VideoId,
    parse_videos,
)
from swipewise.server.uploads import Upload, clear_parts
from swipewise.workspace import Workspace

_RAW = {"schema": {"type": "string", "format": "binary"}}
_POST_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": one_or_many(PostedVideo, MAX_VIDEOS),
            "video/*": _RAW,
        },
    }
}
_PUT_BODY = {"requestBody": {"required": True, "content": {"video/*": _RAW}}}
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": JobAnswer | JobsAnswer, "description": "Queued, and on disk; a list is answered by a list"},
    413: {"model": Problem, "description": "Too large"},
    415: {"model": Problem, "description": "Neither JSON nor a video"},
    422: {"model": Problem, "description": "Not as it should be; names the field"},
    503: {"model": Problem, "description": "The jobs cannot be written now; try again after Retry-After"},
    507: {"model": Problem, "description": "The server's disk is full"},
}

Key = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="A retry with the same key is the same job."),
]
Facts = Annotated[VideoFacts, Query()]


class VideoIntake:
    """Turns requests into jobs.

    Args:
        workspace: Where uploads lie.
        queue: Where jobs are put.
        wake: Called after a job was posted.
    """

    def __init__(self, workspace: Workspace, queue: JobQueue, wake: Callable[[], object]) -> None:
        self._workspace = workspace
        self._wake = wake
        self._roots = Roots.of(workspace)
        self.queue = queue
        clear_parts(workspace.uploads_dir)

    async def post(self, body: bytes, key: str | None) -> tuple[list[Job], bool]:
        """Queue the videos of a JSON body; whether it was a list."""
        requests, is_list = await run_in_threadpool(parse_videos, body, self._roots, key)
        return await run_in_threadpool(self._queued, requests), is_list

    async def upload(self, request: Request, video_id: str | None, facts: VideoFacts, key: str | None) -> Job:
        """Take the clip that a request carries, and queue it."""
        stated = facts.stated()
        length = request.headers.get("content-length", "")
        upload = Upload(
            self._workspace.uploads_dir,
            self._workspace.config.ingest.max_bytes,
            request.headers.get("content-type"),
        )
        try:
            await upload.receive(request.stream(), int(length) if length.isdigit() else None)
            return await run_in_threadpool(self._keep, upload, video_id, stated, key)
        finally:
            upload.discard()

    def _keep(self, upload: Upload, video_id: str | None, stated: dict[str, Any], key: str | None) -> Job:
        with hold_uploads(self._workspace):
            uri = str(upload.keep())
            request = JobRequest(uri=uri, location=uri, video_id=video_id, stated=stated, idempotency_key=key)
            return self._queued([request])[0]

    def _queued(self, requests: list[JobRequest]) -> list[Job]:
        try:
            jobs = self.queue.post(requests)
        except DataError as error:
            raise BadRequestError(422, str(error)) from error
        self._wake()
        return jobs


def video_routes(intake: VideoIntake) -> APIRouter:
    """The routes that take videos and tell of their jobs."""
    router = APIRouter()

    @router.post("/v1/videos", status_code=202, response_model=None, responses=_ACCEPTED, openapi_extra=_POST_BODY)
    async def post_videos(request: Request, facts: Facts, key: Key = None) -> Response:
        """Take videos into the catalogue: a JSON object or a list of them, or the bytes of one clip.

        They are queued on disk when the answer comes, with ids by which `/v1/jobs/{job_id}` tells how far they are. The
        same request again is the same job. What is said of a clip sent as it is goes into the query.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind.startswith("video/"):
            return _accepted(await intake.upload(request, None, facts, key))
        if kind != "application/json":
            raise BadRequestError(
                415,
                f"cannot take content of type {kind or 'none'!r}: send application/json, or a clip as video/mp4",
            )
        if named := ", ".join(facts.stated()):
            raise BadRequestError(422, f"{named} in the query belong to a clip sent as it is: say it in the JSON")
        jobs, is_list = await intake.post(await read_body(request, "videos"), key)
        return JSONResponse(JobsAnswer.of(jobs).model_dump(mode="json"), 202) if is_list else _accepted(jobs[0])

    @router.put(
        "/v1/videos/{video_id}/content",
        status_code=202,
        response_model=None,
        responses=_ACCEPTED,
        openapi_extra=_PUT_BODY,
    )
    async def put_content(
        request: Request, video_id: Annotated[VideoId, Path()], facts: Facts, key: Key = None
    ) -> Response:
        """Take the bytes of a clip as the content of a video, which is new or gets another cut.

        They are on disk and queued when the answer comes.
        """
        return _accepted(await intake.upload(request, video_id, facts, key))

    @router.get("/v1/jobs", responses={422: {"model": Problem, "description": "Not as it should be"}})
    def get_jobs(
        state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Jobs wanted, the newest first.")] = 100,
    ) -> JobsAnswer:
        """Posted videos and how far they are."""
        return JobsAnswer.of(intake.queue.find(state, limit=limit))

    @router.get("/v1/jobs/{job_id}", responses={404: {"model": Problem, "description": "No such job"}})
    def get_job(job_id: str) -> JobAnswer:
        """A posted video and how far it is."""
        return JobAnswer.of(intake.queue.get(job_id))

    return router


def _accepted(job: Job) -> Response:
    answer = JobAnswer.of(job).model_dump(mode="json")
    return JSONResponse(answer, 202, headers={"Location": f"/v1/jobs/{job.job_id}"})
