"""What a client may send, and how a mistake is named."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swipewise.events.moments import moment_of
from swipewise.schema import Action, Event
from swipewise.server.intake import MAX_EVENTS, BadRequestError, parse_events
from swipewise.server.messages import PostedEvent

LIKE = {"event_id": "e1", "viewer_id": "ann", "video_id": "v1", "action": "like", "at": "2025-06-01T12:00:00Z"}


def parse(payload: object) -> list[Event]:
    return [
        Event(
            event_id=event_id,
            viewer_id=viewer_id,
            video_id=video_id,
            action=Action(action),
            at=moment_of(at),
            watch_seconds=watched,
            position=position,
        )
        for event_id, viewer_id, video_id, action, at, watched, position in parse_events(
            json.dumps(payload).encode()
        )
    ]


def changed(**changes: Any) -> dict[str, Any]:
    return {**LIKE, **changes}


def test_one_event() -> None:
    (event,) = parse(changed(watch_seconds=3, position=0))
    assert event == Event(
        event_id="e1",
        viewer_id="ann",
        video_id="v1",
        action=Action.LIKE,
        at=datetime(2025, 6, 1, 12, tzinfo=UTC),
        watch_seconds=3.0,
        position=0,
    )


def test_a_list_keeps_its_order() -> None:
    assert [event.event_id for event in parse([changed(event_id=i) for i in "cab"])] == ["c", "a", "b"]
    assert parse([]) == []


def test_times_become_utc() -> None:
    (event,) = parse(changed(at="2025-06-01T14:00:00+02:00"))
    assert event.at == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert event.at.utcoffset() == timedelta(0)


def test_absent_id_and_time_are_filled_in() -> None:
    before = datetime.now(UTC)
    first, second = parse([{k: v for k, v in LIKE.items() if k not in ("event_id", "at")}] * 2)
    assert first.event_id != second.event_id
    assert before <= first.at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "liek"}, "action: unknown action 'liek': did you mean 'like'?"),
        ({"action": "zzz"}, "action: unknown action 'zzz': valid are exposure, view, finish"),
        ({"viewer_id": 7}, "viewer_id: input should be a valid string, not 7"),
        ({"viewer_id": ""}, "viewer_id: string should have at least 1 character, not ''"),
        ({"video_id": "x" * 300}, "video_id: string should have at most 256 characters, not 'xxx"),
        ({"video_id": "a\u0000b"}, r"video_id: 'a\x00b' holds a control character"),
        ({"viewer_id": "  "}, "viewer_id: '  ' is empty"),
        ({"viewer": "ann"}, "viewer: is not a field: did you mean 'viewer_id'?"),
        (
            {"at": "2025-06-01T12:00:00"},
            "at: '2025-06-01T12:00:00' is not a time with its zone, such as 2026-01-31T",
        ),
        ({"at": "yesterday"}, "at: 'yesterday' is not a time with its zone, such as 2026-01-31T18:30:00Z"),
        ({"at": 1760894969883}, "at: 1760894969883 is not a time with its zone, such as 2026-01-31T18:30:00Z"),
        ({"action": "love"}, "action: unknown action 'love': valid are exposure, view, finish"),
        ({"at": "0001-01-01T00:00:00+10:00"}, "at: 0001-01-01T00:00:00+10:00 lies before the year 1 in UTC"),
        ({"at": "9999-12-31T23:59:59-10:00"}, "at: 9999-12-31T23:59:59-10:00 lies in the future, it is"),
        ({"at": "2999-01-01T00:00:00Z"}, "at: 2999-01-01T00:00:00+00:00 lies in the future, it is"),
        ({"watch_seconds": -1}, "watch_seconds: input should be greater than or equal to 0, not -1"),
        ({"watch_seconds": "3"}, "watch_seconds: input should be a valid number, not '3'"),
        ({"watch_seconds": float("nan")}, "watch_seconds: input should be"),
        ({"position": 1.5}, "position: input should be a valid integer, not 1.5"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse(changed(**changes))
    assert str(caught.value).startswith(message)
    assert caught.value.status == 422


def test_a_missing_field() -> None:
    with pytest.raises(BadRequestError, match=r"^video_id: is required$"):
        parse({k: v for k, v in LIKE.items() if k != "video_id"})


def test_a_mistake_in_a_list_names_the_place_and_every_field() -> None:
    with pytest.raises(
        BadRequestError, match=r"^\[1\]\.action: unknown action 'liek'.* \(and 1 more\)$"
    ) as caught:
        parse([LIKE, changed(action="liek"), changed(position=-1)])
    assert caught.value.fields is not None
    assert [problem.field for problem in caught.value.fields] == ["[1].action", "[2].position"]


def test_fields_are_complained_about_in_the_order_they_are_described_in() -> None:
    described = [field.name for field in fields(PostedEvent)]
    with pytest.raises(BadRequestError) as caught:
        parse({name: [] for name in ("other", *reversed(described))})
    assert caught.value.fields is not None
    assert [problem.field for problem in caught.value.fields] == [*described, "other"]


@pytest.mark.parametrize("body", [b"", b"{", b"[", b'{"viewer_id": "\\ud800"}', b"\xff"])
def test_not_json(body: bytes) -> None:
    with pytest.raises(BadRequestError, match=r"^body: is not JSON: "):
        parse_events(body)


def test_neither_an_object_nor_a_list() -> None:
    with pytest.raises(BadRequestError, match=r"^body: "):
        parse_events(b'"like"')


def test_too_many_events() -> None:
    with pytest.raises(BadRequestError, match="too many events in one request: send at most 1000") as caught:
        parse([changed(event_id=str(i)) for i in range(MAX_EVENTS + 1)])
    assert caught.value.status == 413


def test_ever_so_many_faults_are_not_all_told() -> None:
    with pytest.raises(BadRequestError, match=r"is required \(and \d+ more\)$") as caught:
        parse_events(b"[" + b"{}," * (MAX_EVENTS - 1) + b"{}]")
    assert caught.value.status == 422
    assert caught.value.fields is not None
    assert len(caught.value.fields) == 20


def test_a_list_that_is_too_long_is_not_looked_through() -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_events(b"[" + b"{}," * 100_000 + b"{}]")
    assert caught.value.status == 413
