"""``swipewise evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.evaluation.session import Evaluation
    from swipewise.workspace import Workspace

_EPILOG = """\b
Examples:
  swipewise evaluate -w shop                     the table, and shop/report/index.html
  swipewise evaluate -w shop --json > figures.json
  swipewise evaluate -w demo --truth demo/world  with the ceiling of a simulated world
  swipewise evaluate -w shop --against itemcf,sasrec,bert4rec,din --trials 20 --settings found.json
"""


def _baselines(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    """The names of baselines, each once."""
    from swipewise.baselines.peers import PEERS

    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    for name in names:
        if name not in PEERS:
            raise click.BadParameter(f"{name!r} is no baseline: valid are {', '.join(PEERS)}")
    if not names:
        raise click.BadParameter("name at least one baseline")
    return names


@click.command(epilog=_EPILOG)
@workspace_option
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the simulated world behind the data; adds the oracle.  [default: WORKSPACE/world, if there]",
)
@json_option
@click.option(
    "--against",
    default="itemcf,recent,popularity",
    show_default=True,
    callback=_baselines,
    help="Baselines, with commas between them; all: itemcf, sasrec, bert4rec, din, recent, popularity.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Settings that are tried for each baseline on the validation period.",
)
@click.option(
    "--search-viewers",
    type=click.IntRange(min=1),
    help="Try settings on this many viewers and fit only the best to all.  [default: all]",
)
@click.option(
    "--settings",
    "settings_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the settings that are found in this file, and reuse those that are in it.",
)
def command(
    workspace: Workspace,
    truth: Path | None,
    as_json: bool,
    against: tuple[str, ...],
    trials: int,
    search_viewers: int | None,
    settings_path: Path | None,
) -> None:
    """Measure the last training run against baselines on what happened after it; write the report.

    Every video that existed is a candidate for every viewer, nothing is sampled. Baselines are tuned on the run's
    validation period. Figures are means over viewers with 95% intervals.
    """
    from rich.console import Console

    from swipewise.evaluation.report import json_of
    from swipewise.evaluation.tables import print_tables

    found = _evaluated(workspace, truth, against, trials, search_viewers, settings_path)
    if as_json:
        click.echo(json_of(found.report), nl=False)
        return
    print_tables(found.report, Console(highlight=False))
    click.echo(f"report: {found.page}")


def _evaluated(
    workspace: Workspace,
    truth_dir: Path | None,
    against: tuple[str, ...],
    trials: int,
    search_viewers: int | None,
    settings_path: Path | None,
) -> Evaluation:
    """Put the last run through the exam, showing each step, and keep the settings that are found."""
    from rich.console import Console

    from swipewise.baselines.tuning import Tried, Tuned, load_settings, save_settings
    from swipewise.evaluation.exam import Search
    from swipewise.evaluation.session import evaluate_workspace

    known = load_settings(settings_path) if settings_path else {}
    found = dict(known)
    console = Console(stderr=True, highlight=False)

    def on_trial(name: str, tried: Tried) -> None:
        status.update(f"tuning {name}, {tried.number} of {trials}")
        if tried.failed:
            console.print(f"{name} {tried}", markup=False)

    def on_found(name: str, tuned: Tuned) -> None:
        found[name] = tuned
        if settings_path:
            save_settings(settings_path, found)

    how = Search(trials=trials, viewers=search_viewers, known=known, on_trial=on_trial, on_found=on_found)
    with console.status("reading the data") as status:
        return evaluate_workspace(
            workspace, truth_dir=truth_dir, against=against, search_with=how, on_step=status.update
        )
