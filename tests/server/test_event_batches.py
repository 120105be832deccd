"""What is read column by column is what each event's model makes of it, and only what breaks none of its rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swipewise.schema import Action
from swipewise.server.event_batches import rows_of_sound
from swipewise.server.intake import MAX_EVENTS, BadRequestError, rows_one_by_one

SOUND = {"event_id": "e1", "viewer_id": "ann", "video_id": "v1", "action": "like", "at": "2025-06-01T12:00:00Z"}
IDS = st.one_of(
    st.sampled_from(["ann", " ann ", "é\u200b", "a" * 256, "a" * 257, "", "  ", "\u3000", "a\nb", "\x7f", "\x85"]),
    st.text(max_size=4),
    st.integers(),
    st.none(),
)
CLOCKS = st.builds(
    "{}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.sampled_from(["0001", "1969", "2025", "2400", "9999"]),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from("Tt _"),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(["", ".", ".5", ",5", ".123456", ".1234565", ".999999999"]),
    st.sampled_from(["", "Z", "z", "+02:00", "-23:59", "+0530", "+02", "-24:00"]),
)
NUMBERS = st.one_of(
    st.sampled_from([0, -0.0, -1, 3, 3.0, 1.5, 1e6, 1e6 + 1, 10**30, 1e308, True, "3", None, float("nan")]),
    st.floats(),
    st.integers(),
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event_id": IDS,
        "viewer_id": IDS,
        "video_id": IDS,
        "action": st.sampled_from([*map(str, Action), "LIKE", "liek", 1, None]),
        "at": st.one_of(CLOCKS, st.sampled_from(["yesterday", 1_750_000_000, 1.5e9, None])),
        "watch_seconds": NUMBERS,
        "position": NUMBERS,
        "more": st.just(1),
    },
)
BODIES = st.one_of(
    st.lists(EVENTS.map(lambda some: SOUND | some), max_size=4), EVENTS.map(lambda some: SOUND | some), EVENTS
)


def the_same(body: bytes) -> bool:
    """Whether a body is read at once; if so, as it is one by one."""
    rows = rows_of_sound(body, MAX_EVENTS)
    if rows is None:
        return False
    others = rows_one_by_one(body)
    assert told(body, rows) == told(body, others)
    assert [list(map(type, row)) for row in rows] == [list(map(type, row)) for row in others]
    return True


def told(body: bytes, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Rows without the ids and moments that their events do not tell, which differ each time."""
    payload = json.loads(body)
    events = payload if isinstance(payload, list) else [payload]
    return [
        [row[0] if "event_id" in event else None, *row[1:4], row[4] if "at" in event else None, *row[5:]]
        for event, row in zip(events, rows, strict=True)
    ]


@settings(max_examples=1500, deadline=None)
@given(BODIES, st.booleans())
def test_whatever_is_read_at_once_is_read_the_same(payload: Any, ascii_only: bool) -> None:
    text = json.dumps(payload, ensure_ascii=ascii_only)
    the_same(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 200), st.integers(0, 200))
def test_damaged_bodies_are_never_read_at_once_unless_they_are_sound(junk: bytes, start: int, end: int) -> None:
    body = json.dumps([SOUND, SOUND | {"event_id": "e2"}]).encode()
    damaged = body[:start] + junk + body[end:]
    if rows_of_sound(damaged, MAX_EVENTS) is not None:
        the_same(damaged)


def test_what_is_as_it_should_be_is_read_at_once() -> None:
    assert the_same(json.dumps(SOUND).encode())
    tomorrow = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    many = [
        SOUND | {"event_id": f"é{place}", "at": tomorrow, "watch_seconds": place / 3, "position": place}
        for place in range(MAX_EVENTS)
    ]
    assert the_same(json.dumps(many).encode())
    assert the_same(b"[]")


def test_what_is_absent_is_filled_in() -> None:
    before = datetime.now(UTC)
    body = json.dumps([{"viewer_id": "ann", "video_id": "v", "action": "view"}, SOUND] * 2).encode()
    rows = rows_of_sound(body, MAX_EVENTS)
    assert rows is not None
    assert len({row[0] for row in rows}) == 3, "two new ids and that of the same event twice"
    assert rows[1] == rows[3] == rows_one_by_one(json.dumps(SOUND).encode())[0]
    assert before.timestamp() <= rows[0][4] / 1e6 <= datetime.now(UTC).timestamp()


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "2025-06-01T12:00:00.1234565Z"},
        {"at": (datetime.now(UTC) + timedelta(days=2)).isoformat()},
        {"at": "0001-01-01T00:00:00+10:00"},
        {"viewer_id": "a\x7fb"},
        {"video_id": "\u2003"},
    ],
)
def test_what_may_break_a_rule_is_left_to_the_model(changes: dict[str, Any]) -> None:
    assert rows_of_sound(json.dumps(SOUND | changes).encode(), MAX_EVENTS) is None


def test_more_than_may_be_sent_is_left_to_the_model() -> None:
    body = json.dumps([SOUND] * 3).encode()
    assert rows_of_sound(body, 3) is not None
    assert rows_of_sound(body, 2) is None
    with pytest.raises(BadRequestError, match="too many events"):
        rows_one_by_one(json.dumps([SOUND] * (MAX_EVENTS + 1)).encode())
