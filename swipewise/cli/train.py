"""``swipewise train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, workspace_option

if TYPE_CHECKING:
    from swipewise.training.loop import Epoch, Step
    from swipewise.training.session import TrainingSummary
    from swipewise.workspace import Workspace

_EXAMPLES = """\b
Examples:
  swipewise train                  fit, or take up an interrupted training
  swipewise train -w shop --fresh  leave an interrupted training alone
  swipewise train --from latest    start from the weights of the last run, with what is new since
  swipewise train --processes 2    share every batch among two processes
  swipewise train --on ray --processes 8
                                   among eight workers of a Ray cluster
  swipewise train --profile        and say where the time went
"""


@click.command(epilog=_EXAMPLES)
@workspace_option
@click.option("--fresh", is_flag=True, help="Start anew even if an interrupted training could be resumed.")
@click.option(
    "--from",
    "start",
    metavar="RUN",
    default="",
    help="Start from the weights of a finished run, or of the latest if any.  [default: training.warm_start]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    help="How many share every batch, by default training.workers; or start one each by torchrun, on several machines.",
)
@click.option(
    "--on",
    "executor",
    type=click.Choice(["processes", "ray"]),
    help="Who trains, by default training.executor: processes of this machine, or workers of a Ray cluster.",
)
@click.option("--profile", is_flag=True, help="Say where the time went.")
@json_option
def command(
    workspace: Workspace,
    fresh: bool,
    start: str,
    processes: int | None,
    executor: str | None,
    profile: bool,
    as_json: bool,
) -> None:
    """Fit the model to the workspace's videos and behaviour.

    Learns from the training period, stops when the validation period no longer gets better, and never looks at the
    test period. Ctrl-C or a crash loses at most the time since the last checkpoint.
    """
    import json
    import os
    from dataclasses import asdict

    if profile:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler tells of its starts and stops
    from swipewise.training.session import follow_training
    from swipewise.training.workers import follows

    if follows():
        follow_training(workspace, start=start)
        return
    summary = train_with_progress(
        workspace, fresh=fresh, start=start, processes=processes, executor=executor, profile=profile
    )
    if as_json:
        click.echo(json.dumps(asdict(summary) | {"run_dir": str(summary.run_dir)}))
    else:
        show(summary)
        click.echo(f"next: swipewise evaluate -w {workspace.root}, or swipewise feed VIEWER -w {workspace.root}")


def train_with_progress(
    workspace: Workspace,
    *,
    fresh: bool = False,
    start: str = "",
    processes: int | None = None,
    executor: str | None = None,
    profile: bool = False,
) -> TrainingSummary:
    """Train, with a progress bar on a terminal and a line an epoch elsewhere, all on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from swipewise.training.session import Watch, train_workspace
    from swipewise.training.workspace_data import half_encoded

    console = Console(stderr=True)
    for note in half_encoded(workspace):
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("best validation NDCG@10 {task.fields[best]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading the log", total=None, unit="parts", best="-")

        def on_fold(done: int, parts: int) -> None:
            progress.update(bar, completed=done, total=parts)

        def on_plan(run_dir: Any, resumes: bool) -> None:
            console.print(f"{'resuming' if resumes else 'training'} run {run_dir.name}", highlight=False)

        def on_step(step: Step) -> None:
            best = "-" if step.best_ndcg is None else f"{step.best_ndcg:.4f}"
            what = f"epoch {step.epoch + 1}"
            progress.update(
                bar, completed=step.done, total=step.total, description=what, unit="batches", best=best
            )

        def on_epoch(epoch: Epoch) -> None:
            ndcg = "-" if epoch.validation_ndcg is None else f"{epoch.validation_ndcg:.4f}"
            console.print(
                f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}  validation NDCG@10 {ndcg}  {epoch.seconds:.1f} s",
                highlight=False,
            )

        return train_workspace(
            workspace,
            fresh=fresh,
            start=start,
            processes=processes,
            executor=executor,
            profile=profile,
            watch=Watch(on_fold=on_fold, on_plan=on_plan, on_step=on_step, on_epoch=on_epoch),
        )


def show(summary: TrainingSummary) -> None:
    """Print the summary of a training."""
    ndcg = "none" if summary.validation_ndcg is None else f"{summary.validation_ndcg:.4f}"
    click.echo(
        f"trained on {summary.interactions:,} interactions of {summary.viewers:,} viewers "
        f"with {summary.videos:,} videos, from {', '.join(summary.modalities)}"
    )
    click.echo(
        f"kept epoch {summary.best_epoch} of {summary.epochs}: validation NDCG@10 {ndcg}, "
        f"{summary.seconds:.0f} s of training"
    )
    if summary.validation_ndcg is None:
        click.echo("note: nobody liked anything new in the validation period, so nothing told when to stop")
    elif summary.best_epoch == summary.epochs:  # or patience would have gone on past it
        click.echo(
            "note: the last epoch was the best: the model may get better still with more of them, 'training.epochs' in "
            "swipewise.toml"
        )
    click.echo(f"run recorded in {summary.run_dir}")
    if summary.profile is not None:
        _show_profile(summary.profile)


def _show_profile(profile: dict[str, float]) -> None:
    total = sum(profile.values()) or 1.0
    click.echo("where the time of this sitting went:")
    for part, seconds in profile.items():
        click.echo(f"  {part:<12}{seconds:10.2f} s{seconds / total:8.1%}")
