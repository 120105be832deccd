"""What is read out of a file that a user handed over, before anything is known of its meaning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

ROW: Final = "row number"
"""Column with a row's place in its file, from 1: the line of a text file, the row of a Parquet file."""

REASON: Final = "reason"
CONTENT: Final = "content"
POLARS_ERRORS: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises on a file that is not what it should be; on some it panics."""

_BROKEN: Final = {ROW: pl.Int64, REASON: pl.String, CONTENT: pl.String}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a file holds.

    columns: the names in the file. rows: ROW and those of the wanted columns that are there; text files give text.
    broken: ROW, REASON and CONTENT of the rows that could not be told apart into columns.
    """

    columns: tuple[str, ...]
    rows: pl.DataFrame
    broken: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What a file holds as (place, row as a dict) pairs, values typed as far as the format tells."""

    rows: list[tuple[int, dict[str, Any]]]
    broken: pl.DataFrame


def as_broken(rows: Iterable[tuple[int, str, str]] = ()) -> pl.DataFrame:
    """(place, reason, content) of broken rows as a table."""
    return pl.DataFrame(list(rows), schema=_BROKEN, orient="row")
