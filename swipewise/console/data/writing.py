"""A table as a file: CSV, Parquet, and PNG where it is drawn."""

from __future__ import annotations

import io
from typing import Any, Final

import polars as pl

from swipewise.console.data.tables import Plot, Taken
from swipewise.errors import DataError
from swipewise.schema import Col

_INCHES: Final = (9.0, 4.5)


def kinds_of(taken: Taken) -> tuple[str, ...]:
    """In which forms a table can be had."""
    return ("csv", "parquet", "png") if taken.plot else ("csv", "parquet")


def written(taken: Taken, frame: pl.DataFrame, kind: str) -> bytes:
    """A table as the bytes of a file.

    Raises:
        DataError: It cannot be had in this form.
    """
    if kind not in kinds_of(taken):
        raise DataError(f"{taken.title} as {kind!r}: it can be had as {', '.join(kinds_of(taken))}")
    file = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(file)
    elif kind == "csv":
        lists = [name for name, type_ in frame.schema.items() if isinstance(type_, pl.List)]
        frame.with_columns(pl.col(name).cast(pl.List(pl.String)).list.join("; ") for name in lists).write_csv(file)
    else:
        assert taken.plot is not None, "it can be had as PNG"
        _draw(taken, taken.plot, frame, file)
    return file.getvalue()


def _draw(taken: Taken, plot: Plot, frame: pl.DataFrame, file: io.BytesIO) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.subplots()
    series = _series(plot, frame)
    for name, (places, values) in series.items():
        if plot.points:
            axes.scatter(places, values, s=4, label=name)
        else:
            (axes.bar if plot.bars else axes.plot)(places, values, label=name)
    axes.set_title(taken.title)
    axes.set_xlabel(plot.x.replace("_", " "))
    axes.spines[["top", "right"]].set_visible(False)
    if len(series) > 1:
        axes.legend(frameon=False)
    if len(plot.y) == 1:
        axes.set_ylabel(plot.y[0].replace("_", " "))
    figure.autofmt_xdate() if len(frame) and plot.x in (Col.DAY, Col.AT) else None
    figure.savefig(file, format="png", dpi=150)


def _series(plot: Plot, frame: pl.DataFrame) -> dict[str, tuple[list[Any], list[Any]]]:
    """What is drawn: by name the places and the values."""
    if not plot.by:
        return {name: (frame[plot.x].to_list(), frame[name].to_list()) for name in plot.y if name in frame.columns}
    parts = frame.partition_by(plot.by, as_dict=True, maintain_order=True)
    return {str(name): (part[plot.x].to_list(), part[plot.y[0]].to_list()) for (name,), part in parts.items()}
