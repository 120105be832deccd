"""RecBole's atomic files: tables whose header names each field with its type, ``field:type``, between tabs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import DataError, InputFileError
from swipewise.events.tables import ROW

TOKEN, TOKENS, FLOAT, FLOATS = "token", "token_seq", "float", "float_seq"
_TYPES: Final = (TOKEN, TOKENS, FLOAT, FLOATS)
_MISSING: Final = ("", "nan", "NaN", "null", "None")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomicTable:
    """An atomic file: ``types`` by field, and ``rows`` with ``ROW``, all other columns text, null where empty."""

    path: Path
    types: Mapping[str, str]
    rows: pl.DataFrame

    def of_type(self, *types: str) -> list[str]:
        """The fields of these types, in the file's order."""
        return [name for name, each in self.types.items() if each in types]

    def first(self, *names: str, types: tuple[str, ...]) -> str | None:
        """The first of some names that is a field of one of these types; None: there is none."""
        return next((name for name in names if self.types.get(name) in types), None)

    def numbers(self, name: str) -> pl.Series:
        """A field as numbers.

        Raises:
            DataError: A value is none.
        """
        values = self.rows[name].cast(pl.Float64, strict=False)
        bad = values.is_null() & self.rows[name].is_not_null()
        if bad.any():
            row = self.rows.filter(bad).row(0, named=True)
            raise DataError(f"{self.path}, row {row[ROW]}: {name} = {row[name]!r} is not a number")
        return values

    def vectors(self, name: str) -> tuple[list[int], NDArray[np.float32]]:
        """The places of the rows that have a ``float_seq``, and their values (R, D).

        Raises:
            DataError: They differ in width, or hold what is no number.
        """
        given = self.rows.with_row_index("place").filter(pl.col(name).is_not_null())
        lists = given[name].str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
        numbers = lists.cast(pl.List(pl.Float32), strict=False)
        width = int(lists.list.len().max() or 0)  # type: ignore[arg-type]
        bad = (numbers.list.len() != width) | numbers.list.eval(
            ~pl.element().is_finite().fill_null(False)
        ).list.any()
        if bad.any():
            row = given.filter(bad).row(0, named=True)
            raise DataError(f"{self.path}, row {row[ROW]}: {name} is not {width} numbers between blanks")
        values_RD = numbers.explode().to_numpy().reshape(len(given), width).astype(np.float32)
        return given["place"].to_list(), values_RD


def read_atomic(path: Path) -> AtomicTable:
    """Read an atomic file whole.

    Raises:
        InputFileError: It cannot be read, or its header is not of this form.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline().rstrip("\r\n").split("\t")
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False, null_values=list(_MISSING))
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise InputFileError(f"{path}: cannot be read: {error}") from error
    types: dict[str, str] = {}
    for column in header:
        name, colon, kind = column.strip().partition(":")
        if not colon:
            raise InputFileError(
                f"{path}: the field {name!r} has no type: write {name}:token (types are {', '.join(_TYPES)}), or "
                "read a folder without types by 'swipewise datasets mmrec'"
            )
        if kind not in _TYPES:
            raise InputFileError(f"{path}: the field {name!r} is of type {kind!r}: valid are {', '.join(_TYPES)}")
        if name in types:
            raise InputFileError(f"{path}: the header names {name!r} twice")
        types[name] = kind
    frame.columns = list(types)
    # Rows are named as editors count lines.
    return AtomicTable(path=path, types=types, rows=frame.with_row_index(ROW, 2))
