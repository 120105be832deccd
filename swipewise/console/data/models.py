"""The runs of a workspace, and what evaluation, audit, ablation and transfer have found of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from swipewise.evaluation.results import learning_curve
from swipewise.evaluation.transfer_report import transfer_reports
from swipewise.feed.publishing import ModelFacts, list_models
from swipewise.training.runs import RECORD_NAME
from swipewise.workspace import Workspace

RUNS: Final = 12
CURVES: Final = 6

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A finished run: what is said of it as a model, its figures, sizes and learning curve."""

    model: ModelFacts
    seconds: float | None = None
    best_epoch: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    modalities: Sequence[str] = ()
    learning: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known of models; each report is as it lies on disk, None where there is none or it cannot be read.

    ``transfers`` are those of models from elsewhere on this workspace, the latest first.
    """

    runs: Sequence[RunFacts]
    evaluation: Json | None
    audit: Json | None
    ablation: Json | None
    transfers: Sequence[Json]


def findings(workspace: Workspace) -> Findings:
    """Read what there is."""
    return Findings(
        runs=[_run(workspace, model) for model in list_models(workspace)[:RUNS]],
        evaluation=_read(workspace.report_dir / "report.json"),
        audit=_read(workspace.report_dir / "audit.json"),
        ablation=_read(workspace.root / "ablations" / "report.json"),
        transfers=[report for path in transfer_reports(workspace.report_dir) if (report := _read(path))],
    )


def alerts(workspace: Workspace) -> list[Json]:
    """The findings of the last audit that warn."""
    audit = _read(workspace.report_dir / "audit.json") or {}
    return [finding for finding in audit.get("findings", []) if finding["verdict"] == "warn"]


def _run(workspace: Workspace, model: ModelFacts) -> RunFacts:
    record = _read(workspace.runs_dir / model.run / RECORD_NAME)
    if record is None:
        return RunFacts(model=model)
    figures = record.get("figures", {})
    return RunFacts(
        model=model,
        seconds=figures.get("seconds"),
        best_epoch=figures.get("best_epoch"),
        sizes=record.get("sizes", {}),
        modalities=record.get("modalities", ()),
        learning=learning_curve(record),
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
