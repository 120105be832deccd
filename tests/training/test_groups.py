"""What viewers of like profile watch, against a regression by hand, and what it adds to the score.

Legend of shape suffixes: B, U = viewers, V = videos, G = groups.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from swipewise.schema import Modality
from swipewise.training import groups
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


def drawn(
    viewers: int, videos: int, fields: tuple[int, ...], seed: int = 0
) -> tuple[Interactions, NDArray[np.int64]]:
    """Viewers whose first field says which part of the catalogue they like; and their groups."""
    rng = np.random.default_rng(seed)
    first = 1 + np.cumsum([0, *fields])
    profile_UP = np.stack(
        [rng.integers(low, low + count, viewers) for low, count in zip(first, fields, strict=False)], 1
    )
    likes = [
        (viewer, int(video), at, True)
        for viewer in range(viewers)
        for at, video in enumerate(
            (rng.integers(videos // 2, size=6) + profile_UP[viewer, 0] * videos // fields[0]) % videos
        )
    ]
    return dataset_of(likes, viewers=viewers, uploaded=[0] * videos).interactions, profile_UP


def regressed(
    rows: Interactions, profile_UP: NDArray[np.int64], count: int, videos: int, most: int
) -> NDArray[np.float64]:
    """The regression by its normal equations, cut to so many directions by a dense decomposition: lifts (U, V)."""
    taste_UV = np.zeros((len(profile_UP), videos))
    np.maximum.at(taste_UV, (rows.viewer_I, rows.video_I), np.where(rows.positive_I, 1.0, 0.4))
    member_UG = np.stack([(profile_UP == group).any(axis=1) for group in range(1, count + 1)], axis=1).astype(
        float
    )
    watched_U, share_V = taste_UV.sum(axis=1), taste_UV.sum(axis=0) / taste_UV.sum()
    left_GG = member_UG.T @ (member_UG * watched_U[:, None]) + 30 * np.eye(count)
    slope_GV = np.linalg.solve(left_GG, member_UG.T @ (taste_UV - np.outer(watched_U, share_V)))
    slope_GV /= np.sqrt((share_V + share_V.mean()) * share_V.mean())
    right_RV = np.linalg.svd(np.linalg.cholesky(left_GG).T @ slope_GV)[2][:most]
    lift_UV: NDArray[np.float64] = member_UG @ slope_GV @ right_RV.T @ right_RV
    return lift_UV - lift_UV.mean(axis=1, keepdims=True)


def test_a_lift_is_what_the_regression_says_of_the_groups() -> None:
    lift_UV = GroupPopularity.of(ROWS, PROFILES, 3, 3).lift(PROFILES).dense()
    assert lift_UV == pytest.approx(regressed(ROWS, PROFILES, 3, 3, 16), abs=1e-6)
    assert np.ptp(lift_UV[0]) > 0.01


def test_of_many_groups_the_directions_that_differ_most_are_kept() -> None:
    rows, profile_UP = drawn(600, 80, (4, 90))
    made = GroupPopularity.of(rows, profile_UP, 94, 80)
    assert made.value_GR.shape == (95, 16)
    lift_UV = made.lift(profile_UP).dense()
    assert lift_UV == pytest.approx(regressed(rows, profile_UP, 94, 80, 16), abs=1e-3)
    assert np.abs(lift_UV - regressed(rows, profile_UP, 94, 80, 94)).max() > 0.1


@pytest.mark.parametrize(
    ("liked_UV", "tells"),
    [
        (np.ones((60, 40), bool), False),  # everybody likes everything
        (np.eye(60, 40, dtype=bool), True),
        (np.tile(np.eye(20, dtype=bool), (3, 2)), True),
    ],
)
def test_where_directions_say_nothing_or_are_alike_the_same_log_gives_the_same_lifts(
    liked_UV: NDArray[np.bool_], tells: bool
) -> None:
    likes = [(int(viewer), int(video), 0, True) for viewer, video in np.argwhere(liked_UV)]
    rows = dataset_of(likes, viewers=60, uploaded=[0] * 40).interactions
    profile_UP = 1 + np.arange(60)[:, None] % 30
    first, second = (GroupPopularity.of(rows, profile_UP, 30, 40) for _ in range(2))
    assert np.array_equal(first.value_GR, second.value_GR)
    assert np.array_equal(first.video_VR, second.video_VR)
    lift_UV = first.lift(profile_UP).dense()
    assert np.isfinite(lift_UV).all()
    assert (np.abs(lift_UV).max() > 1e-3) == tells


def test_few_groups_and_many_videos_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    likes = [(viewer, int(video), 0, True) for viewer in range(100) for video in rng.integers(0, 20_000, 5)]
    rows = dataset_of(likes, viewers=100, uploaded=[0] * 20_000).interactions
    tracemalloc.start()
    GroupPopularity.of(rows, 1 + rng.integers(0, 6, (100, 1)), 6, 20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


def test_a_field_that_repeats_another_does_not_count_twice() -> None:
    rows, profile_UP = drawn(400, 50, (4,))
    once = GroupPopularity.of(rows, profile_UP, 4, 50).lift(profile_UP).dense()
    twice = GroupPopularity.of(rows, np.concatenate([profile_UP, profile_UP + 4], axis=1), 8, 50)
    both = twice.lift(np.concatenate([profile_UP, profile_UP + 4], axis=1)).dense()
    assert both.std() == pytest.approx(once.std(), rel=0.1)


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
    many = made.lift(np.array([[YOUNG, NORTH], [OLD, 0], [0, 0]]))
    for viewer in range(3):
        assert many.alone(viewer).at(everything_N)[0] == pytest.approx(many.at(everything_N)[viewer], abs=1e-6)
        assert many.at(everything_N)[viewer] == pytest.approx(many.dense()[viewer, everything_N], abs=1e-6)


def test_a_group_says_more_the_more_it_watched() -> None:
    once = GroupPopularity.of(rows_of((0, 0, True), (2, 1, True), (2, 2, True)), PROFILES, 3, 3)
    twice = rows_of((0, 0, True), (1, 0, True), (2, 1, True), (2, 2, True), (3, 1, True), (3, 2, True))
    often = GroupPopularity.of(twice, PROFILES, 3, 3)
    young = np.array([[YOUNG, 0]])
    assert np.ptp(often.lift(young).dense()) > np.ptp(once.lift(young).dense())


def test_of_more_groups_than_a_regression_takes_the_smallest_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, profile_UP = drawn(400, 50, (4, 300))
    monkeypatch.setattr(groups, "_MOST_GROUPS", 4)
    made = GroupPopularity.of(rows, profile_UP, 304, 50)
    assert np.flatnonzero(made.value_GR.any(axis=1)).tolist() == [1, 2, 3, 4]


def test_nothing_at_all_is_popular_with_nobody() -> None:
    for rows, profile_UP in ((no_interactions(), PROFILES), (ROWS, np.zeros_like(PROFILES))):
        made = GroupPopularity.of(rows, profile_UP, 3, 3)
        assert not made.lift(PROFILES).dense().any()
        assert made.lift(PROFILES).at(np.array([2, 0])).shape == (4, 2)


def test_groups_survive_their_tensors_and_broken_ones_are_an_error() -> None:
    made = GroupPopularity.of(ROWS, PROFILES, 3, 3)
    tensors = made.as_tensors()
    back = GroupPopularity.from_tensors(tensors, 3, 3)
    assert np.array_equal(back.lift(PROFILES).dense(), made.lift(PROFILES).dense())
    for broken, count in ((tensors | {"videos": tensors["videos"][:2]}, 3), (tensors, 4)):
        with pytest.raises(ValueError, match=f"are not those of {count} groups and 3 videos"):
            GroupPopularity.from_tensors(broken, count, 3)


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
