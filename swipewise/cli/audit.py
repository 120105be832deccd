"""``swipewise audit``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_EPILOG = """\b
Examples:
  swipewise audit -w shop                     the findings, and shop/report/audit.html
  swipewise audit -w shop --run 20250301-abc  another run than the last
  swipewise audit -w shop --strict            exit code 1 where a check warns, for CI
"""


@click.command(epilog=_EPILOG)
@workspace_option
@click.option("--run", "run_name", help="Name of the run to look into.  [default: the last]")
@click.option("--strict", is_flag=True, help="Exit with 1 where a check warns.")
@json_option
def command(workspace: Workspace, run_name: str | None, strict: bool, as_json: bool) -> None:
    """Look into the last training run: does the model use what it was built to use?

    Attention that is uniform, the same for everybody or stuck on one modality; the order of histories and profiles
    ignored; modalities that disagree or are missed too much; probabilities that promise too much; popularity pushed.
    Every check passes or warns by a threshold and says what is likely to mend it.
    """
    from rich.console import Console

    from swipewise.evaluation.audit_view import print_audit, write_audit
    from swipewise.evaluation.report import json_of

    report = _audited(workspace, run_name)
    page = write_audit(report, workspace.report_dir)
    if as_json:
        click.echo(json_of(report), nl=False)
    else:
        print_audit(report, Console(highlight=False))
        click.echo(f"page: {page}")
    if strict and any(finding["verdict"] == "warn" for finding in report["findings"]):
        sys.exit(1)


def _audited(workspace: Workspace, run_name: str | None) -> dict[str, Any]:
    """Load a run and look into it, showing each step."""
    from dataclasses import fields
    from datetime import UTC, datetime

    from rich.console import Console

    from swipewise.config import TrainingConfig
    from swipewise.evaluation.audit import audit
    from swipewise.evaluation.audit_report import as_audit_report
    from swipewise.evaluation.audit_runs import chosen_run
    from swipewise.training.fitted import FittedModel
    from swipewise.training.runs import MODEL_NAME, read_record
    from swipewise.training.workspace_data import load_dataset

    run_dir = chosen_run(workspace.runs_dir, run_name)
    run = read_record(run_dir)
    known = {field.name for field in fields(TrainingConfig)}  # a run of another version may have had others
    training = {key: value for key, value in run["config"]["training"].items() if key in known}
    with Console(stderr=True, highlight=False).status("reading the data") as status:
        found = audit(
            FittedModel.load(run_dir / MODEL_NAME),
            load_dataset(workspace),
            valid_start=run["split"]["valid_start"],
            test_start=run["split"]["test_start"],
            training=TrainingConfig(**training),
            on_step=status.update,
        )
    return as_audit_report(found, run_id=run_dir.name, audited_at=datetime.now(UTC))
