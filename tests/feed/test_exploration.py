"""What is drawn, from what, with which probability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swipewise.feed.exploration import Exploration, Places, draw, drawn_places, softmax
from swipewise.feed.popularity import Popularity
from swipewise.feed.roster import Roster
from swipewise.feed.stages import Level
from tests.feed.fakes import query, shelf
from tests.feed.test_pipeline import LOVES_A, exploration, pipeline

AGES = shelf({f"v{place}": float(place) for place in range(6)})


def arranged(
    stage: Exploration, ranked: Sequence[str], chosen: int, pool: Collection[str]
) -> tuple[list[str], Places]:
    """The feed of the first few, each a score below the one before, and how it came about."""
    numbers_N = stage.roster.numbers_of(ranked)
    scores_N = -np.arange(len(ranked), dtype=np.float64)
    pool_S = np.sort(stage.roster.numbers_of(pool))
    places = stage.arrange(query(size=4), numbers_N, scores_N, range(chosen), pool_S)
    return [ranked[position] for position in places.chosen], places


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.05, 0.1, 0.3, 0.5]))
def test_pages_have_the_places_of_one_long_feed(first: int, second: int, share: float) -> None:
    whole = drawn_places(0, first + second, share)
    assert whole == drawn_places(0, first, share) + [first + place for place in drawn_places(first, second, share)]
    assert abs(len(whole) - share * (first + second)) <= 1


def test_no_share_draws_nothing() -> None:
    assert drawn_places(0, 1000, 0.0) == []
    off = exploration(share=0.0)
    assert (len(off.candidates(query(size=20))), off.policy) == (0, None)


def test_draws_are_as_likely_as_they_say() -> None:
    """By counting: each pair of draws comes about as often as the product of its probabilities."""
    scores_N = np.array([1.0, 0.0, -1.0])
    generator = np.random.default_rng(1)
    found: Counter[tuple[int, ...]] = Counter()
    said: dict[tuple[int, ...], float] = {}
    for _ in range(20_000):
        (first, p), (second, q) = draw(scores_N, 2, 0.7, generator)
        found[first, second] += 1
        said[first, second] = p * q
    assert sum(said.values()) == pytest.approx(1)
    for pair, probability in said.items():
        assert found[pair] / 20_000 == pytest.approx(probability, abs=0.02)
    assert said[0, 1] == pytest.approx(softmax(scores_N, 0.7)[0] * np.exp(0) / (np.exp(0) + np.exp(-1 / 0.7))), (
        "without replacement"
    )


def test_more_is_not_drawn_than_there_is() -> None:
    assert len(draw(np.array([1.0]), 3, 1.0, np.random.default_rng(0))) == 1
    assert draw(np.array([]), 3, 1.0, np.random.default_rng(0)) == []


def test_the_newest_that_few_were_shown_may_be_drawn() -> None:
    popularity = Popularity.of({}, exposures={"v0": 3, "v1": 2, "gone": 9})
    stage = Exploration(
        roster=Roster.of(AGES), popularity=popularity, share=0.5, pool=3, exposures=3, temperature=1
    )
    names_of = stage.roster.names_of
    assert names_of(stage.candidates(query(size=4))) == ["v1", "v2", "v3"]
    met = query(stage.roster, size=4, seen=["v2"])
    assert names_of(stage.candidates(met)) == ["v1", "v2", "v3", "v4"], "three that can be shown"
    assert not len(stage.candidates(query(size=0))), "no place of this page is drawn"


def test_drawn_places_are_filled_from_the_pool_and_the_rest_stays_in_order() -> None:
    stage = Exploration(
        roster=Roster.of(AGES), popularity=Popularity(), share=0.25, pool=9, exposures=1, temperature=1.0
    )
    all_of_them = ("v0", "v1", "v2", "v3", "v4", "v5")
    chosen, places = arranged(stage, all_of_them, 4, {"v0", "v3", "v4", "v5"})
    assert [chosen[place] for place in (0, 2, 3)] == ["v0", "v1", "v2"]
    assert places.drawn == {1}
    assert [video_id for video_id, _ in places.explored.pool] == ["v3", "v4", "v5"], "v0 has a place of its own"
    chances = dict(zip(["v3", "v4", "v5"], softmax(np.array([-3.0, -4.0, -5.0]), 1.0), strict=True))
    assert places.propensities == (1.0, pytest.approx(chances[chosen[1]]), 1.0, 1.0)


def test_places_that_nothing_can_be_drawn_for_go_to_the_next_best() -> None:
    stage = exploration(share=0.5)
    chosen, places = arranged(stage, "abcd", 4, {"d"})
    assert sorted(chosen) == ["a", "b", "c", "d"]
    assert (chosen[0], places.drawn) == ("d", {0})
    assert places.propensities == (1.0, 1.0, 1.0, 1.0), "the only one is sure"
    chosen, none = arranged(stage, "abcd", 4, ())
    assert chosen == ["a", "b", "c", "d"]
    assert (none.explored.pool, none.explored.policy) == ((), "softmax@1 temperature=1")


def test_the_same_request_is_drawn_the_same_and_others_are_not() -> None:
    stage = pipeline(share=0.5)

    def drawn(request_id: str, viewer_id: str = "ann") -> str:
        asked = query(size=2, state=LOVES_A, request_id=request_id, viewer_id=viewer_id)
        feed = stage.run(asked, Level.MODEL)
        (found,) = [each.video_id for each in feed.recommendations if each.source == "explore"]
        return found

    assert len({drawn("r1") for _ in range(5)}) == 1
    assert len({drawn(f"r{number}") for number in range(40)}) == 3, "c, d and e; a and b many have seen"
    assert len({drawn("r1", f"viewer {number}") for number in range(40)}) == 3


def test_a_page_goes_on_counting_and_says_how_likely_each_place_was() -> None:
    feed = pipeline(share=0.5).run(query(size=2, state=LOVES_A, start=2, request_id="r"), Level.MODEL)
    assert [each.position for each in feed.recommendations] == [2, 3]
    first, second = feed.recommendations
    assert (first.source, second.source, second.propensity) == ("explore", "interest", 1.0)
    assert 0 < first.propensity < 1
    assert feed.explored.policy == "softmax@1 temperature=1"
    assert first.video_id in dict(feed.explored.pool)
    assert first.video_id not in {each.video_id for each in feed.dropped}
    assert "outranked" in {each.reason for each in feed.dropped}
