"""Logits that lie become probabilities that hold.

Legend of shape suffixes: I = exposures, A = actions.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.training.calibration import Calibration

EXPOSURES = 20_000
SCALE_A, SHIFT_A = np.array([0.5, 2.0, 1.0]), np.array([-1.0, 0.7, 0.0])


def sigmoid(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return 1 / (1 + np.exp(-x))


def biased() -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.floating]]:
    """Logits that overstate, understate and tell the truth; what happened; the truth."""
    rng = np.random.default_rng(0)
    truth_IA = rng.normal(-0.5, 1.5, (EXPOSURES, 3))
    happened_IA = rng.random(truth_IA.shape) < sigmoid(truth_IA)
    return ((truth_IA - SHIFT_A) / SCALE_A).astype(np.float32), happened_IA, sigmoid(truth_IA)


def test_biased_logits_are_mapped_back_an_action_at_a_time() -> None:
    logits_IA, happened_IA, truth_IA = biased()
    fitted = Calibration.fit(logits_IA, happened_IA)
    assert fitted.scale_A == pytest.approx(SCALE_A, abs=0.06)
    assert fitted.shift_A == pytest.approx(SHIFT_A, abs=0.06)
    probability_IA = fitted(logits_IA)
    assert probability_IA.dtype == np.float32
    assert np.abs(probability_IA - truth_IA).max() < 0.03
    # What the untouched logits claim is off by far.
    assert np.abs(Calibration.none(3)(logits_IA) - truth_IA).mean(axis=0)[:2].min() > 0.05


def test_the_mean_probability_is_the_share_that_happened() -> None:
    logits_IA, happened_IA, _ = biased()
    fitted = Calibration.fit(logits_IA, happened_IA)
    assert fitted(logits_IA).mean(axis=0) == pytest.approx(happened_IA.mean(axis=0), abs=1e-3)


def test_logits_that_tell_the_opposite_are_turned_round() -> None:
    logits_IA, happened_IA, truth_IA = biased()
    fitted = Calibration.fit(-logits_IA, happened_IA)
    assert np.abs(fitted(-logits_IA) - truth_IA).max() < 0.03


@pytest.mark.parametrize(("happened", "fits"), [(0, False), (9, False), (10, True), (190, True), (191, False)])
def test_logits_of_an_action_of_which_too_little_was_seen_are_only_shifted(happened: int, fits: bool) -> None:
    logits_IA = np.random.default_rng(0).normal(2, 1, (200, 1)).astype(np.float32)
    happened_IA = np.arange(200)[:, None] < happened
    fitted = Calibration.fit(logits_IA, happened_IA)
    assert (fitted.scale_A.tolist() != [1.0]) == fits
    if not fits:
        assert fitted(logits_IA).mean() == pytest.approx((happened + 0.5) / 201, rel=1e-4)


def test_what_was_told_nowhere_keeps_its_logits() -> None:
    logits_IA = np.full((50, 1), 2.0, np.float32)
    fitted = Calibration.fit(logits_IA, np.zeros((50, 1), bool), np.zeros((50, 1), bool))
    assert fitted.as_dict() == Calibration.none(1).as_dict()


def test_without_a_fit_probabilities_are_those_of_the_logits() -> None:
    logits_IA = np.array([[0.0, 2.0], [-3.0, 1.0]], np.float32)
    assert Calibration.none(2)(logits_IA) == pytest.approx(sigmoid(logits_IA))


def test_perfectly_separated_actions_and_wild_logits_give_probabilities_all_the_same() -> None:
    logits_IA = np.linspace(-1e4, 1e4, 100, dtype=np.float32)[:, None]
    fitted = Calibration.fit(logits_IA, logits_IA > 0)
    probability_IA = fitted(logits_IA)
    assert np.isfinite(fitted.scale_A).all()
    assert ((probability_IA >= 0) & (probability_IA <= 1)).all()
    assert (probability_IA[-40:] > 0.99).all()


def test_no_exposures_are_nothing_to_fit() -> None:
    fitted = Calibration.fit(np.zeros((0, 2), np.float32), np.zeros((0, 2), bool))
    assert fitted.as_dict() == Calibration.none(2).as_dict()
    assert fitted(np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_a_calibration_survives_json() -> None:
    logits_IA, happened_IA, _ = biased()
    fitted = Calibration.fit(logits_IA, happened_IA)
    back = Calibration.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert np.array_equal(back(logits_IA), fitted(logits_IA))
