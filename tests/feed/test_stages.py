"""Each stage alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.errors import ArtifactError
from swipewise.feed.filters import CatalogueFilter, SeenFilter
from swipewise.feed.roster import Roster
from swipewise.feed.scoring import ModelScore, PopularScore, WeightedBlend
from swipewise.feed.sources import FreshSource, InterestSource, PopularSource
from swipewise.retrieval.index import ExactIndex
from tests.feed.fakes import FakeScorer, FakeState, query, roster, shelf

VECTORS_VD = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)
SHELF = shelf({"a": 1, "b": 2, "c": 0, "d": None}, VECTORS_VD)
FOUR = roster(SHELF)
LOVES_A = FakeState(np.array([1, 0], np.float32), [])
INDEX = ExactIndex.build(VECTORS_VD)


def numbers(*video_ids: str, of: Roster = FOUR) -> NDArray[np.int64]:
    return of.numbers_of(video_ids)


def test_interest_source_gives_the_nearest_first() -> None:
    source = InterestSource(index=INDEX, roster=FOUR, limit=2)
    assert FOUR.names_of(source.candidates(query(state=LOVES_A))) == ["a", "b"]


def test_interest_source_looks_past_what_was_seen() -> None:
    source = InterestSource(index=INDEX, roster=FOUR, limit=2)
    found = source.candidates(query(FOUR, state=LOVES_A, seen="a"))
    assert FOUR.names_of(found) == ["b", "c"], "two others"


def test_popular_source_stops_at_its_limit_of_unseen_videos() -> None:
    liked = roster(SHELF, a=1, b=5, c=3, d=2)
    source = PopularSource(roster=liked, limit=2)
    assert liked.names_of(source.candidates(query(liked, seen="c"))) == ["b", "c", "d"]


def test_fresh_source_gives_the_newest_first_and_the_undated_last() -> None:
    found = FreshSource(roster=FOUR, limit=4).candidates(query())
    assert FOUR.names_of(found) == ["c", "a", "b", "d"]


def test_sources_reach_as_far_as_the_feed_is_long() -> None:
    assert len(FreshSource(roster=FOUR, limit=1).candidates(query(size=3))) == 3
    liked = roster(SHELF, **dict.fromkeys("abcd", 1))
    assert len(PopularSource(roster=liked, limit=1).candidates(query(size=3))) == 3
    interest = InterestSource(index=INDEX, roster=FOUR, limit=1)
    assert len(interest.candidates(query(size=3, state=LOVES_A))) == 3


def test_a_limit_of_0_turns_a_source_off() -> None:
    assert not len(FreshSource(roster=FOUR, limit=0).candidates(query()))
    assert not len(PopularSource(roster=roster(SHELF, a=1), limit=0).candidates(query()))


def test_filters() -> None:
    liked = roster(SHELF, a=1, x=1)
    known_and_unknown_N = numbers("a", "x", of=liked)
    assert CatalogueFilter(roster=liked).keeps(query(), known_and_unknown_N).tolist() == [True, False]
    assert SeenFilter().keeps(query(liked, seen="xb"), known_and_unknown_N).tolist() == [True, False]


def test_model_score_is_the_scorers() -> None:
    stage = ModelScore(scorer=FakeScorer("abcd", VECTORS_VD), shelf=SHELF)
    assert stage.score(query(state=LOVES_A), numbers("d", "a")).tolist() == [-1.0, 1.0]


def test_model_explains_by_weights_and_history() -> None:
    stage = ModelScore(scorer=FakeScorer("abcd", VECTORS_VD), shelf=SHELF)
    state = FakeState(np.array([1, 0], np.float32), history=[1, 2])
    (reasons,) = stage.explain(query(state=state), numbers("a"))
    assert reasons.modality_weights == {"visual": 0.75, "text": 0.25}
    assert [e.video_id for e in reasons.evidence] == ["b", "c"]
    assert [e.similarity for e in reasons.evidence] == [pytest.approx(0.8), 0.0]


def test_model_that_gives_no_numbers() -> None:
    stage = ModelScore(scorer=FakeScorer("abcd", VECTORS_VD * np.nan), shelf=SHELF)
    with pytest.raises(ArtifactError, match="scores are not finite: train again"):
        stage.score(query(state=LOVES_A), numbers("a"))


def test_popular_score_puts_todays_upload_above_one_like() -> None:
    stage = PopularScore(roster=roster(SHELF, a=3, d=1), half_life_days=1)
    a, c, d = stage.score(query(), numbers("a", "c", "d"))
    assert a == pytest.approx(np.log(4) + 0.5)
    assert c == pytest.approx(1)
    assert d == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("popularity_weight", "freshness_weight", "expected"),
    [
        (0.0, 0.0, [-1, 1]),
        # log(1 + 3) / log(1 + 3) and log(1 + 1) / log(1 + 3)
        (2.0, 0.0, [-1 + 2 * 1, 1 + 2 * 0.5]),
        # one day and two days old, halved each day
        (0.0, 4.0, [-1 + 4 / 2, 1 + 4 / 4]),
    ],
)
def test_blend_adds_weighted_terms_to_the_standardised_score(
    popularity_weight: float, freshness_weight: float, expected: list[float]
) -> None:
    stage = WeightedBlend(
        roster=roster(SHELF, a=3, b=1),
        popularity_weight=popularity_weight,
        freshness_weight=freshness_weight,
        half_life_days=1,
    )
    blended_N = stage.blend(query(), numbers("a", "b"), np.array([10, 30], np.float32))
    assert blended_N.tolist() == pytest.approx(expected)


def test_blend_adds_what_the_model_predicts_by_its_weights() -> None:
    class FakePredictor(FakeScorer):
        def predict(self, state: FakeState, videos_N: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
            return {"like": np.array([0.5, 0.1], np.float32), "skip": np.array([0.2, 0.8], np.float32)}

    def blended(**weights: float) -> list[float]:
        stage = WeightedBlend(
            roster=FOUR,
            popularity_weight=0,
            freshness_weight=0,
            half_life_days=1,
            scorer=FakePredictor("abcd", VECTORS_VD),  # type: ignore[arg-type]
            action_weights=weights,
        )
        scores_N = np.array([30, 10], np.float32)
        return stage.blend(query(state=LOVES_A), numbers("a", "b"), scores_N).tolist()

    assert blended(like=0.0, skip=0.0) == [1, -1]
    assert blended(like=10.0, skip=-5.0) == pytest.approx([1 + 5 - 1, -1 + 1 - 4])


def test_blend_does_not_move_with_the_models_scale() -> None:
    stage = WeightedBlend(roster=roster(SHELF, a=1), popularity_weight=1, freshness_weight=1, half_life_days=1)
    scores_N = np.array([1, 2, 4], np.float32)
    small_N = stage.blend(query(), numbers("a", "b", "c"), scores_N)
    large_N = stage.blend(query(), numbers("a", "b", "c"), 1000 * scores_N + 50)
    np.testing.assert_allclose(small_N, large_N, rtol=1e-4)
