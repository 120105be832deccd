"""The stages together: what comes out, what is dropped and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.caps import ENOUGH_OF_CREATOR
from swipewise.feed.controls import AskedLess
from swipewise.feed.diversify import ALIKE, DiverseSelect
from swipewise.feed.exploration import Exploration
from swipewise.feed.filters import BestDuplicate, CatalogueFilter, SeenDuplicateFilter, SeenFilter
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.roster import Roster
from swipewise.feed.scoring import ModelScore, WeightedBlend
from swipewise.feed.shelf import Shelf
from swipewise.feed.sources import FreshSource, InterestSource, PopularSource
from swipewise.feed.stages import Dropped, Level
from swipewise.retrieval.index import ExactIndex
from tests.feed.fakes import FakeScorer, FakeScores, FakeState, query, roster, shelf

VECTORS_VD = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
FIVE = shelf({"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}, VECTORS_VD)
MET = roster(FIVE)
LOVES_A = FakeState(np.array([1, 0], np.float32), history=[0])


def exploration(*, share: float, temperature: float = 1.0) -> Exploration:
    """Of everything that at most one viewer was shown."""
    popularity = Popularity.of({}, exposures={"a": 9, "b": 9})
    return Exploration(
        roster=Roster.of(FIVE), popularity=popularity, share=share, pool=5, exposures=2, temperature=temperature
    )


class NeverEmpty(FakeScorer):
    """As networks are, which cannot tell what shape nothing has."""

    def score(self, state: FakeState, videos_N: NDArray[np.int64]) -> FakeScores:
        assert len(videos_N), "there is nothing to score"
        return super().score(state, videos_N)


def pipeline(
    shelf: Shelf = FIVE,
    *,
    share: float = 0.0,
    diversity: float = 0.0,
    creator_cap: int = 0,
    scorer: FakeScorer | None = None,
    **weights: float,
) -> Pipeline:
    liked = roster(shelf, gone=9, e=2)
    model = ModelScore(scorer=scorer or FakeScorer("abcde", VECTORS_VD), shelf=FIVE)
    return Pipeline(
        roster=liked,
        sources=[
            InterestSource(index=ExactIndex.build(VECTORS_VD), roster=liked, limit=3),
            PopularSource(roster=liked, limit=5),
            FreshSource(roster=liked, limit=1),
        ],
        filters=[CatalogueFilter(roster=liked), SeenFilter(), SeenDuplicateFilter()],
        score=model,
        blend=WeightedBlend(
            roster=liked,
            popularity_weight=weights.get("popularity", 0.0),
            freshness_weight=0.0,
            half_life_days=7,
        ),
        lower=AskedLess(roster=liked),
        distinct=BestDuplicate(roster=liked),
        select=DiverseSelect(roster=liked, diversity=diversity, creator_cap=creator_cap),
        explore=exploration(share=share),
        explain=model,
    )


def test_the_best_unseen_videos_in_order_with_their_reasons() -> None:
    feed = pipeline().run(query(MET, state=LOVES_A, seen="a"), Level.MODEL)

    assert [r.video_id for r in feed.recommendations] == ["b", "c"]
    assert [r.position for r in feed.recommendations] == [0, 1]
    assert [r.source for r in feed.recommendations] == ["interest", "interest"]
    assert feed.recommendations[0].score > feed.recommendations[1].score
    assert feed.recommendations[0].evidence[0].video_id == "a"
    assert (feed.viewer_id, feed.level, feed.note) == ("ann", "model", None)


def test_what_is_dropped_keeps_its_source_and_reason() -> None:
    feed = pipeline().run(query(MET, state=LOVES_A, seen="a"), Level.MODEL)

    assert set(feed.dropped) == {
        Dropped(video_id="gone", source="popular", reason="not in the catalogue"),
        Dropped(video_id="d", source="interest", reason="outranked"),
        Dropped(video_id="e", source="popular", reason="outranked"),
    }
    assert len(feed.dropped) == 3
    assert [each.video_id for each in feed.dropped[:2]] == ["gone", feed.dropped[1].video_id], "in stages' order"


def test_what_is_passed_over_for_a_lower_score_keeps_the_reason() -> None:
    likes_a_and_d = FakeState(np.array([1, 0], np.float32), history=[0, 3])
    spread = pipeline(diversity=0.99).run(query(state=likes_a_and_d), Level.MODEL)
    assert [r.video_id for r in spread.recommendations] == ["a", "e"]
    assert {d.video_id: d.reason for d in spread.dropped if d.video_id in "bcd"} == dict.fromkeys("bcd", ALIKE)

    same = replace(FIVE, creator_of={"a": "ann", "b": "ann", "c": "bob"})
    capped = pipeline(same, creator_cap=1).run(query(state=LOVES_A), Level.MODEL)
    assert [r.video_id for r in capped.recommendations] == ["a", "c"]
    assert {d.video_id: d.reason for d in capped.dropped if d.video_id in "bd"} == {
        "b": ENOUGH_OF_CREATOR,
        "d": "outranked",
    }


def test_the_trace_counts_every_stage() -> None:
    feed = pipeline().run(query(MET, state=LOVES_A, seen="a"), Level.MODEL)

    assert [(step.stage, step.count) for step in feed.trace] == [
        ("source: interest", 3),  # b c d
        ("source: popular", 5),  # and gone, e
        ("source: fresh", 5),  # e again, d for the feed's length
        ("source: explore", 5),
        ("filter: not in the catalogue", 4),
        ("filter: seen", 4),
        ("filter: duplicate of a seen one", 4),
        ("score", 4),
        ("blend", 4),
        ("distinct: duplicate of a better one", 4),
        ("select", 2),
        ("explore", 2),
        ("explain", 2),
    ]
    assert all(step.milliseconds >= 0 for step in feed.trace)


def test_the_blend_decides_the_order() -> None:
    feed = pipeline(popularity=100).run(query(MET, state=LOVES_A, seen="a"), Level.MODEL)
    assert [r.video_id for r in feed.recommendations] == ["e", "b"]


def test_of_near_duplicates_the_best_is_left_and_none_of_what_was_seen() -> None:
    alike = replace(FIVE, group_of={"b": "b", "c": "b", "a": "a", "e": "a"})
    seen = query(MET, size=4, state=LOVES_A, seen="ae", duplicates=alike.duplicates_of("a"))
    feed = pipeline(alike).run(seen, Level.MODEL)
    assert [r.video_id for r in feed.recommendations] == ["b", "d"]
    reasons = {d.video_id: d.reason for d in feed.dropped}
    assert (reasons["a"], reasons["e"], reasons["c"]) == (
        "seen",
        "duplicate of a seen one",
        "duplicate of a better one",
    )
    counts = {step.stage: step.count for step in feed.trace}
    assert counts["filter: seen"] - counts["filter: duplicate of a seen one"] == 1
    assert counts["blend"] - counts["distinct: duplicate of a better one"] == 1
    other = pipeline(replace(FIVE, group_of={"b": "b", "e": "b"}), popularity=100)
    best = other.run(query(size=5, state=LOVES_A), Level.MODEL)
    assert [r.video_id for r in best.recommendations] == ["e", "a", "c", "d"], "e is popular, so b is left out"


def test_everything_was_seen() -> None:
    feed = pipeline(scorer=NeverEmpty("abcde", VECTORS_VD)).run(
        query(MET, state=LOVES_A, seen="abcde"), Level.MODEL
    )
    assert feed.recommendations == ()
    assert {d.reason for d in feed.dropped} == {"seen", "not in the catalogue"}
