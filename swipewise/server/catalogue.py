"""The part of the API that shows the catalogue: what is known of videos, those alike, and taking videos out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from swipewise.catalog import Catalog
from swipewise.errors import DataError, UnknownIdError
from swipewise.feed.engine import FeedEngine
from swipewise.ingest.locations import scheme_of, without_secrets
from swipewise.ingest.remove import remove_videos
from swipewise.ingest.work import hold_uploads
from swipewise.schema import Col, Modality
from swipewise.server.intake import BadRequestError
from swipewise.server.messages import Problem

MOST_LISTED = 1000
MOST_SIMILAR = 200

_ABSENT: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such video"}}
_SIMILAR = _ABSENT | {
    409: {"model": Problem, "description": "There is no model yet, or the video is not in it yet"}
}

VideoPath = Annotated[str, Path(min_length=1, description="Percent-encoded.")]
Content = Annotated[
    Modality | None,
    Query(description="visual, text or audio: by what its encoder makes of it; absent: by the model's fusion."),
]


class VideoSummary(BaseModel):
    """What is known of a video. `uri` is given where it lies on another machine."""

    video_id: str
    caption: str | None
    creator: str | None
    music: str | None
    tags: list[str]
    language: str | None
    uploaded_at: datetime | None
    regions: list[str] = Field(description="Where it may be shown; none: everywhere.")
    available_from: datetime | None
    available_until: datetime | None
    ingested_at: datetime
    duration_seconds: float | None
    width: int | None
    height: int | None
    uri: str | None
    duplicate_of: str | None = Field(description="The first video that this one is a near-duplicate of.")
    links: dict[str, str]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Put a row of the catalogue into words for the wire; where files lie on this machine is nobody's business."""
        address = f"/v1/videos/{quote(row[Col.VIDEO_ID], safe='')}"
        links = {"self": address, "similar": f"{address}/similar", "thumbnail": f"{address}/thumbnail"}
        uri = row[Col.URI]
        shown = {name: row[name] for name in cls.model_fields if name in row}
        shown |= {name: row[name] or [] for name in (Col.TAGS, Col.REGIONS)}
        shown |= {Col.URI: without_secrets(uri) if scheme_of(uri) else None}
        return cls(**shown, links=links)


class VideoAnswer(VideoSummary):
    """The same with what encoders made of it, and its near-duplicates."""

    speech: str | None
    screen_text: str | None
    modalities: dict[str, list[str]] = Field(
        description="Of each content modality the encoders that gave a vector."
    )
    duplicates: list[str] = Field(description="The videos that are linked to this one.")

    @classmethod
    def read(cls, catalog: Catalog, video_id: str) -> Self:
        """All that a catalogue knows of one video.

        Raises:
            UnknownIdError: There is no video with this id.
            StoreError: The catalogue cannot be read.
        """
        modalities: dict[str, list[str]] = {}
        for modality, identity in catalog.encoders_of(video_id):
            modalities.setdefault(modality.value, []).append(identity)
        found = catalog.videos([video_id], words=True)
        if found.is_empty():
            raise UnknownIdError(f"video {video_id!r} was removed just now")
        row = found.row(0, named=True)
        return cls(
            **VideoSummary.of(row).model_dump(),
            **{name: row[name] for name in (Col.SPEECH, Col.SCREEN_TEXT)},
            modalities=modalities,
            duplicates=catalog.links.duplicates_of(video_id),
        )


class VideosAnswer(BaseModel):
    """A page of the catalogue in order of id. `next` is given where there are more: the next page's `after`."""

    videos: list[VideoSummary]
    next: str | None


class SimilarAnswer(BaseModel):
    """A video like the one asked about; `similarity` is a cosine."""

    video_id: str
    similarity: float


class SimilarVideosAnswer(BaseModel):
    """The videos most like one, best first; `modality` is null where the model's fusion has compared them."""

    video_id: str
    modality: str | None
    similar: list[SimilarAnswer]


def catalogue_routes(engine: FeedEngine, look: Callable[[], object]) -> APIRouter:
    """The routes that show and remove videos; after all others under /v1/videos/, as ids may hold slashes.

    Args:
        engine: What feeds are made from.
        look: Has all workers look for what has changed.
    """
    router = APIRouter()
    workspace = engine.workspace
    catalog = Catalog(workspace.catalog_dir)

    @router.get("/v1/videos", responses={422: {"model": Problem, "description": "Not as it should be"}})
    def get_videos(
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Videos wanted.")] = 100,
        after: Annotated[
            str | None, Query(max_length=256, description="Only ids that come after this one.")
        ] = None,
    ) -> VideosAnswer:
        """The catalogue in order of id, a page at a time."""
        rows = catalog.page(limit + 1, after).to_dicts()
        more = rows[limit - 1][Col.VIDEO_ID] if len(rows) > limit else None
        return VideosAnswer(videos=[VideoSummary.of(row) for row in rows[:limit]], next=more)

    @router.get("/v1/videos/{video_id:path}/similar", responses=_SIMILAR)
    def get_similar(
        video_id: VideoPath,
        limit: Annotated[int, Query(ge=1, le=MOST_SIMILAR, description="Videos wanted.")] = 20,
        modality: Content = None,
    ) -> SimilarVideosAnswer:
        """The videos most like one, without its near-duplicates."""
        if modality in (Modality.ID, Modality.ATTRIBUTES):
            raise BadRequestError(422, f"modality: no encoder looks at {modality}: valid are visual, text, audio")
        try:
            found = engine.similar(video_id, limit=limit, modality=modality)
        except DataError as error:
            raise BadRequestError(409, str(error)) from error
        similar = [SimilarAnswer(video_id=each.video_id, similarity=each.similarity) for each in found]
        return SimilarVideosAnswer(video_id=video_id, modality=modality, similar=similar)

    @router.get("/v1/videos/{video_id:path}", responses=_ABSENT)
    def get_video(video_id: VideoPath) -> VideoAnswer:
        """What is known of a video."""
        return VideoAnswer.read(catalog, video_id)

    @router.delete("/v1/videos/{video_id:path}", status_code=204, responses=_ABSENT)
    def delete_video(video_id: VideoPath) -> Response:
        """Take a video out of the catalogue; no feed shows it from the moment of the answer.

        Its file stays where it is, but for a clip that was sent here. Deleting it again is no error.
        """
        with hold_uploads(workspace):
            remove_videos(workspace, [video_id])
        look()
        return Response(status_code=204)

    return router
