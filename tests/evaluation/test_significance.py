import numpy as np
import pytest
from scipy.stats import permutation_test

from swipewise.evaluation.significance import holm, sign_flip_p


def test_the_exact_p_value_by_hand() -> None:
    # Signs of 1, 2, 4: sums +-7, +-5, +-3, +-1, each once. Observed 1 + 2 - 4 = -1: all 8 are as extreme;
    # 1 - 2 + 4 = 3: 6 of 8; 1 + 2 + 4 = 7: 2 of 8.
    columns = np.array([[1.0, 1.0, 1.0], [2.0, -2.0, 2.0], [-4.0, 4.0, 4.0]])
    assert sign_flip_p(columns).tolist() == [1.0, 6 / 8, 2 / 8]


def test_viewers_without_a_difference_change_nothing() -> None:
    few = np.array([[1.0], [2.0], [4.0]])
    many = np.concatenate([few, np.zeros((500, 1))])
    assert sign_flip_p(many).tolist() == sign_flip_p(few).tolist()


def test_no_difference_at_all_is_chance() -> None:
    assert sign_flip_p(np.zeros((40, 2))).tolist() == [1.0, 1.0]


def test_random_signs_agree_with_all_of_them_and_with_scipy() -> None:
    differences = np.random.default_rng(0).normal(0.5, 1.0, (12, 1))
    exact = sign_flip_p(differences)[0]
    drawn = sign_flip_p(differences, flips=4095)[0]
    reference = permutation_test(
        (differences[:, 0],), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue
    assert exact == pytest.approx(reference)
    assert drawn == pytest.approx(exact, abs=3 * np.sqrt(exact / 4095))


def test_random_signs_never_say_never_and_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = np.full((60, 1), 0.3)
    assert sign_flip_p(clear, flips=999).tolist() == [1 / 1000]
    noise = np.random.default_rng(1).normal(0.2, 1.0, (60, 2))
    whole = sign_flip_p(noise, flips=2000)
    monkeypatch.setattr("swipewise.evaluation.significance._BLOCK_SIGNS", 6000)
    assert sign_flip_p(noise, flips=2000) == pytest.approx(whole, abs=0.05)
    assert (sign_flip_p(noise, flips=2000) == sign_flip_p(noise, flips=2000)).all()


def test_true_null_hypotheses_are_rejected_as_often_as_promised() -> None:
    null = np.random.default_rng(2).standard_t(3, (40, 400))
    rejected = (sign_flip_p(null, flips=500) < 0.05).mean()
    assert rejected == pytest.approx(0.05, abs=0.03)


def test_holm_by_hand() -> None:
    # 0.01 * 4, then 0.02 * 3, then max(0.06, 0.025 * 2), then max(0.06, 0.9 * 1).
    assert holm(np.array([0.02, 0.9, 0.01, 0.025])) == pytest.approx([0.06, 0.9, 0.04, 0.06])


def test_holm_never_exceeds_one_and_leaves_a_single_test_alone() -> None:
    assert holm(np.array([0.7, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert len(holm(np.zeros(0))) == 0
