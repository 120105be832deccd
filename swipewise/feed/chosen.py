"""Which run is to be served: the newest, or the one that was published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.feed.bundles import Bundle, pointer, read_published
from swipewise.training.runs import latest_run
from swipewise.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The run to serve, and what was published of it; ``note`` says why there is none, ``broken`` if it is damage."""

    version: str = "none"
    run: Path | None = None
    bundle: Bundle | None = None
    note: str | None = None
    broken: bool = False


def chosen_run(workspace: Workspace) -> Chosen:
    """The run to serve as things are now; what hinders is noted, not raised."""
    if workspace.config.server.publish == "manual":
        return _published(workspace)
    try:
        run = latest_run(workspace.runs_dir)
    except UnknownIdError:
        return Chosen(note="no model yet: fit one with 'swipewise train'")
    return Chosen(version=f"{run.name}@{run.stat().st_mtime_ns}", run=run)


def _published(workspace: Workspace) -> Chosen:
    try:
        changed = pointer(workspace).stat()
        published = read_published(workspace)
    except FileNotFoundError:
        published = None
    except ArtifactError as error:
        return Chosen(version=f"damaged@{changed.st_mtime_ns}", note=str(error), broken=True)
    if published is None:
        return Chosen(note="no model is published: choose one with 'swipewise models publish RUN'")
    bundle = published.current
    # Another file each time, so the number tells apart what the clock does not.
    version = f"{bundle.run}@{bundle.published_at}@{changed.st_mtime_ns}.{changed.st_ino}"
    return Chosen(version=version, run=workspace.runs_dir / bundle.run, bundle=bundle)
