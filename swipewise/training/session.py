"""One training of a workspace, from its stores to a recorded run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from swipewise.catalog import Catalog
from swipewise.errors import ClusterError, DataError, UnknownIdError
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import Epoch, Fit, Step, fit_network
from swipewise.training.runs import CHECKPOINT_NAME, MODEL_NAME, RECORD_NAME, close_run, make_plan, open_run
from swipewise.training.split import TimeSplit, split_by_time
from swipewise.training.workers import Workers, joined, launched, leading
from swipewise.training.workspace_data import chosen_encoders, load_dataset
from swipewise.workspace import Workspace

LATEST: Final = "latest"
"""Stands for the last finished run."""

_LEAST_VIDEOS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """What a training came to; ``seconds`` is the time spent on its epochs, over all its sittings.

    profile: seconds of the last sitting by part, see ``profiling.PARTS``; None where none was taken.
    """

    run_dir: Path
    resumed: bool
    viewers: int
    videos: int
    interactions: int
    modalities: tuple[str, ...]
    epochs: int
    best_epoch: int
    validation_ndcg: float | None
    seconds: float
    profile: dict[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how a training goes.

    Attributes:
        on_fold: Told how many parts of the history are folded, and of how many.
        on_plan: Told the run's folder, and whether it resumes, before the first step.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.
    """

    on_fold: Callable[[int, int], None] = lambda _done, _of: None
    on_plan: Callable[[Path, bool], None] = lambda _path, _resumes: None
    on_step: Callable[[Step], None] = lambda _: None
    on_epoch: Callable[[Epoch], None] = lambda _: None


NOBODY: Final = Watch()
"""Is told nothing."""


def train_workspace(
    workspace: Workspace,
    *,
    fresh: bool = False,
    start: str = "",
    processes: int | None = None,
    executor: str | None = None,
    profile: bool = False,
    watch: Watch = NOBODY,
) -> TrainingSummary:
    """Fit the model to the training period of a workspace and record the run.

    A training of the same data and configuration that was interrupted is taken up where its last checkpoint left it.

    Args:
        workspace: Its catalogue and events are read, its runs are written.
        fresh: Leave interrupted trainings alone and start anew.
        start: Overrides ``training.warm_start``, where it is not empty.
        processes: How many processes share every batch; None: as many as ``training.workers``. Where ``torchrun``
            started several, these do.
        executor: Where they run, instead of ``training.executor``.
        profile: Whether to find out where the time goes.
        watch: Who is told how it goes.

    Returns:
        What was trained on what, and how well it ranks the validation period.

    Raises:
        DataError: There is too little data.
        UnknownIdError: There is no such run to start from.
        WorkspaceError: Another training of this workspace is running.
        ArtifactError: The run cannot be written.
        ClusterError: Another process is gone.
        ConfigError: There is no such Ray cluster, or no room in it.
        MissingExtraError: Ray is not installed, and asked for.
    """
    workspace = starting_from(workspace, start)
    settings = workspace.config.training
    with workspace.lock("train"):
        if (executor or settings.executor) == "ray" and not launched():
            from swipewise.training.on_ray import train_on_ray

            return train_on_ray(
                workspace, processes or settings.workers, fresh=fresh, profile=profile, watch=watch
            )
        with _workers(workspace, processes or settings.workers) as workers:
            return lead(workspace, workers, fresh=fresh, profile=profile, watch=watch)


def lead(workspace: Workspace, workers: Workers, *, fresh: bool, profile: bool, watch: Watch) -> TrainingSummary:
    """Train as the first of some processes, which writes and tells.

    Args:
        workspace: As in :func:`train_workspace`, whose errors these are.
        workers: The processes.
        fresh: As there.
        profile: As there.
        watch: As there.

    Returns:
        What the training came to.
    """
    began = time.monotonic()
    dataset, split, plan = _prepare(workspace, watch)
    workers.tell(json.dumps(_identity(plan)))
    run_dir = open_run(workspace.runs_dir, plan, fresh=fresh)
    watch.on_plan(run_dir, (run_dir / CHECKPOINT_NAME).exists())
    fit = fit_network(
        split.train,
        split.validation,
        workspace.config,
        encoders=chosen_encoders(workspace, Catalog(workspace.catalog_dir)),
        earlier=_earlier(workspace),
        checkpoint=run_dir / CHECKPOINT_NAME,
        workers=workers,
        profile=profile,
        on_step=watch.on_step,
        on_epoch=watch.on_epoch,
    )
    fit.fitted.save(run_dir / MODEL_NAME)
    figures, sizes = _figures(fit, began), _sizes(dataset, split)
    close_run(run_dir, {**plan, "sizes": sizes, "modalities": fit.fitted.modalities, "figures": figures})
    return TrainingSummary(
        run_dir=run_dir,
        resumed=fit.resumed,
        **sizes,
        modalities=fit.fitted.modalities,
        epochs=len(fit.epochs),
        best_epoch=fit.best_epoch,
        validation_ndcg=fit.epochs[fit.best_epoch - 1].validation_ndcg,
        seconds=figures["seconds"],
        profile=fit.profile,
    )


