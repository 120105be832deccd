"""The part of the API that is about one viewer: profile, interests, controls, export, erasure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from swipewise.catalog import Catalog
from swipewise.errors import DataError
from swipewise.events import erase_viewer, export_viewer
from swipewise.feed.engine import FeedEngine
from swipewise.feed.standing import Teller
from swipewise.server.intake import BadRequestError, body_of
from swipewise.server.messages import Id, Problem
from swipewise.server.viewing import (
    FEATURES_SCHEMA,
    ControlsAnswer,
    ErasureAnswer,
    InterestsAnswer,
    PostedControls,
    ProfileAnswer,
    complaint,
    parse_profile,
)

WAIT_SECONDS = 10.0
"""For how long an erasure waits for an import or compaction before it is answered as pending."""

ViewerId = Annotated[Id, Path(description="Percent-encoded.")]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "Not as it should be; names the field"},
    503: {"model": Problem, "description": "The store cannot be reached now; try again after Retry-After"},
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "Nothing is kept of that"}}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": Problem, "description": "Too large"}}


def viewer_routes(engine: FeedEngine) -> APIRouter:
    """The routes about a viewer."""
    router = APIRouter(prefix="/v1/viewers/{viewer_id}", dependencies=[Depends(_without_slash)])
    _profile_routes(router, engine)
    _control_routes(router, engine)
    _data_routes(router, engine)
    return router


def _without_slash(request: Request) -> None:
    """Refuse an id with a slash: decoded, what follows it would be read as what is asked of another viewer."""
    if b"%2f" in request.scope.get("raw_path", b"").lower():
        raise BadRequestError(404, "viewers whose id holds a slash are reached by 'swipewise viewers' alone")


def _profile_routes(router: APIRouter, engine: FeedEngine) -> None:
    teller = Teller(Catalog(engine.workspace.catalog_dir))

    @router.put("/profile", responses=_PROBLEMS | _TOO_LARGE, openapi_extra=_object(FEATURES_SCHEMA))
    def put_profile(viewer_id: ViewerId, body: Annotated[bytes, Depends(body_of("features"))]) -> ProfileAnswer:
        """Store a viewer's static features in place of the earlier ones: the next feed heeds them.

        The body is an object of features, as `swipewise viewers import` takes them: text, numbers, true or false, or
        lists of these.
        """
        profile = parse_profile(viewer_id, body)
        try:
            engine.put_profile(profile)
        except DataError as error:
            raise complaint(error) from error
        return ProfileAnswer(viewer_id=viewer_id, features=profile.features)

    @router.get("/profile", responses=_PROBLEMS | _UNKNOWN)
    def get_profile(viewer_id: ViewerId) -> ProfileAnswer:
        """A viewer's static features."""
        profile = engine.profile(viewer_id)
        if profile is None:
            raise BadRequestError(404, f"there is no profile of a viewer {viewer_id!r}: put one here")
        return ProfileAnswer(viewer_id=viewer_id, features=profile.features)

    @router.get("/interests", responses=_PROBLEMS)
    def get_interests(viewer_id: ViewerId) -> InterestsAnswer:
        """What the model believes of a viewer now, and what it is based on."""
        return InterestsAnswer.of(engine.standing(viewer_id, shifts=True), teller.theme)


def _control_routes(router: APIRouter, engine: FeedEngine) -> None:
    @router.put(
        "/controls", responses=_PROBLEMS | _TOO_LARGE, openapi_extra=_object(PostedControls.model_json_schema())
    )
    def put_controls(viewer_id: ViewerId, body: Annotated[bytes, Depends(body_of("entries"))]) -> ControlsAnswer:
        """Store what a viewer asks of the feed, in place of what was asked before: the next feed heeds it.

        A pause that lasts goes on where it is asked for again, and ends where it is not.
        """
        posted = PostedControls.parse(body)
        try:
            controls = engine.controls.put(
                viewer_id, posted.wanted(), paused=posted.learning == "paused", reset=posted.reset_learning
            )
        except DataError as error:
            raise complaint(error) from error
        return ControlsAnswer.of(viewer_id, controls)

    @router.get("/controls", responses=_PROBLEMS | _UNKNOWN)
    def get_controls(viewer_id: ViewerId) -> ControlsAnswer:
        """What a viewer asked of the feed."""
        controls = engine.controls.get(viewer_id)
        if controls is None:
            raise BadRequestError(404, f"viewer {viewer_id!r} has asked for nothing: put controls here")
        return ControlsAnswer.of(viewer_id, controls)

    @router.delete("/controls", status_code=204, responses=_PROBLEMS)
    def delete_controls(viewer_id: ViewerId) -> None:
        """Take back all that a viewer asked, also pauses and resets of learning."""
        engine.controls.delete(viewer_id)


def _data_routes(router: APIRouter, engine: FeedEngine) -> None:
    @router.get("/export", response_class=StreamingResponse, responses=_PROBLEMS | _UNKNOWN)
    def export(viewer_id: ViewerId) -> Response:
        """Everything that is kept about a viewer, one JSON object a line; `kind` says what each is."""
        rows = export_viewer(engine.workspace, viewer_id)
        # Looked at before anything is sent: an error then is still answered as one.
        first = next(rows, None)
        if first is None:
            raise BadRequestError(404, f"nothing is kept about a viewer {viewer_id!r}")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(viewer_id, safe='')}.jsonl"}
        lines = _lines(itertools.chain([first], rows))
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)

    @router.delete(
        "",
        response_model=ErasureAnswer,
        responses=_PROBLEMS
        | {202: {"model": ErasureAnswer, "description": "Begun; files are still being written"}},
    )
    def erase(viewer_id: ViewerId) -> Response:
        """Erase everything about a viewer from every store. Asking again is harmless.

        Of a viewer who was erased only later events are taken, as those of a new viewer. What a trained model learned
        stays in it until the next training.
        """
        erasure = erase_viewer(engine.workspace, viewer_id, wait=WAIT_SECONDS)
        answer = ErasureAnswer(
            viewer_id=viewer_id,
            state="erased" if erasure.pending is None else "pending",
            events=erasure.events,
            reason=erasure.pending,
        )
        return JSONResponse(answer.model_dump(), 200 if erasure.pending is None else 202)


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
