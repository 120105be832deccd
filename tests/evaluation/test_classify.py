"""Against definitions by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_curve, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from swipewise.evaluation.classify import (
    ResampledAuc,
    auc,
    auc_by_group,
    best_f1_threshold,
    log_loss,
    reliability,
)

RNG = np.random.default_rng(0)
PROBABILITY = RNG.integers(0, 40, 2000) / 40  # many ties
HAPPENED = RNG.random(2000) < PROBABILITY
VIEWER = RNG.integers(0, 60, 2000)


def test_auc_agrees_with_scikit_learn_with_many_ties() -> None:
    assert auc(PROBABILITY, HAPPENED) == pytest.approx(roc_auc_score(HAPPENED, PROBABILITY))


def test_auc_needs_both_kinds() -> None:
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([True, True])))
    assert np.isnan(auc(np.zeros(0), np.zeros(0, bool)))


def test_auc_of_each_viewer_agrees_with_scikit_learn() -> None:
    shuffled = RNG.permutation(2000)
    auc_G, size_G = auc_by_group(PROBABILITY[shuffled], HAPPENED[shuffled], VIEWER[shuffled])
    for viewer in range(60):
        mine = viewer == VIEWER
        assert size_G[viewer] == mine.sum()
        assert auc_G[viewer] == pytest.approx(roc_auc_score(HAPPENED[mine], PROBABILITY[mine]))


def test_viewers_without_both_kinds_have_no_auc() -> None:
    auc_G, size_G = auc_by_group(
        np.array([0.1, 0.9, 0.3, 0.2]), np.array([True, True, True, False]), np.array([0, 0, 3, 3])
    )
    assert np.isnan(auc_G).tolist() == [True, True, True, False]
    assert (auc_G[3], size_G.tolist()) == (1.0, [2, 0, 0, 2])


def test_drawing_every_viewer_once_gives_the_auc_itself() -> None:
    statistic = ResampledAuc.of(PROBABILITY, HAPPENED, VIEWER)
    assert statistic(np.ones((1, 60)))[0] == pytest.approx(auc(PROBABILITY, HAPPENED))


def test_drawn_viewers_count_as_often_as_they_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.evaluation.classify._BLOCK_WEIGHTS", 3000)  # a resample at a time
    times = RNG.integers(0, 4, (5, 60)).astype(float)
    found = ResampledAuc.of(PROBABILITY, HAPPENED, VIEWER)(times)
    expected = [roc_auc_score(HAPPENED, PROBABILITY, sample_weight=row[VIEWER]) for row in times]
    assert found == pytest.approx(expected)


def test_a_draw_without_a_positive_has_no_auc() -> None:
    statistic = ResampledAuc.of(np.array([0.2, 0.8]), np.array([False, True]), np.array([0, 1]))
    found = statistic(np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(found).tolist() == [True, False]
    assert found[1] == 1.0


def test_the_threshold_has_the_best_f1_of_all() -> None:
    threshold = best_f1_threshold(PROBABILITY, HAPPENED)
    precision, recall, _ = precision_recall_curve(HAPPENED, PROBABILITY)
    best = (2 * precision * recall / (precision + recall)).max()
    called = [probability >= threshold for probability in PROBABILITY]
    assert f1_score(HAPPENED, called) == pytest.approx(best)


def test_equal_probabilities_are_called_alike() -> None:
    # Called together, the ties give F1 2 * 1 / (3 + 1); the first of them alone would give 1, which no threshold does.
    assert best_f1_threshold(np.array([0.5, 0.5, 0.5]), np.array([True, False, False])) == 0.5


def test_log_loss_agrees_with_scikit_learn() -> None:
    inside = PROBABILITY * 0.9 + 0.05
    assert log_loss(inside, HAPPENED).mean() == pytest.approx(sklearn_log_loss(HAPPENED, inside))


def test_certain_and_wrong_is_bad_but_not_infinite() -> None:
    assert log_loss(np.array([0.0, 1.0]), np.array([True, False])) == pytest.approx([-np.log(1e-7)] * 2)


def test_reliability_by_hand() -> None:
    found = reliability(np.array([0.9, 0.1, 0.2, 0.7]), np.array([True, False, True, True]), bins=2)
    assert found.predicted_K == pytest.approx([0.15, 0.8])
    assert found.observed_K.tolist() == [0.5, 1.0]
    assert found.count_K.tolist() == [2, 2]
    assert found.error == pytest.approx((0.35 * 2 + 0.2 * 2) / 4)


def test_bins_hold_equally_many_whatever_the_order() -> None:
    found = reliability(PROBABILITY, HAPPENED)
    assert len(found.count_K) == 15
    assert found.count_K.max() - found.count_K.min() <= 1
    shuffled = RNG.permutation(2000)
    again = reliability(PROBABILITY[shuffled], HAPPENED[shuffled])
    assert again.observed_K == pytest.approx(found.observed_K)
    assert (found.observed_K * found.count_K).sum() == pytest.approx(HAPPENED.sum())


def test_probabilities_that_keep_their_promise_have_a_small_error_and_others_not() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(30_000)
    happened = rng.random(30_000) < probability
    assert reliability(probability, happened).error < 0.02
    assert reliability(probability**2, happened).error == pytest.approx(1 / 2 - 1 / 3, abs=0.02)


def test_fewer_exposures_than_bins() -> None:
    assert reliability(np.array([0.5, 0.5]), np.array([True, False])).count_K.tolist() == [1, 1]
