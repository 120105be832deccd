"""``swipewise videos export``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.wording import counted
from swipewise.cli.writing import file_argument
from swipewise.schema import CONTENT_MODALITIES

if TYPE_CHECKING:
    import polars as pl

    from swipewise.workspace import Workspace

_BLOCK = 10_000

_EXAMPLES = """\b
Examples:
  swipewise videos export videos.csv
  swipewise videos export videos.parquet --vectors visual --vectors text -w shop
"""


@click.command(epilog=_EXAMPLES)
@file_argument
@click.option(
    "--vectors",
    "modalities",
    type=click.Choice([str(modality) for modality in CONTENT_MODALITIES]),
    multiple=True,
    help="Add <modality>_vector, by the configured encoder; null where a video has none. May be given several times.",
)
@workspace_option
@json_option
def export(file: Path, modalities: tuple[str, ...], workspace: Workspace, as_json: bool) -> None:
    """Write the catalogue to FILE.parquet, .csv or .jsonl, one video a row.

    All that is known of a video, its words too; 'videos add' reads the same file as a manifest. FILE is whole or not
    there.
    """
    from swipewise.catalog import Catalog
    from swipewise.cli.writing import written_in_blocks

    if modalities and file.suffix == ".csv":
        raise click.BadParameter(f"CSV holds no vectors: name {file.with_suffix('.parquet')}", param_hint="FILE")
    videos = Catalog(workspace.catalog_dir).videos(words=True)
    joined = _with_vectors(videos, list(dict.fromkeys(modalities)), workspace)
    with written_in_blocks(file, dict(joined.schema)) as write:
        for block in joined.iter_slices(_BLOCK):
            write(block)
    if as_json:
        click.echo(json.dumps({"file": str(file), "videos": len(videos)}))
    else:
        click.echo(f"wrote {counted(len(videos), 'video')} to {file}")


def _with_vectors(videos: pl.DataFrame, modalities: Sequence[str], workspace: Workspace) -> pl.DataFrame:
    import polars as pl

    from swipewise.schema import Col
    from swipewise.training.workspace_data import configured_vectors

    for modality in modalities:
        ids, vectors_ND = configured_vectors(workspace, modality)
        column = pl.Series(f"{modality}_vector", vectors_ND, dtype=pl.Array(pl.Float32, vectors_ND.shape[1]))
        found = pl.DataFrame([pl.Series(Col.VIDEO_ID, ids, dtype=pl.String), column.cast(pl.List(pl.Float32))])
        videos = videos.join(found, on=Col.VIDEO_ID, how="left", maintain_order="left")
    return videos
