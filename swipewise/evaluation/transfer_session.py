"""One transfer: a workspace's model on another workspace's test period."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from swipewise.catalog import Catalog
from swipewise.errors import UnknownIdError
from swipewise.evaluation.audit_runs import chosen_run
from swipewise.evaluation.transfer import check_encoders, transfer
from swipewise.evaluation.transfer_report import as_transfer_report
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.runs import MODEL_NAME, latest_run, read_record
from swipewise.training.split import split_by_time
from swipewise.training.workspace_data import chosen_encoders, load_dataset
from swipewise.workspace import Workspace


def transfer_workspace(
    source: Workspace,
    target: Workspace,
    *,
    run_name: str | None = None,
    trials: int = 20,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Rank for the viewers of one workspace with the model of another, for which all ids are new.

    Args:
        source: Whose model.
        target: Whose viewers and videos; its last run, if it has one, is compared too.
        run_name: Of the source's runs; None: the last.
        trials: Settings that are tried for each baseline.
        on_step: Told what is about to be done.

    Returns:
        The report; see ``transfer_report``.

    Raises:
        UnknownIdError: There is no such run.
        ArtifactError: The model's encoders are not those of the target.
        DataError: Nobody likes anything new in the target's test period.
        StoreError: A workspace cannot be read.
    """
    run_dir = chosen_run(source.runs_dir, run_name)
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    here = chosen_encoders(target, Catalog(target.catalog_dir))
    check_encoders(fitted.encoders, here, run=run_dir.name, where=str(target.root))
    on_step("reading the data")
    dataset = load_dataset(target)
    own_run, valid_start, test_start = _own_run(target, dataset)
    found = transfer(
        fitted,
        dataset,
        valid_start=valid_start,
        test_start=test_start,
        own=FittedModel.load(own_run / MODEL_NAME) if own_run else None,
        trials=trials,
        on_step=on_step,
    )
    return as_transfer_report(
        found,
        source={"workspace": str(source.root), "run": run_dir.name},
        target={"workspace": str(target.root), "run": own_run.name if own_run else None},
        valid_start=valid_start,
    )


def _own_run(target: Workspace, dataset: Dataset) -> tuple[Path | None, int, int]:
    """The last run of the platform itself, if there is one, and the moments of the split."""
    try:
        run_dir = latest_run(target.runs_dir)
    except UnknownIdError:
        split = split_by_time(dataset, target.config.split)
        return None, split.valid_start, split.test_start
    moments = read_record(run_dir)["split"]
    return run_dir, moments["valid_start"], moments["test_start"]
