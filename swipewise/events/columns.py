"""Turns columns of any type into the types of the event log, telling the values that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import polars as pl

from swipewise.events.frames import MOMENT
from swipewise.schema import LONGEST_ID, Action

MAX_WATCH_SECONDS: Final = 86_400.0
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099

_SECOND_US: Final = 1_000_000
# Microseconds since 1970 at the start of FIRST_YEAR and after the end of LAST_YEAR.
_FIRST_US: Final = 946_684_800 * _SECOND_US
_AFTER_US: Final = 4_102_444_800 * _SECOND_US
_ISO: Final = (
    r"^(\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_DECIMAL_COMMA: Final = r"^\d+,\d+$"
_TIMES: Final = "give ISO 8601, such as 2026-01-31T18:30:00Z, or seconds or milliseconds since 1970"
_CONTROL: Final = r"[\x00-\x1f\x7f]"
_TRUE: Final = ("1", "true", "t", "yes", "y", "1.0")
_FALSE: Final = ("0", "false", "f", "no", "n", "0.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A column to be: its values, which rows are bad, and, evaluated on those alone, why."""

    value: pl.Expr
    bad: pl.Expr
    reason: pl.Expr


Parser = Callable[[str, str, pl.DataType], Parsed]
"""(name in the event log, name in the file, type in the file) -> what becomes of it."""


def is_scalar(dtype: pl.DataType) -> bool:
    """Whether a column of this type can be read as text, number, time or flag at all."""
    return not dtype.is_nested() and dtype not in (pl.Object, pl.Duration, pl.Time)


