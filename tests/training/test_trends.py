"""What everybody made of each video: only from the past, worked out by hand, and nothing for a new upload."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from swipewise.training.dataset import Interactions, no_interactions
from swipewise.training.trends import DAY_MS, STATISTICS, WINDOWS_DAYS, Trends
from tests.training.hand_made import dataset_of

VIDEOS = 6


def rows_of(*rows: tuple[int, float, bool]) -> Interactions:
    """(video, day, liked) of one viewer each."""
    drawn = [(row, video, int(day * DAY_MS), good) for row, (video, day, good) in enumerate(rows)]
    return dataset_of(drawn, viewers=len(rows), uploaded=[0] * VIDEOS).interactions


def random_log(days: float = 9.0, rows: int = 300) -> Interactions:
    rng = np.random.default_rng(0)
    return rows_of(
        *((int(rng.integers(VIDEOS)), float(day), bool(rng.random() < 0.4)) for day in rng.random(rows) * days)
    )


def always() -> np.ndarray:
    return np.zeros(VIDEOS, np.int64)


def statistic(trends: Trends, moment: int, video: int, days: float | None, kind: int) -> float:
    """kind 0: how much it is shown, 1: how well it is received."""
    return float(trends.values_GVS[moment, video, 2 * WINDOWS_DAYS.index(days) + kind])


def test_moments_are_a_day_apart_from_the_first_event_to_the_end_of_the_last() -> None:
    trends = Trends.of(rows_of((0, 1.0, True), (1, 3.5, False)), always())
    assert trends.moments_G.tolist() == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS, int(3.5 * DAY_MS) + 1]
    assert trends.values_GVS.shape == (4, VIDEOS, STATISTICS)
    assert np.array_equal(trends.latest_VS, trends.values_GVS[-1])


def test_a_long_log_has_its_moments_further_apart() -> None:
    trends = Trends.of(rows_of((0, 0.0, True), (1, 1000.0, False)), always())
    assert len(trends.moments_G) <= 66
    assert (np.diff(trends.moments_G)[:-1] == np.diff(trends.moments_G)[0]).all()


def test_shares_of_exposures_and_of_positives_by_hand() -> None:
    """At the end two of three exposures were video 0's, where one in six was to be expected."""
    trends = Trends.of(rows_of((0, 0.0, True), (0, 0.1, False), (1, 0.2, False)), always())
    share = 1 / 3
    for days in WINDOWS_DAYS:
        assert statistic(trends, -1, 0, days, 0) == pytest.approx(log((2 + 0.3) / (3 / 6 + 0.3)), abs=1e-6)
        assert statistic(trends, -1, 2, days, 0) == pytest.approx(log(0.3 / (3 / 6 + 0.3)), abs=1e-6)
        # Held to everybody's share by eight exposures that nobody made.
        liked = log((1 + 8 * share + 1e-3) / ((2 + 8) * share + 1e-3))
        assert statistic(trends, -1, 0, days, 1) == pytest.approx(liked, abs=1e-6)
        assert statistic(trends, -1, 2, days, 1) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("age", "counted"), [(0.5, {1.0, 3.0, None}), (2.0, {3.0, None}), (5.0, {None})])
def test_an_event_counts_in_the_windows_that_reach_back_to_it(age: float, counted: set[float | None]) -> None:
    """The last event, of another video, ends the log at day 10."""
    plain = Trends.of(rows_of((0, 0.0, False), (1, 10.0, False)), always())
    more = Trends.of(rows_of((0, 0.0, False), (2, 10.0 - age, True), (1, 10.0, False)), always())
    moved = {
        days for days in WINDOWS_DAYS if statistic(more, -1, 2, days, 0) > statistic(plain, -1, 2, days, 0) + 0.1
    }
    assert moved == counted