def _figures(fit: Fit, began: float) -> dict[str, Any]:
    """How a training went, for the record of its run; ``began`` is when this sitting did."""
    return {
        "validation_ndcg@10": fit.epochs[fit.best_epoch - 1].validation_ndcg,
        "best_epoch": fit.best_epoch,
        "epochs": [asdict(epoch) for epoch in fit.epochs],
        "seconds": round(sum(epoch.seconds for epoch in fit.epochs), 1),
        "sitting_seconds": round(time.monotonic() - began, 1),
    }


def _sizes(dataset: Dataset, split: TimeSplit) -> dict[str, int]:
    return {
        "viewers": len(dataset.viewer_ids),
        "videos": len(dataset.video_ids),
        "interactions": len(split.train.interactions),
    }


def starting_from(workspace: Workspace, start: str) -> Workspace:
    """The workspace with the run to start from by its name; none where the latest is asked for and there is none.

    Args:
        workspace: Whose.
        start: Name of a run, or ``latest``; empty: what the configuration says.

    Raises:
        UnknownIdError: There is no such run, or it is not finished.
    """
    training = workspace.config.training
    name = start or training.warm_start
    if name == LATEST:
        finished = sorted(path.parent.name for path in workspace.runs_dir.glob(f"*/{RECORD_NAME}"))
        name = finished[-1] if finished else ""
    elif name and not (workspace.runs_dir / name / RECORD_NAME).is_file():
        raise UnknownIdError(
            f"no finished run {name!r} to start from in {workspace.runs_dir}: name another, or {LATEST}"
        )
    return replace(workspace, config=replace(workspace.config, training=replace(training, warm_start=name)))


def _earlier(workspace: Workspace) -> FittedModel | None:
    name = workspace.config.training.warm_start
    return FittedModel.load(workspace.runs_dir / name / MODEL_NAME) if name else None


def follow_training(workspace: Workspace, *, start: str = "") -> None:
    """Take part in the training that the first of several processes has begun, until it is over.

    Args:
        workspace: Where another process leads the training.
        start: As for that process.

    Raises:
        ClusterError: The first process is gone, or trains on other data.
    """
    workspace = starting_from(workspace, start)
    with joined(workspace.config.training.device) as workers:
        follow(workspace, workers)


def follow(workspace: Workspace, workers: Workers) -> None:
    """Train as one of the others; errors are those of :func:`follow_training`.

    Args:
        workspace: As for the first process.
        workers: The processes.
    """
    _, split, plan = _prepare(workspace)
    if json.loads(workers.tell("")) != json.loads(json.dumps(_identity(plan))):
        raise ClusterError(
            f"process {workers.rank + 1} of {workers.size} found other data or another configuration in "
            f"{workspace.root} than the first: start all on the same workspace, and import nothing meanwhile"
        )
    fit_network(
        split.train,
        split.validation,
        workspace.config,
        encoders=chosen_encoders(workspace, Catalog(workspace.catalog_dir)),
        earlier=_earlier(workspace),
        workers=workers,
    )


@contextmanager
def _workers(workspace: Workspace, processes: int) -> Iterator[Workers]:
    device = workspace.config.training.device
    if launched():
        with joined(device) as workers:
            yield workers
        return
    command = [sys.executable, "-m", "swipewise", "train", "--workspace", str(workspace.root.resolve())]
    if workspace.config.training.warm_start:
        command += ["--from", workspace.config.training.warm_start]
    with leading(command, processes, device) as workers:
        yield workers


def _prepare(workspace: Workspace, watch: Watch = NOBODY) -> tuple[Dataset, TimeSplit, dict[str, Any]]:
    dataset = load_dataset(workspace, on_part=watch.on_fold)
    if len(dataset.video_ids) < _LEAST_VIDEOS:
        raise DataError(
            f"the catalogue holds {dataset.video_ids[0]!r} alone: with one video there is nothing to rank, add "
            "more with 'swipewise videos add PATH'"
        )
    split = split_by_time(dataset, workspace.config.split)
    plan = make_plan(workspace.config, dataset, valid_start=split.valid_start, test_start=split.test_start)
    return dataset, split, plan


def _identity(plan: dict[str, Any]) -> dict[str, Any]:
    """What the plans of processes that train together agree in; versions may differ in what does not matter."""
    return {name: plan[name] for name in ("config", "data_fingerprint", "split")}
