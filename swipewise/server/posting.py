"""Posted videos: what a request says of them, checked as a manifest's row is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from swipewise.events.job_records import Job, JobRequest
from swipewise.events.rules import BLANKS
from swipewise.ingest.locations import Roots, scheme_of, without_secrets
from swipewise.ingest.manifest import LONGEST_TEXT, location_of, stated_fields, video_id_of
from swipewise.server.intake import BadRequestError, invalid
from swipewise.server.messages import FieldProblem

MAX_VIDEOS = 1000


def _new_id(value: str) -> str:
    if video_id_of(value) != value:
        raise ValueError(f"{value!r} must not be empty, nor begin or end with blanks")
    if "/" in value or "\\" in value or value in (".", ".."):
        raise ValueError(f"{value!r} would read as a path in an address: leave out slashes")
    return value


# Characters that may not be seen have to be left out, too; no expression names them all.
_NEW_ID_PATTERN: Final = rf"^(?!\.{{1,2}}$)(?![{BLANKS}])[^/\\\x00-\x1f\x7f]+(?<![{BLANKS}])$"

VideoId = Annotated[
    str,
    Field(min_length=1, max_length=256, json_schema_extra={"pattern": _NEW_ID_PATTERN}),
    AfterValidator(_new_id),
]
Text = Annotated[str, Field(json_schema_extra={"pattern": r"^[^\x00]*$", "maxLength": LONGEST_TEXT})]
IdempotencyKey = Annotated[str, Field(min_length=1, max_length=256)]


class VideoFacts(BaseModel):
    """What may be said of a video, as in a manifest; what is left out keeps what is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caption: Text | None = None
    creator: Text | None = None
    music: Text | None = None
    language: Text | None = None
    uploaded_at: str | None = Field(default=None, description="ISO 8601; the moment of posting when absent.")
    tags: Text | None = Field(default=None, description="With commas or else blanks between them.")
    regions: Text | None = Field(
        default=None, description="Where it may be shown, with commas or else blanks; none: everywhere."
    )
    available_from: str | None = Field(default=None, description="ISO 8601; not to be shown before.")
    available_until: str | None = Field(default=None, description="ISO 8601; not to be shown from then on.")

    def stated(self) -> dict[str, Any]:
        """The fields that are given, as JSON values.

        Raises:
            BadRequestError: One of them makes no sense.
        """
        values = {name: getattr(self, name) for name in VideoFacts.model_fields}
        given = {name: value for name, value in values.items() if value is not None}
        for name, value in given.items():
            try:
                stated_fields({name: value})
            except ValueError as error:
                message = str(error).removeprefix(f"{name} ")
                raise BadRequestError(
                    422, f"{name}: {message}", [FieldProblem(field=name, message=message)]
                ) from error
        return given


class PostedVideo(VideoFacts):
    """A video to be taken from where it lies."""

    uri: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="An absolute path or a remote uri, inside the places of ingest.roots."
    )
    video_id: VideoId | None = Field(default=None, description="From the content's hash when absent.")
    tags: list[Text] | Text | None = None  # type: ignore[assignment]
    uploaded_at: str | float | None = None  # type: ignore[assignment]
    regions: list[Text] | Text | None = None  # type: ignore[assignment]
    available_from: str | float | None = None  # type: ignore[assignment]
    available_until: str | float | None = None  # type: ignore[assignment]
    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="A retry with the same key is the same job; equal requests are without one."
    )

    def to_request(self, roots: Roots, where: str) -> JobRequest:
        """The job it asks for.

        Raises:
            BadRequestError: A field makes no sense, or the uri lies where requests may not reach.
        """
        try:
            stated = self.stated()
            location = _location(self.uri, roots)
        except BadRequestError as error:
            fields = [
                FieldProblem(field=f"{where}{each.field}", message=each.message) for each in error.fields or []
            ]
            raise BadRequestError(error.status, f"{where}{error}", fields) from error
        return JobRequest(
            uri=without_secrets(location),
            location=location,
            video_id=self.video_id,
            stated=stated,
            idempotency_key=self.idempotency_key,
        )


_ONE = TypeAdapter(PostedVideo)
_MANY = TypeAdapter(list[PostedVideo])


def parse_videos(body: bytes, roots: Roots, idempotency_key: str | None) -> tuple[list[JobRequest], bool]:
    """The requests of a body, and whether it was a list.

    Raises:
        BadRequestError: It is not JSON, holds too many videos, or one of them cannot be taken.
    """
    is_list = body.lstrip()[:1] == b"["
    try:
        videos = _MANY.validate_json(body) if is_list else [_ONE.validate_json(body)]
    except ValidationError as error:
        raise invalid(error.errors(include_url=False), PostedVideo.model_fields) from error
    if len(videos) > MAX_VIDEOS:
        raise BadRequestError(413, f"{len(videos)} videos in one request: send at most {MAX_VIDEOS}")
    if idempotency_key is not None:
        if is_list:
            raise BadRequestError(422, "the header Idempotency-Key names one video: give idempotency_key in each")
        videos = [videos[0].model_copy(update={"idempotency_key": idempotency_key})]
    requests = [video.to_request(roots, f"[{place}]." if is_list else "") for place, video in enumerate(videos)]
    return requests, is_list


def _location(uri: str, roots: Roots) -> str:
    """Where a posted uri leads, if requests may reach there."""
    try:
        location = location_of(uri, roots.folder)
        if not scheme_of(uri) and "://" not in uri and not os.path.isabs(uri):  # noqa: PTH117 - no path yet
            raise ValueError(f"{uri!r} is no absolute path and no uri")
        fault = roots.fault(location, by_request=True)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise BadRequestError(422, f"uri: {fault}", [FieldProblem(field="uri", message=fault)])
    return location


class JobAnswer(BaseModel):
    """A posted video and how far it is.

    `state` is queued, running, done or rejected; `seconds` has the wall time of the stages queue, read, decode, encode,
    commit and publish.
    """

    job_id: str
    state: str
    stage: str | None
    uri: str | None = Field(description="What was posted; null for a clip that was sent.")
    video_id: str | None
    outcome: str | None
    reason: str | None
    attempts: int
    seconds: dict[str, float]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job, uploads: Path) -> Self:
        """Put a job into words for the wire; where sent clips lie on the server, ``uploads``, is nobody's business."""
        facts = job.facts()
        if Path(job.request.uri).parent == uploads:
            facts["uri"] = None
        if job.reason is not None:
            facts["reason"] = job.reason.replace(f"{uploads}{os.sep}", "")
        return cls(**facts)


class JobsAnswer(BaseModel):
    """Several jobs."""

    jobs: list[JobAnswer]

    @classmethod
    def of(cls, jobs: Sequence[Job], uploads: Path) -> Self:
        """Put jobs into words for the wire."""
        return cls(jobs=[JobAnswer.of(job, uploads) for job in jobs])
