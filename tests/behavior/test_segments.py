"""Segments are the groups that a world planted; what sets them apart is what was planted in them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from swipewise.behavior.segments import Segmentation, describe_segments, segment_trend, segment_viewers
from swipewise.errors import DataError
from swipewise.simulate.world import World, WorldConfig
from tests.behavior.planted import learned_tastes, planted

GROUPS = 6
CONFIG = WorldConfig(seed=21, videos=300, viewers=300, taste_groups=GROUPS, shifting_viewers=0.0)


@pytest.fixture(scope="module")
def found() -> tuple[World, NDArray[np.float64], NDArray[np.int64], Segmentation]:
    world, log = planted(CONFIG)
    _, taste_UT = learned_tastes(log)
    interactions_U = np.diff(log.offsets())
    return world, taste_UT, interactions_U, segment_viewers(taste_UT, interactions_U)


def test_segments_are_the_planted_groups(
    found: tuple[World, NDArray[np.float64], NDArray[np.int64], Segmentation],
) -> None:
    world, _, interactions_U, segments = found
    in_one_U = segments.segment_U > 0
    assert in_one_U.tolist() == (interactions_U >= 10).tolist()
    assert adjusted_rand_score(world.taste_group_U[in_one_U], segments.segment_U[in_one_U]) >= 0.8
    assert segments.count == GROUPS
    assert segments.count == min(segments.criterion, key=segments.criterion.__getitem__)
    sizes = np.bincount(segments.segment_U)[1:]
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_the_same_seed_finds_the_same_segments(
    found: tuple[World, NDArray[np.float64], NDArray[np.int64], Segmentation],
) -> None:
    _, taste_UT, interactions_U, segments = found
    again = segment_viewers(taste_UT, interactions_U)
    assert again.segment_U.tolist() == segments.segment_U.tolist()
    assert again.criterion == segments.criterion


def test_viewers_who_are_all_alike_are_one_segment() -> None:
    taste_UT = np.random.default_rng(0).standard_normal((300, 4))
    assert segment_viewers(taste_UT, np.full(300, 10)).count == 1
    assert segment_viewers(np.ones((50, 3)), np.full(50, 10)).count == 1


def test_at_most_as_many_as_asked_for_and_those_known_enough() -> None:
    taste_UT = np.repeat(10 * np.eye(4), 30, axis=0) + np.random.default_rng(0).standard_normal((120, 4))
    interactions_U = np.where(np.arange(120) % 3, 5, 4)
    found = segment_viewers(taste_UT, interactions_U, least=5, most=3)
    assert found.count == 3
    assert (found.segment_U[interactions_U < 5] == 0).all()
    assert segment_viewers(taste_UT, interactions_U, least=4, count=2).count == 2
    whole = segment_viewers(taste_UT, interactions_U, least=4)
    assert adjusted_rand_score(np.repeat(range(4), 30), whole.segment_U) == 1.0


def test_too_few_viewers_say_how_many_are_needed() -> None:
    with pytest.raises(
        DataError, match="19 viewers with 10 interactions or more are too few to tell segments, 20 are"
    ):
        segment_viewers(np.zeros((30, 2)), np.array([10] * 19 + [9] * 11))


def test_a_segment_is_described_by_what_it_likes_beyond_what_is_usual() -> None:
    taste_UT = np.array([[2.0, 0.0, 1.0], [2.0, 0.0, 1.0], [0.0, 1.0, 1.0], [9.0, 9.0, 9.0]])
    table = describe_segments(np.array([1, 1, 2, 0]), taste_UT, ["cats", "dogs", "birds"])
    assert table.select("segment", "viewers", "share").rows() == [(1, 2, 2 / 3), (2, 1, 1 / 3)]
    assert table["topics"].to_list() == [["cats"], ["dogs"]]
    # Of cats the usual is 4/3, of dogs 1/3.
    assert table["lifts"].to_list() == [[pytest.approx(np.exp(2 / 3))], [pytest.approx(np.exp(2 / 3))]]
    assert describe_segments(np.zeros(4, np.int64), taste_UT, ["cats", "dogs", "birds"]).is_empty()


def test_the_trend_counts_those_who_were_active() -> None:
    members = pl.DataFrame({"viewer_id": ["ann", "bob", "cyd"], "segment": [1, 2, 0]})
    first, second = date(2026, 3, 2), date(2026, 3, 9)
    days = pl.LazyFrame(
        {"viewer_id": ["ann", "ann", "bob", "cyd", "bob"], "day": [first, date(2026, 3, 3), first, first, second]}
    )
    assert segment_trend(members, days).rows() == [(first, 1, 1, 0.5), (first, 2, 1, 0.5), (second, 2, 1, 1.0)]
    assert len(segment_trend(members, days, every="day")) == 4
