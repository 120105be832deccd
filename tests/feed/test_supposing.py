"""Feeds as they would be: what is supposed changes what is learned, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from swipewise.events import Controls, read_events
from swipewise.feed.engine import FeedEngine
from swipewise.feed.stages import Level
from swipewise.feed.supposing import Supposition
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace

LIKED = (1.0, frozenset({Action.LIKE}))


def shown(engine: FeedEngine, *suppositions: Supposition) -> list[list[str]]:
    return [
        [each.video_id for each in feed.recommendations] for feed in engine.supposed("ann", suppositions, size=4)
    ]


@pytest.fixture
def liked(workspace: Workspace, runs: Callable[[str, str], None]) -> Workspace:
    """Ann has liked a, then d, which lie opposite each other; b is like a, and c like d."""
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        for minute, video in enumerate("ad"):
            at = datetime.now(UTC) - timedelta(minutes=5 - minute)
            engine.observe([Event(event_id=video, viewer_id="ann", video_id=video, action=Action.LIKE, at=at)])
    return workspace


def test_without_a_video_the_other_one_speaks_alone(liked: Workspace) -> None:
    with FeedEngine.open(liked) as engine:
        found = shown(engine, Supposition(without=frozenset("a")), Supposition(without=frozenset("d")))
    assert found == [["c", "b"], ["b", "c"]], "and what was met stays away"


def test_without_all_of_it_nothing_is_known(liked: Workspace) -> None:
    with FeedEngine.open(liked) as engine:
        (feed,) = engine.supposed("ann", [Supposition(without=frozenset("ad"))], size=4)
    assert feed.level is Level.POPULAR
    assert {each.video_id for each in feed.recommendations} == {"b", "c"}


def test_what_is_shown_or_done_next(liked: Workspace) -> None:
    with FeedEngine.open(liked) as engine:
        found = shown(engine, Supposition(shown=frozenset("b")), Supposition(done={"b": LIKED}))
    assert found == [["c"], ["c"]]
    with FeedEngine.open(liked) as engine:
        # Of a stranger the first like decides.
        by = [
            [each.video_id for each in feed.recommendations]
            for feed in engine.supposed("bob", [Supposition(done={v: LIKED}) for v in "ad"], size=2)
        ]
    assert by == [["b", "c"], ["c", "b"]]


def test_a_modality_that_counts_nothing(liked: Workspace) -> None:
    without_a = Supposition(without=frozenset("a"))
    plain = Supposition(without=frozenset("a"), factors={"visual": 0.0})
    with FeedEngine.open(liked) as engine:
        engine.controls.put("ann", Controls(modalities={"text": 2.0}), paused=False, reset=False)
        scores = [
            {each.video_id: round(each.score, 3) for each in feed.recommendations}
            for feed in engine.supposed("ann", [without_a, plain], size=4)
        ]
        assert engine.controls.get("ann") == Controls(modalities={"text": 2.0})
    assert scores[0]["c"] > scores[0]["b"]
    assert scores[1]["c"] - scores[1]["b"] < scores[0]["c"] - scores[0]["b"], "told apart by pictures alone"


def test_nothing_is_written(liked: Workspace) -> None:
    before = read_events(liked.events_dir).collect()
    with FeedEngine.open(liked) as engine:
        shown(engine, Supposition(done={"b": LIKED}), Supposition(shown=frozenset("c")))
        feed = engine.feed("ann")
    assert read_events(liked.events_dir).collect().equals(before)
    assert {each.video_id for each in feed.recommendations} == {"b", "c"}
