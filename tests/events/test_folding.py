from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from swipewise.events import as_sequences, fold
from swipewise.events.frames import INTERACTION_SCHEMA
from swipewise.schema import FLAG_ACTIONS, Action, Event
from tests.events.examples import DURATIONS, event, frame, minute


def folded(*events: Event) -> list[dict[str, Any]]:
    return fold(frame(*events), DURATIONS).collect().to_dicts()


def flags(row: dict[str, Any]) -> set[str]:
    return {flag for flag in FLAG_ACTIONS if row[flag]}


def test_an_exposure_takes_what_follows_up_to_the_next_one() -> None:
    first, second = folded(
        event("a", "exposure", minute(0), position=4),
        event("b", "view", minute(1), watch=5.0),
        event("c", "like", minute(2)),
        event("d", "exposure", minute(3), position=0),
        event("e", "skip", minute(4)),
    )
    assert (first["at"], first["watch_seconds"], first["position"]) == (minute(0), 5.0, 4)
    assert flags(first) == {"like"}
    assert first["watch_ratio"] == 5 / 10
    assert (second["at"], second["watch_seconds"], second["position"]) == (minute(3), None, 0)
    assert second["watch_ratio"] is None
    assert flags(second) == {"skip"}


def test_viewers_and_videos_are_kept_apart() -> None:
    rows = folded(
        event("a", "exposure", minute(0), video="v1"),
        event("b", "exposure", minute(1), video="v2"),
        event("c", "like", minute(2), video="v1"),
        event("d", "share", minute(2), video="v1", viewer="bob"),
    )
    assert [(row["viewer_id"], row["video_id"], flags(row)) for row in rows] == [
        ("ann", "v1", {"like"}),
        ("ann", "v2", set()),
        ("bob", "v1", {"share"}),
    ]


def test_actions_before_any_exposure_open_one_interaction() -> None:
    first, second = folded(
        event("a", "like", minute(0)), event("b", "finish", minute(1)), event("c", "exposure", minute(2))
    )
    assert (first["at"], flags(first)) == (minute(0), {"like", "finish"})
    assert (second["at"], flags(second)) == (minute(2), set())


def test_at_one_moment_the_exposure_comes_first_whatever_the_order_of_rows() -> None:
    events = [event("a", "like"), event("b", "view", watch=2.0), event("z", "exposure")]
    for _ in range(5):
        random.Random(0).shuffle(events)
        (row,) = folded(*events)
        assert (row["watch_seconds"], flags(row)) == (2.0, {"like"})


def test_views_add_up_and_other_actions_tell_the_time_only_without_them() -> None:
    (replayed,) = folded(
        event("a", "exposure", watch=99.0),
        event("b", watch=10.0),
        event("c", watch=5.0),
        event("d", "finish", watch=9.0),
    )
    assert replayed["watch_seconds"] == 10.0 + 5.0
    assert replayed["watch_ratio"] == 1.5
    (told,) = folded(event("a", "exposure"), event("b", "finish", watch=9.0), event("c", "like", watch=3.0))
    assert told["watch_seconds"] == 9.0


def test_the_ratio_is_unknown_where_the_duration_is_absent_null_or_zero() -> None:
    for video in ("v2", "v3", "unknown"):
        (row,) = folded(event("a", video=video, watch=3.0))
        assert (row["watch_seconds"], row["watch_ratio"]) == (3.0, None)


def test_no_events_give_no_interactions_with_all_columns() -> None:
    assert fold(frame(), DURATIONS).collect().schema == pl.Schema(INTERACTION_SCHEMA)


def by_hand(events: list[Event]) -> list[tuple[str, str, datetime, float | None, int | None, frozenset[str]]]:
    """The definition of folding as a loop over sorted events."""
    key = lambda e: (e.viewer_id, e.video_id, e.at, e.action is not Action.EXPOSURE, e.event_id)  # noqa: E731
    groups: list[list[Event]] = []
    for item in sorted(events, key=key):
        last = groups[-1][-1] if groups else None
        same = last is not None and (last.viewer_id, last.video_id) == (item.viewer_id, item.video_id)
        if not same or item.action is Action.EXPOSURE:
            groups.append([])
        groups[-1].append(item)
    rows = []
    for group in groups:
        views = [e.watch_seconds for e in group if e.action is Action.VIEW and e.watch_seconds is not None]
        others = [e.watch_seconds for e in group if e.watch_seconds is not None]
        watch = sum(views) if views else max(others, default=None)
        position = next((e.position for e in group if e.position is not None), None)
        done = frozenset(e.action.value for e in group if e.action in FLAG_ACTIONS)
        rows.append((group[0].viewer_id, group[0].video_id, group[0].at, watch, position, done))
    return sorted(rows, key=lambda row: (row[0], row[2], row[1]))


some_events = st.lists(
    st.builds(
        event,
        event_id=st.uuids().map(str),
        action=st.sampled_from(list(Action)),
        at=st.integers(0, 6).map(minute),
        viewer=st.sampled_from(["ann", "bob"]),
        video=st.sampled_from(["v1", "v2"]),
        watch=st.none() | st.integers(0, 8).map(float),
        position=st.none() | st.integers(0, 9),
    ),
    max_size=25,
    unique_by=lambda item: item.event_id,
)


@settings(max_examples=60, deadline=None)
@given(some_events, st.randoms(use_true_random=False))
def test_each_event_is_used_exactly_once(events: list[Event], shuffler: random.Random) -> None:
    expected = by_hand(events)
    shuffler.shuffle(events)
    rows = [
        (
            row["viewer_id"],
            row["video_id"],
            row["at"],
            row["watch_seconds"],
            row["position"],
            frozenset(flags(row)),
        )
        for row in folded(*events)
    ]
    assert sorted(rows, key=repr) == sorted(expected, key=repr)
    assert [(row[0], row[2], row[1]) for row in rows] == [(row[0], row[2], row[1]) for row in expected]


def test_sequences_hold_the_newest_interactions_of_each_viewer_in_order() -> None:
    events = [event(f"e{n}", at=minute(n), video=f"v{n % 3 + 1}", watch=float(n)) for n in range(5)]
    events.append(event("b", "like", viewer="bob"))
    ann, bob = as_sequences(fold(frame(*events), DURATIONS), 2).collect().to_dicts()
    assert ann["viewer_id"] == "ann"
    # Without exposures the views of one video make one interaction, at the time of the first.
    assert ann["video_id"] == ["v2", "v3"]
    assert ann["watch_seconds"] == [1.0 + 4.0, 2.0]
    assert ann["at"] == [minute(1), minute(2)]
    assert (bob["viewer_id"], bob["like"]) == ("bob", [True])
