"""``swipewise init``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: swipewise init shop")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> None:
    """Make a workspace in DIRECTORY: a commented swipewise.toml; the stores appear as they are filled."""
    from swipewise.workspace import CONFIG_NAME, Workspace

    workspace = Workspace.create(directory)
    click.echo(f"made {workspace.root / CONFIG_NAME}")
    click.echo(f"next: swipewise videos add PATH --workspace {directory}")