def parse_id(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """An id that must be there: any text or whole number."""
    text = _text(source, dtype)
    has_control = text.str.contains(_CONTROL)
    is_long = text.str.len_chars() > LONGEST_ID
    return Parsed(
        value=text,
        bad=text.is_null() | has_control | is_long,
        reason=pl.when(text.is_null())
        .then(pl.lit(f"{name} is empty"))
        .when(is_long)
        .then(_says(name, text.str.slice(0, 40), f"... has more than {LONGEST_ID} characters"))
        # A terminal would obey such a character.
        .otherwise(_says(name, text.str.replace_all(_CONTROL, "\ufffd"), "holds a control character")),
    )


def parse_optional_id(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """An id that may be missing."""
    parsed = parse_id(name, source, dtype)
    return Parsed(value=parsed.value, bad=parsed.bad & parsed.value.is_not_null(), reason=parsed.reason)


def parse_action(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """One of Action, in any case."""
    text = _text(source, dtype).str.to_lowercase()
    return Parsed(
        value=text,
        bad=text.is_null() | ~text.is_in(list(Action)),
        reason=text.map_batches(lambda values: _unknown_actions(name, values), return_dtype=pl.String),
    )


def parse_moment(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """A time: ISO 8601 (UTC where it names no zone), or a number since 1970 whose magnitude tells the unit."""
    if isinstance(dtype, pl.Datetime):
        column = pl.col(source)
        zoned = (
            column.dt.replace_time_zone("UTC") if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
        )
        micros = zoned.cast(MOMENT).cast(pl.Int64)
    elif dtype == pl.Date:
        micros = pl.col(source).cast(pl.Datetime("us")).cast(pl.Int64)
    elif dtype.is_numeric():
        micros = _since_epoch(pl.col(source).cast(pl.Float64))
    else:
        micros = _text(source, dtype).map_batches(_text_moments, return_dtype=pl.Int64, is_elementwise=True)
    in_range = (micros >= _FIRST_US) & (micros < _AFTER_US)
    given = _text(source, dtype)
    return Parsed(
        value=micros.cast(MOMENT),
        bad=~in_range.fill_null(False),
        reason=pl.when(given.is_null())
        .then(pl.lit(f"{name} is empty"))
        .when(micros.is_null())
        .then(_says(name, given, f"is not a time: {_TIMES}"))
        .otherwise(_says(name, given, f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}: {_TIMES}")),
    )


def parse_watch(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """Seconds watched; a column in the file whose name ends in ``_ms`` holds milliseconds. May be missing."""
    given, number = _number(source, dtype)
    value = number / 1000 if source.lower().endswith("_ms") else number
    in_range = ((value >= 0) & (value <= MAX_WATCH_SECONDS) & value.is_not_nan()).fill_null(False)
    return Parsed(
        value=value,
        bad=given.is_not_null() & ~in_range,
        reason=pl.when(value.is_finite() & (value > MAX_WATCH_SECONDS))
        .then(_says(name, given, "is more than a day: is it in milliseconds?"))
        .when(given.str.contains(_DECIMAL_COMMA))
        .then(_says(name, given, "has a comma: write decimals with a point"))
        .otherwise(_says(name, given, "is not a number from 0")),
    )


def parse_position(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """A place in a feed, from 0. May be missing."""
    given, number = _number(source, dtype)
    whole = ((number >= 0) & (number < 2**31) & (number == number.floor())).fill_null(False)
    return Parsed(
        value=number.cast(pl.Int32, strict=False),
        bad=given.is_not_null() & ~whole,
        reason=_says(name, given, "is not a whole number from 0"),
    )


def parse_flag(name: str, source: str, dtype: pl.DataType) -> Parsed:
    """Yes or no; missing is no."""
    given = _text(source, dtype)
    text = given.str.to_lowercase()
    is_true = text.is_in(_TRUE).fill_null(False)
    return Parsed(
        value=is_true,
        bad=given.is_not_null() & ~is_true & ~text.is_in(_FALSE),
        reason=_says(name, given, "is neither 0 or 1 nor true or false"),
    )


def _text(source: str, dtype: pl.DataType) -> pl.Expr:
    """A scalar column as stripped text; null where it is empty."""
    column = pl.col(source)
    if dtype.is_float():
        # Ids that were whole numbers before a missing value made the column one of floats.
        whole = (column == column.floor()) & (column.abs() < 2.0**53)
        return (
            pl.when(whole)
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(column.cast(pl.String))
        )
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return pl.when(text != "").then(text)


def _number(source: str, dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """A column as text and as float64, which is null where the text is no number."""
    given = _text(source, dtype)
    if dtype.is_numeric():
        return given, pl.col(source).cast(pl.Float64)
    return given, given.cast(pl.Float64, strict=False)


def _since_epoch(number: pl.Expr) -> pl.Expr:
    """Seconds, milli-, micro- or nanoseconds since 1970 as microseconds.

    The four readings of a number from 2000 to 2099 do not overlap, so its magnitude tells which it is.
    """
    size = number.abs()
    factor = pl.when(size < 1e11).then(1e6).when(size < 1e14).then(1e3).when(size < 1e17).then(1.0).otherwise(1e-3)
    return pl.when(number.is_finite()).then((number * factor).round().cast(pl.Int64, strict=False))


def _text_moments(texts: pl.Series) -> pl.Series:
    """Text of either kind as microseconds since 1970; the slow pattern only sees what is no number."""
    frame = texts.to_frame("text")
    micros = frame.select(_since_epoch(pl.col("text").cast(pl.Float64, strict=False))).to_series()
    others = micros.is_null() & texts.is_not_null()
    if others.any():
        parts = frame.filter(others).select(pl.col("text").str.extract_groups(_ISO).alias("text")).unnest("text")
        micros = micros.scatter(others.arg_true(), parts.select(_iso()).to_series())
    return micros


def _iso() -> pl.Expr:
    """The groups of the ISO 8601 pattern as microseconds since 1970; null where a text does not match."""
    day, hour, minute, second, fraction, zone = (pl.col(str(group)) for group in range(1, 7))
    hours, minutes, seconds = (part.cast(pl.Int64).fill_null(0) for part in (hour, minute, second))
    micros = fraction.str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    digits = zone.str.replace_all(r"[^\d]", "").str.pad_end(4, "0").cast(pl.Int64, strict=False).fill_null(0)
    offset = sign * ((digits // 100) * 3600 + (digits % 100) * 60)
    valid = (hours < 24) & (minutes < 60) & (seconds < 60) & (digits // 100 < 15) & (digits % 100 < 60)
    of_day = hours * 3600 + minutes * 60 + seconds - offset
    days = day.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64)
    return pl.when(valid).then((days * 86_400 + of_day) * _SECOND_US + micros)


def _says(name: str, value: pl.Expr, fault: str) -> pl.Expr:
    return pl.format("{} = {} {}", pl.lit(name), pl.format("'{}'", value.fill_null("")), pl.lit(fault))


def _unknown_actions(name: str, values: pl.Series) -> pl.Series:
    reasons = {value: _unknown_action(name, value) for value in values.unique().to_list()}
    return pl.Series(values.name, [reasons[value] for value in values.to_list()], dtype=pl.String)


def _unknown_action(name: str, value: str | None) -> str:
    if value is None:
        return f"{name} is empty"
    close = get_close_matches(value, list(Action), n=1, cutoff=0.6)
    hint = f"did you mean '{close[0]}'?" if close else f"valid are {', '.join(Action)}"
    return f"{name} = '{value}' is not an action: {hint}"
