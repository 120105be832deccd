"""One training of a workspace, from its stores to a recorded run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from swipewise.catalog import Catalog
from swipewise.errors import DataError
from swipewise.training.loop import Epoch, Step, fit_network
from swipewise.training.runs import CHECKPOINT_NAME, MODEL_NAME, close_run, make_plan, open_run
from swipewise.training.split import split_by_time
from swipewise.training.workspace_data import chosen_encoders, load_dataset
from swipewise.workspace import Workspace

_LEAST_VIDEOS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """What a training came to; ``seconds`` is the time spent on its epochs, over all its sittings."""

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


def train_workspace(
    workspace: Workspace,
    *,
    fresh: bool = False,
    on_fold: Callable[[int, int], None] = lambda _done, _of: None,
    on_plan: Callable[[Path, bool], None] = lambda _path, _resumes: None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> TrainingSummary:
    """Fit the model to the training period of a workspace and record the run.

    A training of the same data and configuration that was interrupted is taken up where its last checkpoint left it.

    Args:
        workspace: Its catalogue and events are read, its runs are written.
        fresh: Leave interrupted trainings alone and start anew.
        on_fold: Told how many parts of the history are folded, and of how many.
        on_plan: Told the run's folder, and whether it resumes, before the first step.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.

    Raises:
        DataError: There is too little data.
        WorkspaceError: Another training of this workspace is running.
        ArtifactError: The run cannot be written.
    """
    with workspace.lock("train"):
        began = time.monotonic()
        dataset = load_dataset(workspace, on_part=on_fold)
        if len(dataset.video_ids) < _LEAST_VIDEOS:
            raise DataError(
                f"the catalogue holds {dataset.video_ids[0]!r} alone: with one video there is nothing to rank, add "
                "more with 'swipewise videos add PATH'"
            )
        split = split_by_time(dataset, workspace.config.split)
        plan = make_plan(workspace.config, dataset, valid_start=split.valid_start, test_start=split.test_start)
        run_dir = open_run(workspace.runs_dir, plan, fresh=fresh)
        on_plan(run_dir, (run_dir / CHECKPOINT_NAME).exists())
        fit = fit_network(
            split.train,
            split.validation,
            workspace.config,
            encoders=chosen_encoders(workspace, Catalog(workspace.catalog_dir)),
            checkpoint=run_dir / CHECKPOINT_NAME,
            on_step=on_step,
            on_epoch=on_epoch,
        )
        fit.fitted.save(run_dir / MODEL_NAME)
        figures = {
            "validation_ndcg@10": fit.epochs[fit.best_epoch - 1].validation_ndcg,
            "best_epoch": fit.best_epoch,
            "epochs": [asdict(epoch) for epoch in fit.epochs],
            "seconds": round(sum(epoch.seconds for epoch in fit.epochs), 1),
            "sitting_seconds": round(time.monotonic() - began, 1),
        }
        sizes = {
            "viewers": len(dataset.viewer_ids),
            "videos": len(dataset.video_ids),
            "interactions": len(split.train.interactions),
        }
        close_run(run_dir, {**plan, "sizes": sizes, "modalities": fit.fitted.modalities, "figures": figures})
    return TrainingSummary(
        run_dir=run_dir,
        resumed=fit.resumed,
        **sizes,
        modalities=fit.fitted.modalities,
        epochs=len(fit.epochs),
        best_epoch=fit.best_epoch,
        validation_ndcg=fit.epochs[fit.best_epoch - 1].validation_ndcg,
        seconds=figures["seconds"],  # type: ignore[arg-type]
    )
