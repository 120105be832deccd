"""Creators whom a viewer follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.events import Controls
from swipewise.feed.engine import FeedEngine
from swipewise.feed.following import FollowedBlend, followed_creators
from swipewise.feed.scoring import WeightedBlend
from swipewise.feed.sources import FollowedSource
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace
from tests.feed.conftest import video
from tests.feed.fakes import query, roster, shelf

SHELF = replace(
    shelf({"a": 1, "b": 2, "c": 3, "d": None, "e": 0, "f": 4}),
    creator_of={"a": "ann", "b": "bob", "c": "ann", "d": "ann", "e": "cid", "f": "bob"},
)
SIX = roster(SHELF)


def follow(video_id: str, *, minutes_ago: int = 1) -> Event:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Event(event_id=video_id, viewer_id="zoe", video_id=video_id, action=Action.FOLLOW, at=at)


def test_their_newest_unseen_first() -> None:
    source = FollowedSource(roster=SIX, limit=3)
    found = source.candidates(query(followed=("bob", "ann", "nobody")))
    assert SIX.names_of(found) == ["a", "b", "c"]
    met = query(SIX, followed=("bob", "ann"), seen="ac")
    assert SIX.names_of(source.candidates(met)) == ["a", "b", "c", "f", "d"], "three that can be shown"
    assert not len(source.candidates(query()))
    assert not len(FollowedSource(roster=SIX, limit=0).candidates(query(followed=("bob",))))


def test_the_blend_adds_the_weight() -> None:
    rest = WeightedBlend(roster=SIX, popularity_weight=0, freshness_weight=0, half_life_days=1)
    numbers_N = SIX.numbers_of("ab")
    scores_N = np.array([3, 1], np.float32)
    stage = FollowedBlend(rest=rest, roster=SIX, weight=0.5)
    assert stage.blend(query(followed=("bob",)), numbers_N, scores_N).tolist() == [1.0, -0.5]
    assert stage.blend(query(), numbers_N, scores_N).tolist() == [1.0, -1.0]


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    """Videos of bob, the older ones first liked by nobody."""
    bobs = [replace(video(f"bob{number}", days_old=50 + number), creator="bob") for number in range(3)]
    others = [video(f"other{number}", days_old=number) for number in range(30)]
    Catalog(workspace.catalog_dir).upsert([*bobs, *others], {})
    return replace(
        workspace, config=replace(workspace.config, feed=replace(workspace.config.feed, fresh=5, size=5))
    )


def test_a_follow_brings_the_creators_videos(shop: Workspace) -> None:
    with FeedEngine.open(shop) as engine:
        before = engine.feed("zoe")
        engine.observe([follow("bob1")])
        after = engine.feed("zoe")
        engine.controls.put("zoe", Controls(creators={"bob": 0.0}), paused=False, reset=False)
        none = engine.feed("zoe")
        engine.controls.put("zoe", Controls(), paused=False, reset=True)
        anew = engine.feed("zoe")
    sources = [
        {r.video_id for r in feed.recommendations if r.source == "followed"} for feed in (before, after, none)
    ]
    candidates = {each.video_id: each.source for each in after.dropped} | {
        each.video_id: each.source for each in after.recommendations
    }
    assert sources[0] == set()
    assert {v for v, source in candidates.items() if source == "followed"} == {"bob0", "bob1", "bob2"}
    assert {d.video_id: d.reason for d in after.dropped}["bob1"] == "seen"
    assert sources[2] == set(), "what the viewer wants none of comes first"
    assert "followed" not in {each.source for each in (*anew.dropped, *anew.recommendations)}, (
        "learning began anew"
    )


def test_only_a_follow_follows_and_the_latest_comes_first(workspace: Workspace) -> None:
    liked = Event(
        event_id="like",
        viewer_id="zoe",
        video_id="e",
        action=Action.LIKE,
        at=datetime.now(UTC) - timedelta(hours=1),
    )
    with FeedEngine.open(workspace) as engine:
        engine.observe([follow("b", minutes_ago=3), follow("a", minutes_ago=2), follow("gone"), liked])
        events = engine._histories.known("zoe").events
    assert followed_creators(events, SHELF) == ("ann", "bob")
