"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def _open(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Any:
    from swipewise.workspace import Workspace

    return Workspace.open(value)


workspace_option = click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_open,
    help="The workspace to work in.  [default: here, or $SWIPEWISE_WORKSPACE]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON instead of text.")
