"""Tables written to files that are whole or not there."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    import polars as pl

SUFFIXES: Final = (".parquet", ".csv", ".jsonl")
_BLOCK_BYTES: Final = 1 << 20
_MOMENT: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"  # every time is in UTC


def _checked(_ctx: click.Context, _param: click.Parameter, value: Path) -> Path:
    if value.suffix not in SUFFIXES:
        raise click.BadParameter(f"{str(value)!r} says no format: name it {', '.join(SUFFIXES)}")
    return value


file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), callback=_checked
)
"""A file whose ending says the format: one of SUFFIXES."""


def check_place(path: Path) -> None:
    """Refuse a place where no file can be put, before the work rather than after it.

    Raises:
        StoreError: There is no such folder.
    """
    from swipewise.errors import StoreError

    folder = path.absolute().parent
    if not folder.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {folder}: make it first")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A hidden file beside ``path``, which takes its place once the block ends without an error.

    Raises:
        StoreError: It cannot be written; what lay at ``path`` stays.
    """
    from swipewise.errors import StoreError

    check_place(path)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def write_lazily(frame: pl.LazyFrame, path: Path) -> int:
    """Write a frame, part by part, to a file of the format that its ending says; returns how many rows it has.

    Raises:
        StoreError: It cannot be written; what lay at ``path`` stays.
    """
    import polars as pl

    with whole_file(path) as part:
        match path.suffix:
            case ".parquet":
                frame.sink_parquet(part)
                return _rows(pl.scan_parquet(part))
            case ".csv":
                _flat(frame).sink_csv(part, datetime_format=_MOMENT)
                return _rows(pl.scan_csv(part, infer_schema=False))
            case _:
                _iso(frame).sink_ndjson(part)
                with part.open("rb") as file:
                    return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


def _rows(written: pl.LazyFrame) -> int:
    import polars as pl

    return int(written.select(pl.len()).collect(engine="streaming").item())


@contextmanager
def written_in_blocks(path: Path, schema: dict[str, Any]) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Takes the blocks of a table, one after the other, for a file of the format that the ending of ``path`` says.

    Args:
        path: Where to.
        schema: Of every block.

    Raises:
        StoreError: It cannot be written; what lay at ``path`` stays.
    """
    import polars as pl
    import pyarrow.parquet as pq

    with whole_file(path) as part, part.open("wb") as file:
        empty = pl.DataFrame(schema=schema)
        if path.suffix == ".parquet":
            with pq.ParquetWriter(file, empty.to_arrow().schema, compression="zstd") as writer:
                yield lambda block: writer.write_table(block.to_arrow())
        elif path.suffix == ".csv":
            _flat(empty.lazy()).collect().write_csv(file)
            yield (
                lambda block: (
                    _flat(block.lazy()).collect().write_csv(file, include_header=False, datetime_format=_MOMENT)
                )
            )
        else:
            yield lambda block: _append_json(file, block)


def _append_json(file: Any, block: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    _iso(block.lazy()).collect().write_ndjson(buffer)
    file.write(buffer.getvalue())


def _flat(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Lists of text as text with commas, as manifests read them: a single one has a comma behind it."""
    import polars as pl

    lists = [name for name, dtype in frame.collect_schema().items() if isinstance(dtype, pl.List)]
    joined = pl.col(lists).list.join(",")
    return frame.with_columns(pl.when(pl.col(lists).list.len() == 1).then(joined + ",").otherwise(joined))


def _iso(frame: pl.LazyFrame) -> pl.LazyFrame:
    import polars as pl

    times = [name for name, dtype in frame.collect_schema().items() if isinstance(dtype, pl.Datetime)]
    return frame.with_columns(pl.col(times).dt.strftime(_MOMENT))
