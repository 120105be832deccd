"""Small pictures of the videos over HTTP."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path
from fastapi.responses import Response

from swipewise.catalog import Catalog
from swipewise.server.messages import Id, Problem
from swipewise.server.problems import problem

# A video may get a new cut, so a browser asks again after a while; it is told by the tag that nothing changed.
# Caches that many share must not keep what takes a key.
CACHE_CONTROL = "private, max-age=3600"

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The picture"},
    304: {"description": "The picture is the one that the client has"},
    404: {"model": Problem, "description": "There is no such video, or it has no picture; says which"},
}


def thumbnail_routes(catalog: Catalog) -> APIRouter:
    """The routes under which the thumbnails of a catalogue are served."""
    router = APIRouter()

    @router.get("/v1/videos/{video_id:path}/thumbnail", response_class=Response, responses=_RESPONSES)
    def get_thumbnail(
        video_id: Annotated[Id, Path(description="Percent-encoded.")],
        if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Response:
        """A small JPEG of a video."""
        jpeg = None if catalog.removals.is_removed(video_id) else catalog.thumbnails.read(video_id)
        if jpeg is None:
            return problem(404, Problem(error=_why_none(catalog, video_id)))
        tag = f'"{hashlib.sha256(jpeg).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL}
        known = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
        if tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    return router


def _why_none(catalog: Catalog, video_id: str) -> str:
    catalog.get(video_id)  # if there is no such video, that is why
    return (
        f"video {video_id!r} has no thumbnail: it has no picture, came without a file, or was added while "
        "media.thumbnails was false"
    )
