"""``swipewise behavior shifts``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.bars import counting_bar
from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_SHOWN = 20

_EXAMPLES = """\b
Examples:
  swipewise behavior shifts                      viewers whose interest shifted, the latest first
  swipewise behavior shifts --viewer ann
  swipewise behavior shifts --odds 10 -w shop    only what is all but certain
  swipewise behavior shifts --json | jq '.[0]'
"""


@click.command(epilog=_EXAMPLES)
@click.option("--viewer", metavar="ID", help="Only this viewer's shifts.")
@click.option(
    "--odds",
    type=click.FloatRange(0, min_open=True),
    help="Odds of a shift from which it is listed; higher is stricter.  [default: those of the detector]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"How many to print, 0 for all.  [default: {_SHOWN}; all with --json]",
)
@workspace_option
@json_option
def command(
    viewer: str | None, odds: float | None, limit: int | None, workspace: Workspace, as_json: bool
) -> None:
    """List viewers whose interest shifted: when, in what, and from what to what.

    A shift is looked for after every interaction, in how long a viewer watches and in what they are shown, and told
    from what had happened by then alone. Themes are learned from the videos' vectors; those of
    captions are named by words that are more frequent in them than elsewhere, those of pictures and sounds by videos.
    """
    from swipewise.training.shifted import as_row, found_shifts

    with counting_bar() as bar:
        task = bar.add_task("looking for shifts, a few days at a time", total=None)
        found = found_shifts(
            workspace,
            viewer=viewer,
            odds=odds,
            on_progress=lambda done, periods: bar.update(task, completed=done, total=periods),
        )
    count = limit if limit is not None else (0 if as_json else _SHOWN)
    shown = found.shifts[: count or len(found.shifts)]
    rows = [as_row(shift, found) for shift in shown]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        click.echo(_line(row))
    viewers = len({shift.viewer for shift in found.shifts})
    click.echo(f"{counted(len(found.shifts), 'shift')} of {counted(viewers, 'viewer')} found")
    if len(shown) < len(found.shifts):
        click.echo(f"and {len(found.shifts) - len(shown)} more: --limit 0 shows all")


def _line(row: Mapping[str, Any]) -> str:
    def theme(named: Mapping[str, list[str]]) -> str:
        return " ".join(named["words"]) or f"like {' '.join(named['videos'][:2]) or 'nothing else'}"

    sure = row["odds"] / (1 + row["odds"])
    return (
        f"{row['viewer_id']}  {row['at'][:16].replace('T', ' ')}  {row['modality']}: {theme(row['from'])} -> "
        f"{theme(row['to'])}  ({sure:.0%} sure, noticed at interaction {row['interactions']})"
    )
