from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from swipewise.events.columns import (
    Parser,
    parse_action,
    parse_flag,
    parse_id,
    parse_moment,
    parse_optional_id,
    parse_position,
    parse_watch,
)


def parse(parser: Parser, name: str, values: pl.Series) -> list[Any]:
    """Each value as it was read, or the reason against it as ("bad", reason)."""
    frame = values.to_frame()
    parsed = parser(name, values.name, values.dtype)
    seen = frame.select(parsed.value.alias("value"), parsed.bad.alias("bad"), parsed.reason.alias("reason"))
    return [("bad", reason) if bad else value for value, bad, reason in seen.iter_rows()]


def at(*values: Any, dtype: Any = None) -> list[Any]:
    return parse(parse_moment, "at", pl.Series("t", values, dtype=dtype))


HOW = "give ISO 8601, such as 2026-01-31T18:30:00Z, or seconds or milliseconds since 1970"
NOON = datetime(2024, 5, 6, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-06T12:30:15Z",
        "2024-05-06 12:30:15",
        "2024-05-06T12:30:15.000000+00:00",
        "2024-05-06t14:30:15+02:00",
        "2024-05-06 18:15:15 +0545",
        "2024-05-06T08:30:15-04",
        " 1714998615 ",
        "1714998615000",
        "1714998615.0",
        "1714998615000000",
        "1714998615000000000",
    ],
)
def test_one_moment_in_many_spellings(text: str) -> None:
    assert at(text) == [NOON]


def test_times_of_every_type() -> None:
    assert at(1_714_998_615, 1_714_998_615_000) == [NOON, NOON]
    assert at(1_714_998_615.5) == [NOON.replace(microsecond=500_000)]
    assert at(NOON.replace(tzinfo=None), dtype=pl.Datetime("ms")) == [NOON]
    assert at(NOON, dtype=pl.Datetime("ns", "Asia/Tokyo")) == [NOON]
    assert at(date(2024, 5, 6)) == [datetime(2024, 5, 6, tzinfo=UTC)]
    assert at("2024-05-06", "2024-05-06T12:30") == [datetime(2024, 5, 6, tzinfo=UTC), NOON.replace(second=0)]
    assert at("2024-05-06T12:30:15,123456789") == [NOON.replace(microsecond=123_456)]
    assert at("2000-01-01T00:00:00Z") == [datetime(2000, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2024-02-30", "2024-05-06T24:00", "2024-05-06T12:61", "06/05/2024", "NaN", "inf", "2024-5-6"],
)
def test_text_that_is_no_time(text: str) -> None:
    assert at(text) == [("bad", f"at = '{text}' is not a time: {HOW}")]


def test_absurd_and_missing_times() -> None:
    outside = f"lies outside the years 2000 to 2099: {HOW}"
    assert at("0", "2100-01-01", "1999-12-31T23:59:59Z", "-1714998615") == [
        ("bad", f"at = '0' {outside}"),
        ("bad", f"at = '2100-01-01' {outside}"),
        ("bad", f"at = '1999-12-31T23:59:59Z' {outside}"),
        ("bad", f"at = '-1714998615' {outside}"),
    ]
    assert at(None, "") == [("bad", "at is empty"), ("bad", "at is empty")]
    assert at(float("nan"), 1e20) == [
        ("bad", f"at = 'NaN' is not a time: {HOW}"),
        ("bad", f"at = '1e+20' {outside}"),
    ]


def test_ids_are_text_or_whole_numbers() -> None:
    assert parse(parse_id, "viewer_id", pl.Series("u", [" ann ", "", None, "a\tb"])) == [
        "ann",
        ("bad", "viewer_id is empty"),
        ("bad", "viewer_id is empty"),
        ("bad", "viewer_id = 'a\ufffdb' holds a control character"),
    ]
    assert parse(parse_id, "viewer_id", pl.Series("u", [7, None]))[0] == "7"
    assert parse(parse_id, "viewer_id", pl.Series("u", [7.0, None]))[0] == "7"
    assert parse(parse_id, "viewer_id", pl.Series("u", ["x"], dtype=pl.Categorical)) == ["x"]


def test_event_ids_may_be_missing() -> None:
    assert parse(parse_optional_id, "event_id", pl.Series("e", ["x", "", "a\nb"])) == [
        "x",
        None,
        ("bad", "event_id = 'a\ufffdb' holds a control character"),
    ]


def test_watch_times() -> None:
    watch = pl.Series("watched", ["1.5", "", "0", "-1", "NaN", "inf", "long", "90000"])
    no = "is not a number from 0"
    assert parse(parse_watch, "watch_seconds", watch) == [
        1.5,
        None,
        0.0,
        ("bad", f"watch_seconds = '-1' {no}"),
        ("bad", f"watch_seconds = 'NaN' {no}"),
        ("bad", f"watch_seconds = 'inf' {no}"),
        ("bad", f"watch_seconds = 'long' {no}"),
        ("bad", "watch_seconds = '90000' is more than a day: is it in milliseconds?"),
    ]
    assert parse(parse_watch, "watch_seconds", pl.Series("w", [2.5, float("nan"), None])) == [
        2.5,
        ("bad", f"watch_seconds = 'NaN' {no}"),
        None,
    ]
    assert parse(parse_watch, "watch_seconds", pl.Series("play_time_ms", [90_000])) == [90.0]


def test_positions() -> None:
    no = "is not a whole number from 0"
    assert parse(parse_position, "position", pl.Series("p", ["3", "3.0", None, "3.5", "-1", str(2**31)])) == [
        3,
        3,
        None,
        ("bad", f"position = '3.5' {no}"),
        ("bad", f"position = '-1' {no}"),
        ("bad", f"position = '{2**31}' {no}"),
    ]


def test_flags() -> None:
    assert parse(parse_flag, "like", pl.Series("l", ["1", "TRUE", "yes", "0", "false", None, "2"])) == [
        *[True] * 3,
        *[False] * 3,
        ("bad", "like = '2' is neither 0 or 1 nor true or false"),
    ]
    assert parse(parse_flag, "like", pl.Series("l", [True, None])) == [True, False]
    assert parse(parse_flag, "like", pl.Series("l", [1.0, 0.0, 0.5]))[:2] == [True, False]


def test_actions_name_the_nearest() -> None:
    assert parse(parse_action, "action", pl.Series("a", [" Like", "liked", "zzz", None])) == [
        "like",
        ("bad", "action = 'liked' is not an action: did you mean 'like'?"),
        (
            "bad",
            "action = 'zzz' is not an action: valid are exposure, view, finish, like, comment, share, follow, "
            "skip, hide",
        ),
        ("bad", "action is empty"),
    ]


def test_an_id_is_no_longer_than_the_server_takes() -> None:
    longest = "é" * 256
    assert parse(parse_id, "viewer_id", pl.Series("u", [longest, longest + "x"])) == [
        longest,
        ("bad", f"viewer_id = '{'é' * 40}' ... has more than 256 characters"),
    ]


def test_a_comma_in_a_number_is_told() -> None:
    assert parse(parse_watch, "watch_seconds", pl.Series("w", ["2,5", "2.5", "1,000,000"])) == [
        ("bad", "watch_seconds = '2,5' has a comma: write decimals with a point"),
        2.5,
        ("bad", "watch_seconds = '1,000,000' is not a number from 0"),
    ]
