"""``swipewise transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_EPILOG = """\b
Examples:
  swipewise transfer --from shop -w other              shop's last run on other's test period
  swipewise transfer --from shop --run 20250301-abc -w other --json
"""


@click.command(epilog=_EPILOG)
@workspace_option
@click.option(
    "--from",
    "source_dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The workspace whose model is transferred.",
)
@click.option("--run", "run_name", help="Name of its run.  [default: the last]")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Settings that are tried for each baseline on the validation period.",
)
@json_option
def command(workspace: Workspace, source_dir: Path, run_name: str | None, trials: int, as_json: bool) -> None:
    """Rank for the viewers of this workspace with a model that was trained in another one.

    All ids are new to the model, even where names coincide: it has the content, the tags, the histories and the
    profiles to go by. It is compared with the last run of this workspace, if there is one, with ItemCF and with
    popularity. The report is kept in the workspace's report/transfers, a file a run, and shown by the console.
    """
    from rich.console import Console

    from swipewise.evaluation.report import json_of
    from swipewise.evaluation.transfer_report import print_transfer, write_transfer
    from swipewise.workspace import Workspace

    report = _transferred(Workspace.open(source_dir), run_name, workspace, trials)
    path = write_transfer(report, workspace.report_dir)
    if as_json:
        click.echo(json_of(report), nl=False)
    else:
        print_transfer(report, Console(highlight=False))
        click.echo(f"report: {path}")


def _transferred(source: Workspace, run_name: str | None, target: Workspace, trials: int) -> dict[str, Any]:
    """Load both sides and compare, showing each step."""
    from rich.console import Console

    from swipewise.catalog import Catalog
    from swipewise.evaluation.audit_runs import chosen_run
    from swipewise.evaluation.transfer import check_encoders, transfer
    from swipewise.evaluation.transfer_report import as_transfer_report
    from swipewise.training.fitted import FittedModel
    from swipewise.training.runs import MODEL_NAME
    from swipewise.training.workspace_data import chosen_encoders, load_dataset

    run_dir = chosen_run(source.runs_dir, run_name)
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    here = chosen_encoders(target, Catalog(target.catalog_dir))
    check_encoders(fitted.encoders, here, run=run_dir.name, where=str(target.root))
    with Console(stderr=True, highlight=False).status("reading the data") as status:
        dataset = load_dataset(target)
        own_run, valid_start, test_start = _own_run(target, dataset)
        found = transfer(
            fitted,
            dataset,
            valid_start=valid_start,
            test_start=test_start,
            own=FittedModel.load(own_run / MODEL_NAME) if own_run else None,
            trials=trials,
            on_step=status.update,
        )
    return as_transfer_report(
        found,
        source={"workspace": str(source.root), "run": run_dir.name},
        target={"workspace": str(target.root), "run": own_run.name if own_run else None},
        valid_start=valid_start,
    )


def _own_run(target: Workspace, dataset: Any) -> tuple[Path | None, int, int]:
    """The last run of the platform itself, if there is one, and the moments of the split."""
    from swipewise.errors import UnknownIdError
    from swipewise.training.runs import latest_run, read_record
    from swipewise.training.split import split_by_time

    try:
        run_dir = latest_run(target.runs_dir)
    except UnknownIdError:
        split = split_by_time(dataset, target.config.split)
        return None, split.valid_start, split.test_start
    moments = read_record(run_dir)["split"]
    return run_dir, moments["valid_start"], moments["test_start"]