def test_nothing_at_or_after_a_moment_has_influence_on_it() -> None:
    rows = random_log()
    whole = Trends.of(rows, always())
    rng = np.random.default_rng(1)
    for place, moment in enumerate(whole.moments_G):
        later_I = rows.at_I >= moment
        turned = replace(
            rows,
            video_I=np.where(later_I, rng.permutation(rows.video_I), rows.video_I),
            positive_I=rows.positive_I ^ later_I,
        )
        other = Trends.of(turned, always())
        assert np.array_equal(other.moments_G, whole.moments_G)
        assert np.array_equal(other.values_GVS[: place + 1], whole.values_GVS[: place + 1])
        if later_I.any():
            assert not np.array_equal(other.latest_VS, whole.latest_VS)


def test_an_event_exactly_at_a_moment_is_not_before_it() -> None:
    trends = Trends.of(rows_of((0, 0.0, False), (1, 1.0, True), (0, 2.5, False)), always())
    assert trends.moments_G[1] == DAY_MS
    without = Trends.of(rows_of((0, 0.0, False), (2, 1.5, True), (0, 2.5, False)), always())
    assert np.array_equal(trends.values_GVS[1], without.values_GVS[1])
    assert not np.array_equal(trends.values_GVS[2], without.values_GVS[2])


def test_of_the_first_moment_and_of_a_video_that_is_not_there_yet_nothing_is_known() -> None:
    uploaded_V = np.array([0, 0, 0, 0, 0, 5 * DAY_MS])
    rows = random_log()
    rows = rows.where((rows.video_I != 5) | (rows.at_I >= 5 * DAY_MS))
    trends = Trends.of(rows, uploaded_V)
    assert (trends.values_GVS[0] == 0).all()
    early_G = trends.moments_G <= 5 * DAY_MS
    assert 0 < early_G.sum() < len(early_G) - 1
    assert (trends.values_GVS[early_G, 5] == 0).all()
    assert np.ptp(trends.values_GVS[early_G][-1, :5]) > 0
    assert trends.values_GVS[~early_G, 5].any(axis=1).all()


def test_a_young_video_is_held_against_the_time_it_was_there() -> None:
    """Shown as often as the others a day, but for half the time only, it is as popular as they are."""
    rows = rows_of(*((video, step / 10, False) for step in range(40) for video in range(2)))
    rows = rows.where((rows.video_I == 0) | (rows.at_I >= 2 * DAY_MS))
    uploaded_V = np.array([0, 2 * DAY_MS, *[10 * DAY_MS] * 4])
    old, young = (statistic(Trends.of(rows, uploaded_V), -1, video, None, 0) for video in (0, 1))
    assert young == pytest.approx(old, abs=0.05)
    assert statistic(Trends.of(rows, always()), -1, 1, None, 0) < statistic(
        Trends.of(rows, always()), -1, 0, None, 0
    )


def test_times_find_the_last_moment_at_or_before_them() -> None:
    trends = Trends.of(rows_of((0, 1.0, True), (1, 3.5, False)), always())
    end = int(3.5 * DAY_MS)
    at_T = np.array([0, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS, end, end + 1, 10**15])
    assert trends.places(at_T).tolist() == [0, 0, 0, 1, 2, 3, 3]


def test_only_the_last_moment_is_the_same_as_the_last_of_all() -> None:
    rows = random_log()
    last = Trends.of(rows, always(), last_only=True)
    assert last.moments_G.tolist() == [int(rows.at_I.max()) + 1]
    assert np.array_equal(last.latest_VS, Trends.of(rows, always()).latest_VS)


def test_where_nothing_happened_nothing_is_known() -> None:
    trends = Trends.of(no_interactions(), always())
    assert not trends.latest_VS.any()
    assert trends.latest_VS.shape == (VIDEOS, STATISTICS)
    assert trends.places(np.array([0, 10**15])).tolist() == [0, 0]


def test_a_log_in_which_nothing_was_liked_is_finite() -> None:
    assert np.isfinite(Trends.of(rows_of((0, 0.0, False), (1, 4.0, False)), always()).values_GVS).all()
