"""One evaluation of a workspace: its last run against baselines, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from swipewise.baselines.peers import PEERS, USUAL, Peer
from swipewise.errors import UnknownIdError
from swipewise.evaluation.exam import Search, examine
from swipewise.evaluation.report import write_report
from swipewise.evaluation.results import as_report
from swipewise.schema import Col
from swipewise.simulate.truth import TRUTH_NAME, Truth
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.loop import Epoch
from swipewise.training.recommender import InterestRecommender
from swipewise.training.runs import latest_run, read_record
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

Opponent = str | Callable[[], Recommender]
"""The name of a baseline, or a class whose objects are recommenders and that has a ``name``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        report: All of it, as in ``report.json``.
        page: The report as a page.
    """

    report: Mapping[str, Any]
    page: Path

    @property
    def figures(self) -> pl.DataFrame:
        """A row a recommender, segment and metric: recommender, segment, viewers, metric, value, low, high.

        ``low`` and ``high`` bound the 95% interval over viewers.
        """
        return figures_of(self.report)

    @property
    def comparison(self) -> pl.DataFrame:
        """A row for the model against each other recommender, by segment and metric.

        Columns: other, segment, metric, difference (positive where the model is better), low, high, p, p_holm.
        """
        return pl.DataFrame(
            [
                {
                    "other": each["other"],
                    Col.SEGMENT: each["segment"],
                    Col.METRIC: each["metric"],
                    "difference": each["difference"]["value"],
                    "low": each["difference"]["low"],
                    "high": each["difference"]["high"],
                    "p": each["p"],
                    "p_holm": each["p_holm"],
                }
                for each in self.report["against"]
            ],
            infer_schema_length=None,
        )


def figures_of(report: Mapping[str, Any]) -> pl.DataFrame:
    """The figures of a report, also of a transfer: recommender, segment, viewers, metric, value, low, high."""
    return pl.DataFrame(
        [
            {
                Col.RECOMMENDER: name,
                Col.SEGMENT: segment,
                Col.VIEWERS: part["viewers"],
                Col.METRIC: metric,
                **{key: figure[key] for key in ("value", "low", "high")},
            }
            for segment, part in report["segments"].items()
            for name, figures in part["figures"].items()
            for metric, figure in figures.items()
        ],
        infer_schema_length=None,
    )


def evaluate_workspace(
    workspace: Workspace,
    *,
    truth_dir: Path | None = None,
    against: Sequence[Opponent] = USUAL,
    search_with: Search | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Compare the last run with baselines on what happened after it, and write the report.

    Args:
        workspace: Its last run is examined; its report is written.
        truth_dir: The simulated world behind the data, by default the workspace's own where it has one.
        against: Baselines by name, and recommenders of one's own.
        search_with: How the settings of baselines are found.
        on_step: Told what is about to be done.

    Raises:
        UnknownIdError: There is no finished run, or no such baseline.
        DataError: Nobody likes anything new in the test period.
        ArtifactError: The run is damaged, or the report cannot be written.
        StoreError: The workspace cannot be read.
    """
    peers = [_peer(each) for each in against]
    run_dir = latest_run(workspace.runs_dir)
    run = read_record(run_dir)
    valid_start, test_start = run["split"]["valid_start"], run["split"]["test_start"]
    beside = workspace.root / "world"
    if truth_dir is None and (beside / TRUTH_NAME).is_file():
        truth_dir = beside
    on_step("reading the data")
    dataset = load_dataset(workspace)
    exam = examine(
        dataset,
        InterestRecommender.load(run_dir, dataset),
        valid_start=valid_start,
        test_start=test_start,
        truth=Truth.load(truth_dir) if truth_dir else None,
        against=peers,
        search_with=search_with,
        on_step=on_step,
    )
    report = as_report(
        exam, dataset, valid_start=valid_start, run_id=run_dir.name, run=run, evaluated_at=datetime.now(UTC)
    )
    return Evaluation(report=report, page=write_report(report, workspace.report_dir))


def _peer(each: Opponent) -> Peer:
    if isinstance(each, str):
        if each not in PEERS:
            raise UnknownIdError(f"{each!r} is no baseline: valid are {', '.join(PEERS)}")
        return PEERS[each]
    name = str(getattr(each, "name", getattr(each, "__name__", "own")))

    def build(
        settings: Mapping[str, Any],  # noqa: ARG001
        *,
        validation: Dataset | None,  # noqa: ARG001
        on_epoch: Callable[[Epoch], None],  # noqa: ARG001
    ) -> Recommender:
        return each()

    return Peer(name=name, title=name, build=build, space=lambda _: {}, defaults={})
