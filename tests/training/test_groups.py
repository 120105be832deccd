"""What viewers of like profile watch, counted by hand, and what it adds to the score.

Legend of shape suffixes: B = viewers, V = videos, G = groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.schema import Modality
from swipewise.training.dataset import Interactions, no_interactions
from swipewise.training.finishing import GROUP_WEIGHTS, with_best_weights
from swipewise.training.fitted import FittedModel, Weights
from swipewise.training.groups import GroupPopularity
from swipewise.training.inference import Projected
from swipewise.training.kin import KIN
from swipewise.training.ranking import mean_ndcg, ranking_task
from swipewise.training.recommender import InterestRecommender
from tests.training.hand_made import dataset_of
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split

YOUNG, OLD, NORTH = 1, 2, 3
PROFILES = np.array([[YOUNG, NORTH], [YOUNG, NORTH], [OLD, 0], [OLD, NORTH]])
EVERYBODY, EVERYTHING = np.arange(60), np.arange(60)


def rows_of(*rows: tuple[int, int, bool]) -> Interactions:
    """(viewer, video, liked)."""
    drawn = [(viewer, video, at, good) for at, (viewer, video, good) in enumerate(rows)]
    return dataset_of(drawn, viewers=4, uploaded=[0] * 3).interactions


ROWS = rows_of((0, 0, True), (1, 0, True), (1, 1, False), (2, 1, True), (3, 1, True), (3, 2, True))


def model(**settings: Any) -> FittedModel:
    config = replace(tiny_config().model, **{"neighbours": 0, "themes": 0} | settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FittedModel.untrained(config, tiny_split().train, {})


def test_a_lift_is_the_share_in_the_group_over_the_share_of_everybody() -> None:
    made = GroupPopularity.of(ROWS, PROFILES, 3, 3)
    # Everybody: 2 of video 0, 2.4 of video 1, 1 of video 2; six of the mean of them are the prior's worth.
    everybody_V, young_V = np.array([2, 2.4, 1]), np.array([2, 0.4, 0])
    expected_V = np.log1p(young_V / (6 * everybody_V / everybody_V.mean()))
    assert made.lift_GV.toarray()[YOUNG] == pytest.approx(expected_V, abs=1e-6)
    assert not made.lift_GV.toarray()[0].any()


def test_the_groups_of_a_viewer_add_up_and_a_viewer_of_none_has_no_lift() -> None:
    made = GroupPopularity.of(ROWS, PROFILES, 3, 3)
    lift_BV = made.lift(np.array([[YOUNG, NORTH], [YOUNG, 0], [0, NORTH], [0, 0], [99, 0]])).dense()
    assert lift_BV[0] == pytest.approx(lift_BV[1] + lift_BV[2], abs=1e-6)
    assert lift_BV[1].argmax() == 0
    assert made.lift(np.array([[OLD, 0]])).dense().argmin() == 0
    assert lift_BV.mean(axis=1) == pytest.approx(0, abs=1e-6)
    assert not lift_BV[3:].any()


def test_one_viewer_is_lifted_as_many_are() -> None:
    made, everything_N = GroupPopularity.of(ROWS, PROFILES, 3, 3), np.array([2, 0, 1, 1])
    for profile in ([YOUNG, NORTH], [OLD, 0], [0, 0]):
        alone, among = made.lift(np.array([profile])), made.lift(np.array([profile, [YOUNG, 0]]))
        assert alone.at(everything_N)[0] == pytest.approx(among.at(everything_N)[0], abs=1e-6)


def test_a_group_says_more_the_more_it_watched() -> None:
    once = GroupPopularity.of(rows_of((0, 0, True), (2, 1, True), (2, 2, True)), PROFILES, 3, 3)
    twice = rows_of((0, 0, True), (1, 0, True), (2, 1, True), (2, 2, True), (3, 1, True), (3, 2, True))
    often = GroupPopularity.of(twice, PROFILES, 3, 3)
    young = np.array([[YOUNG, 0]])
    assert np.ptp(often.lift(young).dense()) > np.ptp(once.lift(young).dense())


def test_nothing_at_all_is_popular_with_nobody() -> None:
    made = GroupPopularity.of(no_interactions(), PROFILES, 3, 3)
    assert not made.lift(PROFILES).dense().any()


def test_groups_survive_their_tensors_and_broken_ones_are_an_error() -> None:
    made = GroupPopularity.of(ROWS, PROFILES, 3, 3)
    tensors = made.as_tensors()
    back = GroupPopularity.from_tensors(tensors, 3, 3)
    assert np.array_equal(back.lift(PROFILES).dense(), made.lift(PROFILES).dense())
    for broken, groups in ((tensors | {"videos": torch.full_like(tensors["videos"], 9)}, 3), (tensors, 4)):
        with pytest.raises(ValueError, match="ind"):
            GroupPopularity.from_tensors(broken, groups, 3)


def test_the_lift_adds_to_the_score_in_its_weight_and_new_videos_get_that_of_their_like() -> None:
    dataset, fitted = tiny_dataset(), model(group_weight=2.0)
    known_V = np.isin(dataset.video_ids, fitted.vocabulary.video_ids)
    assert 0 < known_V.sum() < len(known_V)
    plain = replace(fitted, weights=Weights())
    with_lift, without = (
        InterestRecommender.of(one, dataset).score(EVERYBODY, EVERYTHING) for one in (fitted, plain)
    )
    projected = Projected(fitted, dataset)
    lift = projected.interest(dataset, EVERYBODY).lift
    assert lift is not None
    lift_BV = projected._kinship.carried(lift, EVERYTHING)
    assert with_lift - without == pytest.approx(2.0 * lift_BV, abs=1e-4)
    assert np.ptp(lift_BV, axis=1).min() > 0
    unit_VD = projected.index_vectors_VD.numpy()
    unit_VD = unit_VD / np.linalg.norm(unit_VD, axis=1, keepdims=True)
    for video in np.flatnonzero(~known_V):
        kin_Q = np.argsort(-np.where(known_V, unit_VD @ unit_VD[video], -2))[:KIN]
        assert lift_BV[:, video] == pytest.approx(lift_BV[:, kin_Q].mean(axis=1), abs=1e-5)


def test_without_profiles_or_ids_there_are_no_groups() -> None:
    assert model().groups is not None
    assert model(without=("profile",)).groups is None
    content = tuple(name for name in tiny_config().model.modalities if name != Modality.ID)
    assert model(modalities=content).groups is None


def test_the_weight_is_chosen_on_the_task_unless_it_is_given() -> None:
    split = tiny_split()
    task = ranking_task(split.train, split.validation)
    made = model(group_weight=-1.0)
    assert made.weights.group == 0
    by_hand = [
        mean_ndcg(Projected(replace(made, weights=Weights(group=weight)), task.history).ranker(task.history), task)
        for weight in GROUP_WEIGHTS
    ]
    assert len(set(by_hand)) > 1
    assert with_best_weights(made, task).weights.group == GROUP_WEIGHTS[int(np.argmax(by_hand))]
    assert with_best_weights(model(group_weight=0.07), task).weights.group == 0.07
