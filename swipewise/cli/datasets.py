"""``swipewise datasets``: public data sets become workspaces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.bars import counting_bar
from swipewise.cli.options import json_option
from swipewise.datasets.layouts import LAYOUTS, Layout

if TYPE_CHECKING:
    from swipewise.datasets.convert import Conversion
    from swipewise.datasets.reading import OnProgress

_EXAMPLES = """\b
Examples:
  swipewise datasets list
  swipewise datasets kuairand KuaiRand-Pure/data kuai
  swipewise datasets microlens MicroLens-100k lens && swipewise train -w lens
  swipewise datasets generic tables mine --json
"""


@click.group(epilog=_EXAMPLES)
def command() -> None:
    """Turn a public data set, or any data as tables, into a workspace to train and evaluate in.

    The data is read where it lies; nothing is downloaded and nothing is unpickled.
    """


@command.command("list", epilog="Example: swipewise datasets list --json")
@json_option
def list_layouts(as_json: bool) -> None:
    """List the layouts that can be read and what their folders hold."""
    if as_json:
        click.echo(json.dumps([asdict(layout) for layout in LAYOUTS.values()], ensure_ascii=False))
        return
    for layout in LAYOUTS.values():
        click.echo(f"{layout.name:<10} {layout.title}")
        for file, _ in layout.files:
            click.echo(f"{'':<10}   {file}")
    click.echo("more on each: swipewise datasets NAME --help")


def _command_for(layout: Layout) -> click.Command:
    """The command that reads one layout; its help is made of what ``layouts`` says."""

    def convert_into(source: Path, workspace: Path, as_json: bool) -> None:
        from swipewise.datasets.convert import convert

        with _progress_bar() as on_progress:
            done = convert(layout, source, workspace, on_progress=on_progress)
        if as_json:
            click.echo(json.dumps(asdict(done) | {"workspace": str(done.workspace)}, ensure_ascii=False))
        else:
            click.echo(_in_words(done))

    folder = click.Path(path_type=Path)
    return click.Command(
        layout.name,
        callback=convert_into,
        params=[
            click.Argument(["source"], type=folder),
            click.Argument(["workspace"], type=folder),
            *_params_of(json_option),
        ],
        help=_help(layout),
        short_help=f"{layout.title}.",
        epilog=f"\b\nExamples:\n  swipewise datasets {layout.name} data shop\n"
        f"  swipewise datasets {layout.name} data shop --json",
    )


def _params_of(decorator: object) -> list[click.Parameter]:
    """The parameters that an option decorator adds to a function."""

    def nothing() -> None: ...

    assert callable(decorator)
    decorator(nothing)
    return list(reversed(nothing.__click_params__))  # type: ignore[attr-defined]


def _help(layout: Layout) -> str:
    files = "\n\n".join(f"{file}: {what}." for file, what in layout.files)
    notes = "\n\n".join(layout.notes)
    return (
        f"{layout.title}.\n\nMakes a WORKSPACE, a folder that is new or empty, of what lies in SOURCE:\n\n{files}\n\n"
        f"{notes}\n\nA conversion that was interrupted leaves nothing at WORKSPACE: run it again."
    )


for _layout in LAYOUTS.values():
    command.add_command(_command_for(_layout))


@contextmanager
def _progress_bar() -> Iterator[OnProgress]:
    """What is being done and how far it is, on stderr, where somebody is there to watch."""
    with counting_bar() as bar:
        task = bar.add_task("reading", total=None)

        def update(doing: str, done: int, total: int | None) -> None:
            if bar.tasks[0].description != doing:
                bar.reset(task, total=total, description=doing)
            bar.update(task, completed=done, total=total)

        yield update


def _in_words(done: Conversion) -> str:
    share = done.positives / done.interactions
    lines = [
        f"made {done.workspace} in {done.seconds:.1f} s",
        f"videos        {done.videos:>12,}",
        f"viewers       {done.viewers:>12,}  ({done.profiles:,} with a profile)",
        f"interactions  {done.interactions:>12,}  ({done.positives:,} positive, {share:.1%})",
        *(f"vectors       {count:>12,}  {modality}" for modality, count in done.vectors.items()),
        *(f"taken: {file} as {what}" for file, what in done.files.items()),
        *(f"left out: {count:,} {why}" for why, count in done.left_out.items()),
        *(f"note: {note}" for note in done.notes),
        f"next: swipewise train -w {done.workspace} && swipewise evaluate -w {done.workspace}",
    ]
    return "\n".join(lines)
