"""Predictors with known merits on exposures whose probabilities are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from swipewise.errors import DataError
from swipewise.evaluation.actions import ActionExam, measure_actions
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.dataset import Dataset, Interactions
from tests.training.hand_made import dataset_of

VALID, TEST, END = 1000, 2000, 4000
VIEWERS = 60
LIKE, SHARE = FLAG_ACTIONS.index(Action.LIKE), FLAG_ACTIONS.index(Action.SHARE)


def chance(rows: Interactions) -> NDArray[np.float64]:
    """The probability that a viewer likes a video: some like more, and even videos more often."""
    return 0.1 + 0.3 * (rows.viewer_I % 2) + 0.4 * (rows.video_I % 2 == 0)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    rows = [(int(rng.integers(VIEWERS)), int(rng.integers(20)), at, False) for at in range(0, END, 2)]
    bare = dataset_of(rows, viewers=VIEWERS, uploaded=[0] * 20)
    actions = np.zeros_like(bare.interactions.actions_IF)
    actions[:, LIKE] = rng.random(len(rows)) < chance(bare.interactions)
    actions[-3:, SHARE] = True
    return replace(bare, interactions=replace(bare.interactions, actions_IF=actions))


class Knowing:
    """Predicts likes by a function of the exposures."""

    actions: tuple[str, ...] = ("share", "like")

    def __init__(self, like: object = chance) -> None:
        self.like = like

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        columns = {"like": self.like(exposures), "share": np.full(len(exposures), 0.01)}  # type: ignore[operator]
        return np.stack([columns[action] for action in self.actions], axis=1).astype(np.float32)


class LikesOnly(Knowing):
    actions = ("like",)


class Silent(Knowing):
    actions = ()


def by_viewer(rows: Interactions) -> NDArray[np.float64]:
    return 0.3 + 0.3 * (rows.viewer_I % 2)


def measure(dataset: Dataset, **predictors: Knowing) -> ActionExam:
    found = measure_actions(predictors, dataset, valid_start=VALID, test_start=TEST, resamples=200)
    assert found is not None
    return found


def test_figures_agree_with_scikit_learn(dataset: Dataset) -> None:
    (like,) = measure(dataset, model=Knowing()).actions
    score = like.scores["model"]
    rows = dataset.interactions
    test = rows.where(rows.at_I >= TEST)
    happened, probability = test.actions_IF[:, LIKE], chance(test).astype(np.float32)
    assert like.positives == happened.sum()
    assert score.auc.value == pytest.approx(roc_auc_score(happened, probability))
    assert score.auc.low < score.auc.value < score.auc.high
    each = {
        viewer: (roc_auc_score(happened[mine], probability[mine]), mine.sum())
        for viewer in range(VIEWERS)
        if 0 < happened[mine := test.viewer_I == viewer].sum() < mine.sum()
    }
    aucs, sizes = np.array(list(each.values())).T
    assert score.viewer_auc is not None
    assert score.viewer_auc.value == pytest.approx(aucs.mean())
    assert score.gauc is not None
    assert score.gauc.value == pytest.approx((aucs * sizes).sum() / sizes.sum())
    assert like.mixed_viewers == len(each)
    assert score.threshold is not None
    assert score.f1 is not None
    assert score.f1.value == pytest.approx(f1_score(happened, probability >= score.threshold))


def test_the_threshold_comes_from_the_validation_period_alone(dataset: Dataset) -> None:
    rows = dataset.interactions
    # What happened in the test period is turned round; the threshold must not move.
    turned = replace(rows, actions_IF=np.where((rows.at_I >= TEST)[:, None], ~rows.actions_IF, rows.actions_IF))
    before = measure(dataset, model=LikesOnly()).actions[0].scores["model"].threshold
    after = measure(replace(dataset, interactions=turned), model=LikesOnly()).actions[0].scores["model"].threshold
    assert before == after == pytest.approx(0.4)  # F1 0.71; from 0.5 on 0.68, from 0.1 on 0.62


def test_true_probabilities_are_calibrated_and_beat_the_base_rate(dataset: Dataset) -> None:
    (like,) = measure(dataset, model=Knowing(), wrong=Knowing(lambda rows: chance(rows) ** 3)).actions
    assert like.scores["model"].log_loss.value < like.base_log_loss
    assert like.scores["model"].reliability.error < 0.06 < like.scores["wrong"].reliability.error
    assert like.scores["wrong"].log_loss.value > like.scores["model"].log_loss.value
    assert like.scores["wrong"].auc.value == like.scores["model"].auc.value


def test_knowing_only_who_likes_often_helps_the_auc_but_not_within_a_viewer(dataset: Dataset) -> None:
    (like,) = measure(dataset, model=Knowing(), viewers=Knowing(by_viewer)).actions
    viewers = like.scores["viewers"]
    assert viewers.auc.low > 0.5
    assert viewers.gauc is not None
    assert viewers.gauc.value == 0.5


def test_predictors_are_compared_on_the_same_viewers(dataset: Dataset) -> None:
    exam = measure(
        dataset, model=Knowing(), twin=Knowing(lambda rows: chance(rows) / 2), viewers=Knowing(by_viewer)
    )
    twin, viewers = exam.actions[0].against
    # The same order of exposures: no difference in any resample.
    assert (twin.other, twin.auc.value, twin.auc.low, twin.auc.high) == ("twin", 0.0, 0.0, 0.0)
    assert viewers.auc.low > 0
    assert viewers.gauc is not None
    assert viewers.gauc.low > 0


def test_rare_actions_are_named_and_not_measured(dataset: Dataset) -> None:
    exam = measure(dataset, model=Knowing())
    assert [one.action for one in exam.actions] == ["like"]
    assert exam.skipped == {"share": 3}
    assert (exam.exposures, exam.viewers) == ((END - TEST) // 2, VIEWERS)


def test_a_predictor_is_only_measured_on_the_actions_it_predicts(dataset: Dataset) -> None:
    exam = measure(dataset, silent=Silent(), likes=LikesOnly())
    assert list(exam.actions[0].scores) == ["likes"]
    assert exam.actions[0].against == ()  # the first predictor says nothing about likes


def test_nobody_predicting_anything_is_no_exam(dataset: Dataset) -> None:
    assert measure_actions({}, dataset, valid_start=VALID, test_start=TEST) is None
    assert measure_actions({"silent": Silent()}, dataset, valid_start=VALID, test_start=TEST) is None
    assert measure_actions({"model": Knowing()}, dataset, valid_start=VALID, test_start=END) is None


def test_without_a_validation_period_there_is_no_threshold(dataset: Dataset) -> None:
    found = measure_actions({"model": Knowing()}, dataset, valid_start=TEST, test_start=TEST, resamples=20)
    assert found is not None
    score = found.actions[0].scores["model"]
    assert (score.threshold, score.f1) == (None, None)


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
def test_a_probability_that_is_none_is_an_error(dataset: Dataset, bad: float) -> None:
    with pytest.raises(DataError, match=r"model predicts like with probability (1\.5|-0\.1|nan)"):
        measure(dataset, model=Knowing(lambda rows: np.full(len(rows), bad)))
