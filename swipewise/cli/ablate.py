"""``swipewise ablate``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.evaluation.ablation import Watch
    from swipewise.workspace import Workspace

_EPILOG = """\b
Examples:
  swipewise ablate -w shop                          every part; shop/ablations/index.html
  swipewise ablate -w shop --parts audio,sequence   only these two
  swipewise ablate -w shop --seeds 3                three trainings of each, for a surer answer
"""


def _names(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


@click.command(epilog=_EPILOG)
@workspace_option
@click.option(
    "--parts",
    "--only",
    default="",
    callback=_names,
    help="Parts to take away, with commas between them: visual, text, audio, attributes, id, sequence, positions, "
    "behavior, profile, alignment, attention, trends, neighbours, tastes; or id-only, content-only.  [default: all "
    "that the model has]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trainings of each variant; figures are means over them.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="At most so many epochs for every training, the full model's too.  [default: training.epochs]",
)
@click.option("--fresh", is_flag=True, help="Train everything again, also what is finished.")
@json_option
def command(
    workspace: Workspace, parts: tuple[str, ...], seeds: int, epochs: int | None, fresh: bool, as_json: bool
) -> None:
    """Train the model again without each of its parts, and say what each is worth.

    All variants share data, split, seeds and budget, and are put through one exam on the test period. What is finished
    is kept: a command that was stopped, or is given more parts, only trains what is missing.
    """
    from rich.console import Console

    from swipewise.evaluation.ablation_report import print_ablation, write_ablation
    from swipewise.evaluation.report import json_of

    directory = workspace.root / "ablations"
    with workspace.lock("ablate"):
        report = _ablated(workspace, parts, seeds, epochs, fresh)
        page = write_ablation(report, directory)
    if as_json:
        click.echo(json_of(report), nl=False)
        return
    print_ablation(report, Console(highlight=False))
    click.echo(f"page: {page}")


def _ablated(
    workspace: Workspace, parts: tuple[str, ...], seeds: int, epochs: int | None, fresh: bool
) -> dict[str, Any]:
    from dataclasses import replace
    from datetime import UTC, datetime

    from swipewise.evaluation.ablation import ablate
    from swipewise.evaluation.ablation_report import as_ablation_report
    from swipewise.evaluation.ablation_store import AblationStore
    from swipewise.training.split import split_by_time
    from swipewise.training.workspace_data import load_dataset

    dataset = load_dataset(workspace)
    config = workspace.config
    if epochs is not None:
        config = replace(config, training=replace(config.training, epochs=epochs))
    split = split_by_time(dataset, config.split)
    store = AblationStore(workspace.root / "ablations")
    if fresh:
        store.clear()
    with _progress() as watch:
        found = ablate(dataset, split, config, parts=parts, seeds=seeds, store=store, watch=watch)
    return as_ablation_report(found, split, ablated_at=datetime.now(UTC))


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar over the variants and one over the batches on a terminal, a line a variant elsewhere, all on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from swipewise.evaluation.ablation import Watch
    from swipewise.training.loop import Epoch, Step

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        variants = bars.add_task("variants", total=None, note="")
        batches = bars.add_task("epoch 1", total=None, note="")

        def on_variant(name: str, seed: int, number: int, total: int, known: bool) -> None:
            bars.update(variants, completed=number - 1, total=total, note=f"{name}, seed {seed}")
            bars.reset(batches, description="epoch 1", note="")
            done = "finished earlier" if known else "training"
            console.print(f"{number:3d} of {total}  {name}, seed {seed}: {done}", markup=False)

        def on_step(step: Step) -> None:
            bars.update(batches, description=f"epoch {step.epoch + 1}", completed=step.done, total=step.total)

        def on_epoch(epoch: Epoch) -> None:
            ndcg = "-" if epoch.validation_ndcg is None else f"{epoch.validation_ndcg:.4f}"
            bars.update(batches, note=f"validation NDCG@10 {ndcg}")

        yield Watch(on_variant=on_variant, on_step=on_step, on_epoch=on_epoch)
