"""The part of the API that says which model is served, and changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from swipewise.errors import ArtifactError, ConfigError, WorkspaceError
from swipewise.feed.bundles import Bundle
from swipewise.feed.engine import FeedEngine
from swipewise.feed.publishing import list_models
from swipewise.server.intake import BadRequestError
from swipewise.server.messages import Id, Problem

_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such finished run, or none was published before"},
    409: {"model": Problem, "description": "It cannot be served, and says why; what was served still is"},
}


class ModelAnswer(BaseModel):
    """A finished run. `serving`: this server ranks with it now."""

    run: str
    validation_ndcg: float | None
    published: bool
    serving: bool


class ModelsAnswer(BaseModel):
    """The finished runs, newest first, and whether the newest is served or one that was published."""

    publish: str
    models: list[ModelAnswer]


class BundleAnswer(BaseModel):
    """What was published."""

    run: str
    published_at: str
    encoders: dict[str, str]
    width: int
    files: dict[str, str] = Field(description="The SHA-256 of each file.")
    retrieval: dict[str, float | int | str] | None = Field(
        description="What share of the best hundred a search finds, on how many questions of whom, and how many of its "
        "lists it looks into for that. None: it compares all videos."
    )
    serving: bool = Field(description="Whether this server ranks with it now.")

    @classmethod
    def of(cls, bundle: Bundle, *, serving: bool) -> Self:
        """Put a bundle into words for the wire."""
        return cls(
            run=bundle.run,
            published_at=bundle.published_at,
            encoders=dict(bundle.encoders),
            width=bundle.width,
            files=dict(bundle.files),
            retrieval=asdict(bundle.retrieval) if bundle.retrieval else None,
            serving=serving,
        )


def model_routes(engine: FeedEngine, look: Callable[[], object]) -> APIRouter:
    """The routes of the models of an engine's workspace.

    Args:
        engine: What feeds are made from.
        look: Has all workers look for what has changed.
    """
    router = APIRouter()
    workspace = engine.workspace

    @router.get("/v1/models")
    def get_models() -> ModelsAnswer:
        """The finished runs, and which of them is published and served."""
        models = [
            ModelAnswer(
                run=each.run,
                validation_ndcg=each.validation_ndcg,
                published=each.published,
                serving=each.run == engine.run,
            )
            for each in list_models(workspace)
        ]
        return ModelsAnswer(publish=workspace.config.server.publish, models=models)

    @router.post("/v1/models/rollback", responses=_REFUSED)
    def post_rollback() -> BundleAnswer:
        """Go back to the model that was published before. Requests go on meanwhile."""
        return _changed(engine, look, engine.rollback)

    @router.post("/v1/models/{run}/publish", responses=_REFUSED)
    def post_publish(run: Id) -> BundleAnswer:
        """Serve a run from now on, where `server.publish` is "manual". Requests go on meanwhile."""
        return _changed(engine, look, lambda: engine.publish(run))

    return router


def _changed(engine: FeedEngine, look: Callable[[], object], change: Callable[[], Bundle]) -> BundleAnswer:
    try:
        bundle = change()
    except (ArtifactError, ConfigError, WorkspaceError) as error:
        raise BadRequestError(409, str(error)) from error
    look()
    return BundleAnswer.of(bundle, serving=engine.run == bundle.run)
