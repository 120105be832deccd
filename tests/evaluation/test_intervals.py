import numpy as np
import pytest

from swipewise.evaluation.intervals import bootstrap, bootstrap_means, estimate, ratio


def test_the_interval_of_a_mean_is_about_two_standard_errors_each_way() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (400, 1))
    found = estimate(values.mean(), bootstrap_means(values)[:, 0])
    error = values.std() / np.sqrt(400)
    assert found.value == values.mean()
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.2 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.2 * error)


def test_intervals_hold_the_truth_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(300):
        values = rng.exponential(1.0, (100, 1))
        found = estimate(values.mean(), bootstrap_means(values, resamples=500, seed=trial)[:, 0])
        held += found.low <= 1.0 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    values = np.random.default_rng(2).random((50, 2))
    assert (bootstrap_means(values, seed=5) == bootstrap_means(values, seed=5)).all()
    assert (bootstrap_means(values, seed=5) != bootstrap_means(values, seed=6)).any()


def test_columns_see_the_same_viewers() -> None:
    column = np.random.default_rng(3).random(80)
    means = bootstrap_means(np.stack([column, column + 0.25], axis=1))
    assert np.ptp(means[:, 1] - means[:, 0]) == pytest.approx(0.0, abs=1e-12)


def test_many_resamples_of_many_viewers_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.evaluation.intervals._BLOCK_DRAWS", 100)
    values = np.arange(30.0)[:, None]
    means = bootstrap_means(values, resamples=1000)[:, 0]
    assert means.mean() == pytest.approx(14.5, abs=0.3)
    assert len(np.unique(means)) > 200


def test_one_viewer_has_no_width() -> None:
    found = estimate(0.5, bootstrap_means(np.array([[0.5]]))[:, 0])
    assert (found.low, found.high) == (0.5, 0.5)


def test_a_ratio_is_paired_by_resample() -> None:
    theirs = np.array([1.0, 2.0, 4.0])
    found = ratio(6.0, 2.0, 3 * theirs, theirs)
    assert found is not None
    assert found.as_dict() == {"value": 3.0, "low": 3.0, "high": 3.0}


def test_a_ratio_to_nothing_says_nothing() -> None:
    assert ratio(0.5, 0.0, np.ones(3), np.zeros(3)) is None


def test_resamples_without_a_denominator_are_left_out_of_a_ratio() -> None:
    found = ratio(1.0, 0.5, np.ones(4), np.array([0.5, 0.5, 0.0, 0.5]))
    assert found is not None
    assert found.as_dict() == {"value": 2.0, "low": 2.0, "high": 2.0}


def test_no_finite_resample_leaves_the_interval_open() -> None:
    found = estimate(1.0, np.array([np.nan]))
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_any_statistic_sees_the_same_draws_as_the_means() -> None:
    values = np.random.default_rng(4).random((40, 1))
    totals = bootstrap(40, lambda times_SB: times_SB @ values, resamples=50)
    assert (totals / 40 == bootstrap_means(values, resamples=50)).all()
