"""``swipewise explored``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from swipewise.evaluation.intervals import Estimate
    from swipewise.evaluation.off_policy import OffPolicy
    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise explored -w shop
  swipewise explored --metric like --temperature 0.5 --temperature 2
  swipewise explored --export places.parquet    the drawn places, with what each was drawn from
"""


@click.command(epilog=_EXAMPLES)
@click.option("--metric", default="long_view", show_default=True, help="What counts: long_view, or an action.")
@click.option(
    "--temperature",
    "temperatures",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    default=(0.5, 1.0, 2.0),
    show_default=True,
    help="Of a softmax that is judged; may be repeated.",
)
@click.option("--met-only", is_flag=True, help="Leave out places without any event, which else count as 0.")
@click.option("--export", type=click.Path(path_type=Path, dir_okay=False), help="Write the places as Parquet.")
@workspace_option
@json_option
def command(
    metric: str,
    temperatures: tuple[float, ...],
    met_only: bool,
    export: Path | None,
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Tell what other policies of exploration would have achieved at the places that served feeds drew.

    From the log of answers and what viewers did within a day, by inverse propensity scores: IPS is unbiased, SNIPS
    varies less; both with 95% intervals over viewers. Few effective places mean that a policy is too unlike the one
    that was served.
    """
    from swipewise.evaluation.off_policy import drawn_places

    places = drawn_places(workspace, metric=metric)
    if export is not None:
        _write(places, export)
    judged = _judged(places, temperatures, met_only)
    if as_json:
        rows = [{"policy": name, **_plain(each)} for name, each in judged.items()]
        click.echo(json.dumps({"metric": metric, "places": len(places), "policies": rows}))
        return
    click.echo(f"{counted(len(places), 'place')} drawn, {int(places['met'].sum())} of them met; {metric}:")
    for name, each in judged.items():
        estimates = f"{_told('SNIPS', each.snips)}  {_told('IPS', each.ips)}"
        click.echo(f"  {name:<23} {estimates}  {each.effective:.0f} effective")


def _judged(places: pl.DataFrame, temperatures: tuple[float, ...], met_only: bool) -> dict[str, OffPolicy]:
    from swipewise.evaluation.off_policy import greedy_policy, off_policy_value, softmax_policy, uniform_policy

    policies = {f"softmax temperature={t:g}": softmax_policy(t) for t in temperatures}
    policies |= {"uniform": uniform_policy, "greedy": greedy_policy}
    return {name: off_policy_value(places, policy, met_only=met_only) for name, policy in policies.items()}


def _write(places: pl.DataFrame, path: Path) -> None:
    from swipewise.errors import StoreError

    try:
        places.write_parquet(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _plain(each: OffPolicy) -> dict[str, Any]:
    return {
        "places": each.places,
        "effective": each.effective,
        "ips": each.ips.as_dict(),
        "snips": each.snips.as_dict(),
    }


def _told(name: str, figure: Estimate) -> str:
    return f"{name} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
