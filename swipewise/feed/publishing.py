"""Put a run into service, or go back to the one before; a bundle that does not hold together is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swipewise.errors import ArtifactError, ConfigError, UnknownIdError
from swipewise.feed import stock
from swipewise.feed.bundles import (
    KEPT,
    Bundle,
    Published,
    Recall,
    check_files,
    check_model,
    read_published,
    vocabulary_digest,
    write_published,
)
from swipewise.feed.chosen import chosen_run
from swipewise.feed.indexes import index_of
from swipewise.retrieval import Index, load_index
from swipewise.retrieval.storage import MANIFEST, file_digest, file_digests
from swipewise.schema import Col
from swipewise.training.runs import MODEL_NAME, RECORD_NAME
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.exported import Manifest
    from swipewise.training.scorer import Scorer

_INDEXES = "indexes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A finished run: its name, its validation NDCG@10 if it has one, and whether it is what is published."""

    run: str
    validation_ndcg: float | None
    published: bool


def list_models(workspace: Workspace) -> list[ModelFacts]:
    """The finished runs, newest first."""
    try:
        published = read_published(workspace)
    except ArtifactError:
        published = None
    current = published.current.run if published else None
    return [
        ModelFacts(run=run.name, validation_ndcg=_validation(run), published=run.name == current)
        for run in sorted(_finished(workspace), reverse=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What was published, and what was loaded to see that it can be served."""

    bundle: Bundle
    shown: stock.Shown
    model: stock.Model


def publish(workspace: Workspace, run_name: str) -> Bundle:
    """Make a run the one that is served, once it is known to load on the catalogue; servers take it up by themselves.

    Raises:
        ConfigError: The newest run is served whatever is published.
        UnknownIdError: There is no such finished run.
        ArtifactError: The run cannot be served, or nothing can be written; what was published stays.
        WorkspaceError: Somebody else is publishing.
    """
    return published(workspace, run_name).bundle


def rollback(workspace: Workspace) -> Bundle:
    """Make the bundle before the present one the one that is served.

    Raises:
        ConfigError: The newest run is served whatever is published.
        UnknownIdError: There is none before it.
        ArtifactError: The bundle does not hold together any more; what is published stays.
        WorkspaceError: Somebody else is publishing.
    """
    return rolled_back(workspace).bundle


def published(workspace: Workspace, run_name: str) -> Publication:
    """As :func:`publish`, with what was loaded for it."""
    _check_manual(workspace)
    run = _run(workspace, run_name)
    with workspace.lock("models"):
        shown = stock.read_catalogue(workspace)
        scorer = stock.sound(stock.load_scorer(run, workspace))
        now = datetime.now(UTC)
        index = f"{_INDEXES}/{now:%Y%m%d-%H%M%S-%f}"
        found = index_of(scorer, workspace, shown.videos.select(Col.VIDEO_ID, Col.DURATION))
        found.save(run / index)
        names = [MODEL_NAME, RECORD_NAME, f"{index}/{MANIFEST}", *_exported(workspace, run)]
        bundle = Bundle(
            run=run.name,
            published_at=now.isoformat(),
            index=index,
            files={name: _digest(run / name) for name in names}
            | {f"{index}/{name}": digest for name, digest in file_digests(run / index).items()},
            vocabulary=vocabulary_digest(scorer),
            encoders=dict(scorer.encoders),
            width=scorer.index_vectors_VD.shape[1],
            retrieval=Recall.of(found),
        )
        before = _read_or_none(workspace)
        earlier = (before.current, *before.earlier)[:KEPT] if before else ()
        write_published(workspace, Published(current=bundle, earlier=earlier))
        _forget_indexes(workspace, [bundle, *earlier])
        return _publication(workspace, bundle, shown, scorer, load_index(run / index))


def rolled_back(workspace: Workspace) -> Publication:
    """As :func:`rollback`, with what was loaded for it."""
    _check_manual(workspace)
    with workspace.lock("models"):
        before = read_published(workspace)
        if before is None or not before.earlier:
            raise UnknownIdError("no model was published before: 'swipewise models list' shows what there is")
        bundle, *earlier = before.earlier
        check_files(bundle, workspace)
        shown, run = stock.read_catalogue(workspace), _run(workspace, bundle.run)
        scorer = stock.sound(stock.load_scorer(run, workspace))
        check_model(bundle, scorer)
        durations = shown.videos.select(Col.VIDEO_ID, Col.DURATION)
        index = index_of(scorer, workspace, durations, saved=run / bundle.index)
        write_published(workspace, Published(current=bundle, earlier=tuple(earlier)))
        return _publication(workspace, bundle, shown, scorer, index)


def _publication(
    workspace: Workspace, bundle: Bundle, shown: stock.Shown, scorer: Scorer, index: Index
) -> Publication:
    version = chosen_run(workspace).version
    model = stock.Model(run=bundle.run, version=version, scorer=scorer, index=index)
    return Publication(bundle=bundle, shown=shown, model=model)


def export(workspace: Workspace, run_name: str) -> Manifest:
    """Export the encoder of a run, for serving; see ``training.exporting.export_run``.

    Raises:
        UnknownIdError: There is no such finished run.
        ArtifactError: The model is damaged, or the export cannot be written.
        MissingExtraError: The libraries are not installed.
        WorkspaceError: Somebody else is exporting or publishing.
    """
    from swipewise.training.exporting import export_run

    run = _run(workspace, run_name)
    with workspace.lock("models"):
        return export_run(workspace, run)


def _exported(workspace: Workspace, run: Path) -> list[str]:
    """The files of the run's exported encoder; it is made where the configuration insists on one.

    That takes a ranking of the validation period, so with "auto" only what is there already is published.
    """
    from swipewise.training import exported
    from swipewise.training.exporting import export_run, whole_export

    wanted = workspace.config.server.inference
    if wanted == exported.EAGER:
        return []
    manifest = whole_export(run) if wanted == exported.AUTO else export_run(workspace, run)
    if manifest is None:
        return []
    return [f"{exported.FOLDER}/{name}" for name in (exported.MANIFEST, *manifest.files)]


def _check_manual(workspace: Workspace) -> None:
    if workspace.config.server.publish != "manual":
        raise ConfigError(
            'the newest run is served by itself: set publish = "manual" in [server] of swipewise.toml to choose'
        )


def _run(workspace: Workspace, name: str) -> Path:
    runs = {run.name: run for run in _finished(workspace)}
    if name not in runs:
        close = get_close_matches(name, list(runs), n=1, cutoff=0.5)
        hint = f": did you mean {close[0]!r}?" if close else ": 'swipewise models list' shows what there is"
        raise UnknownIdError(f"no finished run {name!r} in {workspace.runs_dir}{hint}")
    return runs[name]


def _finished(workspace: Workspace) -> list[Path]:
    return [path.parent for path in workspace.runs_dir.glob(f"*/{RECORD_NAME}")]


def _validation(run: Path) -> float | None:
    """The validation NDCG@10 of a run's record, None where it tells none."""
    try:
        record: Any = json.loads((run / RECORD_NAME).read_bytes())
        return float(record["figures"]["validation_ndcg@10"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}: train again with 'swipewise train'") from error


def _read_or_none(workspace: Workspace) -> Published | None:
    """What is published; a damaged pointer is replaced by the next publication."""
    try:
        return read_published(workspace)
    except ArtifactError:
        return None


def _forget_indexes(workspace: Workspace, bundles: list[Bundle]) -> None:
    """Remove the indexes that no bundle names any more, such as those of a publication that was killed."""
    named = {workspace.runs_dir / bundle.run / bundle.index for bundle in bundles}
    for folder in workspace.runs_dir.glob(f"*/{_INDEXES}/*"):
        if folder not in named:
            shutil.rmtree(folder, ignore_errors=True)
