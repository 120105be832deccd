"""Rows of a behaviour file become events; those that cannot are told apart with every reason against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import polars as pl

from swipewise.errors import InputFileError
from swipewise.events.columns import (
    Parser,
    is_scalar,
    parse_action,
    parse_flag,
    parse_id,
    parse_moment,
    parse_optional_id,
    parse_position,
    parse_watch,
)
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.layout import Layout
from swipewise.events.tables import REASON, ROW
from swipewise.schema import FLAG_ACTIONS, Action, Col

_PARSERS: Final[dict[str, Parser]] = {
    Col.EVENT_ID: parse_optional_id,
    Col.VIEWER_ID: parse_id,
    Col.VIDEO_ID: parse_id,
    Col.ACTION: parse_action,
    Col.AT: parse_moment,
    Col.WATCH_SECONDS: parse_watch,
    Col.POSITION: parse_position,
    **dict.fromkeys(FLAG_ACTIONS, parse_flag),
}
_OPTIONAL: Final = (Col.EVENT_ID, Col.WATCH_SECONDS, Col.POSITION)
_SEPARATOR: Final = "\x1f"  # a control character, which no id holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """good: one event or interaction a row, typed. bad: the rows as they are in the file, with REASON."""

    good: pl.DataFrame
    bad: pl.DataFrame


def check_rows(path: Path, rows: pl.DataFrame, layout: Layout) -> Checked:
    """Parse all columns and part the rows that break a rule from the others.

    Raises:
        InputFileError: A column is of a type that can hold no such thing, such as a list of ids.
    """
    for name, source in layout.sources.items():
        if not is_scalar(rows.schema[source]):
            raise InputFileError(
                f"{path}: column {source!r} holds {rows.schema[source]}, which cannot be read as {name}"
            )
    parsed = {name: _PARSERS[name](name, source, rows.schema[source]) for name, source in layout.sources.items()}
    # Both at once, so that polars reads each text only once for its value and its verdict.
    marked = rows.with_columns(
        *(
            column.value.cast(EVENT_SCHEMA.get(name, pl.Boolean)).alias(_value(name))
            for name, column in parsed.items()
        ),
        *(column.bad.alias(_mark(name)) for name, column in parsed.items()),
    )
    is_bad = pl.any_horizontal(map(_mark, parsed))
    reasons = [pl.when(_mark(name)).then(column.reason) for name, column in parsed.items()]
    bad = marked.filter(is_bad).with_columns(
        pl.concat_str(reasons, separator="; ", ignore_nulls=True).alias(REASON)
    )
    missing = [name for name in _OPTIONAL if name not in parsed]
    good = marked.filter(~is_bad).select(
        ROW,
        *(pl.col(_value(name)).alias(name) for name in parsed),
        *(pl.lit(None, EVENT_SCHEMA[name]).alias(name) for name in missing),
    )
    return Checked(good=good, bad=bad.select(*rows.columns, REASON))


def _value(name: str) -> str:
    return f"value of {name}"


def _mark(name: str) -> str:
    return f"{name} is bad"


def as_events(good: pl.DataFrame, *, is_long: bool) -> pl.DataFrame:
    """Checked rows as events in long form; rows without an id get one.

    A wide row becomes an exposure, a view where there is a watch time, and one event a flag, all at its time.
    """
    flags = [] if is_long else [flag for flag in FLAG_ACTIONS if flag in good.columns]
    rows = _with_ids(good, [Col.ACTION] if is_long else flags)
    if is_long:
        return rows.select(*EVENT_SCHEMA)
    no_watch, no_position = pl.lit(None, pl.Float64), pl.lit(None, pl.Int32)
    parts = [
        _derived(rows, Action.EXPOSURE, no_watch, pl.col(Col.POSITION)),
        _derived(
            rows.filter(pl.col(Col.WATCH_SECONDS).is_not_null()),
            Action.VIEW,
            pl.col(Col.WATCH_SECONDS),
            no_position,
        ),
        *(_derived(rows.filter(pl.col(flag)), flag, no_watch, no_position) for flag in flags),
    ]
    return pl.concat(parts)


def _derived(rows: pl.DataFrame, action: Action, watch: pl.Expr, position: pl.Expr) -> pl.DataFrame:
    """One event of each wide row; the exposure bears the row's id, the others that id and their action."""
    own_id = pl.col(Col.EVENT_ID)
    return rows.select(
        own_id if action is Action.EXPOSURE else own_id + f":{action}",
        Col.VIEWER_ID,
        Col.VIDEO_ID,
        pl.lit(str(action)).alias(Col.ACTION),
        Col.AT,
        watch.alias(Col.WATCH_SECONDS),
        position.alias(Col.POSITION),
    )


def _with_ids(rows: pl.DataFrame, what: Sequence[str]) -> pl.DataFrame:
    """Give rows without an id one made of their content and of how many equal rows come before.

    The same file then gives the same ids again, and two equal rows of one file remain two.
    """
    without = rows.filter(pl.col(Col.EVENT_ID).is_null())
    if without.is_empty():
        return rows
    micros = (pl.col(Col.WATCH_SECONDS) * 1e6).round().cast(pl.Int64)
    content = pl.concat_str(
        [
            pl.col(Col.VIEWER_ID),
            pl.col(Col.VIDEO_ID),
            *(pl.col(name).cast(pl.String) for name in what),
            pl.col(Col.AT).cast(pl.Int64).cast(pl.String),
            *(value.cast(pl.String).fill_null("") for value in (micros, pl.col(Col.POSITION))),
        ],
        separator=_SEPARATOR,
    )
    keyed = without.select(ROW, content.alias("key")).with_columns(
        pl.int_range(pl.len()).over("key").alias("earlier")
    )
    ids = [
        blake2b(f"{key}{_SEPARATOR}{earlier}".encode(), digest_size=12).hexdigest()
        for key, earlier in keyed.select("key", "earlier").iter_rows()
    ]
    made = without.with_columns(pl.Series(Col.EVENT_ID, ids, dtype=pl.String))
    return pl.concat([rows.filter(pl.col(Col.EVENT_ID).is_not_null()), made]).sort(ROW)
