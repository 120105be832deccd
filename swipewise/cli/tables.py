"""How commands hand over a frame: as a table to read, as JSON, or as a file."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.wording import counted

if TYPE_CHECKING:
    import polars as pl

_SUFFIXES = (".csv", ".parquet")


def _checked(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix not in _SUFFIXES:
        raise click.BadParameter(f"{str(value)!r} says no format: name it .csv or .parquet")
    return value


output_option = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_checked,
    metavar="FILE",
    help="Write all rows to FILE.csv or FILE.parquet instead of printing them.",
)


def hand_over(
    frame: pl.DataFrame,
    *,
    summary: str,
    as_json: bool,
    output: Path | None,
    table: pl.DataFrame | None = None,
    limit: int = 0,
) -> None:
    """Print a frame or write it to a file.

    Args:
        frame: All of it, for files and programs.
        summary: One line that says what is in it.
        as_json: Print it as JSON, a list of objects.
        output: The file to write to instead.
        table: What to print for readers, where that is not the frame itself.
        limit: Rows of it at most, 0 for all.

    Raises:
        StoreError: The file cannot be written.
    """
    if output is not None:
        _write(frame, output)
        click.echo(f"{summary}\nwrote {counted(len(frame), 'row')} to {output}")
    elif as_json:
        click.echo(json.dumps(frame.to_dicts(), ensure_ascii=False, indent=1, default=_plain))
    else:
        shown = frame if table is None else table
        for line in lines(shown.head(limit) if limit else shown):
            click.echo(line)
        if limit and len(shown) > limit:
            click.echo(f"… and {len(shown) - limit:,} more: --limit 0 prints all, --output FILE.csv writes them")
        click.echo(summary)


def lines(frame: pl.DataFrame) -> list[str]:
    """A frame as text: names above, numbers to the right, shares as percentages."""
    from rich.cells import cell_len

    columns = [
        [name.replace("_", " "), *(_cell(name, value) for value in frame[name].to_list())]
        for name in frame.columns
    ]
    right = [frame.schema[name].is_numeric() for name in frame.columns]
    widths = [max(map(cell_len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return [
        "  ".join(
            " " * (width - cell_len(cell)) + cell if is_number else cell + " " * (width - cell_len(cell))
            for cell, width, is_number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cell(name: str, value: Any) -> str:
    from swipewise.schema import Col

    shares = {Col.SHARE, Col.REMAINING, Col.WATCHED, Col.WATCH_RATIO}
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else ""
        case float() if name in shares or name.isdigit():
            return f"{value:.1%}"
        case float():
            return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case list():
            return " ".join(map(str, value))
        case _:
            return str(value)


def _write(frame: pl.DataFrame, output: Path) -> None:
    import polars as pl

    from swipewise.errors import StoreError

    try:
        if output.suffix == ".parquet":
            frame.write_parquet(output)
            return
        lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
        frame.with_columns(pl.col(lists).list.join(" ")).write_csv(output)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from error


def _plain(value: object) -> str:
    assert isinstance(value, date)  # datetimes are dates
    return value.isoformat()
