"""Clips and their pictures, for somebody who is signed in."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from swipewise.console.context import Console
from swipewise.errors import UnknownIdError
from swipewise.schema import Video

_PICTURE_CACHE = "private, max-age=3600"
_NO_PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 140" preserveAspectRatio="xMidYMid slice">
<rect width="90" height="140" fill="#808080" fill-opacity="0.25"/>
<text x="45" y="74" text-anchor="middle" font-family="sans-serif" font-size="11" fill="#808080">no picture</text>
</svg>"""


def media_routes(console: Console) -> APIRouter:
    """The routes under which pages find clips and pictures."""
    router = APIRouter(include_in_schema=False)

    @router.get("/media/clips/{video_id:path}")
    def get_clip(video_id: str) -> Response:
        """The file of a video, whole or in ranges; only what the catalogue names is ever read."""
        path = clip_path(_video(console, video_id))
        if path is None:
            raise HTTPException(404, f"the file of video {video_id!r} is not on this machine")
        kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, no-cache"})

    @router.get("/media/pictures/{video_id:path}")
    def get_picture(video_id: str) -> Response:
        """The thumbnail of a video; of one that has none, such as sound alone, a drawing that says so."""
        jpeg = None if console.catalog.removals.is_removed(video_id) else console.catalog.thumbnails.read(video_id)
        headers = {"Cache-Control": _PICTURE_CACHE}
        if jpeg is not None:
            return Response(jpeg, media_type="image/jpeg", headers=headers)
        _video(console, video_id)
        return Response(_NO_PICTURE, media_type="image/svg+xml", headers=headers)

    return router


def clip_path(video: Video) -> Path | None:
    """The file of a video, None where it lies elsewhere or is gone."""
    path = Path(video.uri)
    return path if path.is_absolute() and path.is_file() else None


def _video(console: Console, video_id: str) -> Video:
    try:
        return console.catalog.get(video_id)
    except UnknownIdError as error:
        raise HTTPException(404, str(error)) from error
