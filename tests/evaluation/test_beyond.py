from dataclasses import replace
from math import log2

import numpy as np
import pytest

from swipewise.evaluation.beyond import (
    BeyondAccuracy,
    attribute_distance,
    beyond_accuracy,
    content_distance,
    diversity,
    gini,
    list_means,
    popularity_percentile,
    self_information,
)
from swipewise.evaluation.protocol import Protocol, evaluate
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.ranking import NO_VIDEO
from tests.training.hand_made import TableRecommender, dataset_of

CUT = 100


def history() -> Dataset:
    """v0 is liked three times by two of three viewers, v1 once; v2 is seen by one and liked by nobody, v3 unseen."""
    rows = [(0, 0, 1, True), (0, 0, 2, True), (1, 0, 3, True), (1, 1, 4, True), (2, 2, 5, False)]
    return dataset_of(rows, viewers=4, uploaded=[0] * 4)


def test_popularity_is_the_share_of_less_liked_videos_with_ties_halved() -> None:
    assert popularity_percentile(history()).tolist() == [3.5 / 4, 2.5 / 4, 1 / 4, 1 / 4]


def test_what_few_have_met_tells_more() -> None:
    # Of three viewers and one who met all: 3/4, 2/4, 2/4 and 1/4.
    assert self_information(history()).tolist() == pytest.approx([-log2(3 / 4), 1.0, 1.0, 2.0])


def test_gini_by_hand() -> None:
    # Mean absolute difference over all ordered pairs, divided by twice the mean: (0 1 3): 2 * (1 + 3 + 2) / 9 / (8 / 3)
    assert gini(np.array([1, 0, 3])) == pytest.approx(2 * 6 / 9 / (2 * 4 / 3))
    assert gini(np.zeros(5, int)) == 0.0


def test_means_leave_empty_places_out() -> None:
    found = list_means(np.array([[0, 2], [1, NO_VIDEO], [NO_VIDEO, NO_VIDEO]]), np.array([1.0, 5.0, 9.0]))
    assert found[:2].tolist() == [5.0, 5.0]
    assert np.isnan(found[2])


def test_attributes_are_apart_by_what_only_one_has() -> None:
    codes = np.array([[1, 2, 0], [1, 3, 3], [1, 2, 2], [0, 0, 0]])
    dataset = replace(history(), attributes_VA=codes, attribute_values=("tags=a", "tags=b", "tags=c"))
    distance = attribute_distance(dataset)
    assert distance is not None
    found = distance(np.array([0, 0, 0, 3]), np.array([1, 2, 3, 3]))
    assert found[:3].tolist() == pytest.approx([1 - 1 / 3, 0.0, 1.0])
    assert np.isnan(found[3])
    assert attribute_distance(history()) is None


def test_content_is_apart_by_direction_from_the_mean_in_what_both_have() -> None:
    # Around the mean (1, 1): v0 and v1 are opposites, v2 and v3 too, the others at right angles.
    visual = ContentFeature(
        values_VD=np.array([[2, 1], [0, 1], [1, 2], [1, 0]], np.float32), present_V=np.ones(4, bool)
    )
    text = ContentFeature(
        values_VD=np.array([[1], [2], [0], [0]], np.float32), present_V=np.array([True, True, False, False])
    )
    distance = content_distance(replace(history(), content={"visual": visual}))
    both = content_distance(replace(history(), content={"visual": visual, "text": text}))
    silent = content_distance(replace(history(), content={"text": replace(text, present_V=np.zeros(4, bool))}))
    assert distance is not None
    assert both is not None
    a, b = np.array([0, 0, 0]), np.array([0, 1, 2])
    assert distance(a, b).tolist() == pytest.approx([0.0, 2.0, 1.0])
    assert both(a, b).tolist() == pytest.approx([0.0, 2.0, 1.0])  # v2 has no text: the picture alone speaks
    assert silent is None


def test_diversity_is_the_mean_over_known_pairs() -> None:
    lists = np.array([[0, 1, 3], [0, NO_VIDEO, NO_VIDEO], [2, 1, NO_VIDEO]])

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.abs(a - b).astype(float)

    found = diversity(lists, apart)
    assert found[[0, 2]].tolist() == [(1 + 3 + 2) / 3, 1.0]
    assert np.isnan(found[1])


def examined(scores: list[float], *, all_candidates: bool = False) -> BeyondAccuracy:
    """Two viewers with 20 videos, of which v19 is uploaded after they have left; both like v1 at last."""
    rows = [(0, 0, 1, True), (1, 0, 2, True), (2, 1, 3, True), (0, 1, 110, True), (1, 1, 120, True)]
    dataset = dataset_of(rows, viewers=3, uploaded=[0] * 19 + [500])
    protocol = Protocol.at(dataset, CUT, all_candidates=all_candidates)
    return beyond_accuracy([evaluate(TableRecommender([scores] * 3), protocol)], protocol)


def test_a_recommender_with_one_list_for_all_covers_ten_videos() -> None:
    found = examined([float(n) for n in range(20)])
    assert found.candidates == 19
    (lists,) = found.recommenders
    assert lists.coverage == 10 / 19
    assert lists.gini == pytest.approx(9 / 19)  # ten share all, nine have none
    assert lists.popularity is not None
    assert lists.popularity.value == pytest.approx(9 / 20)  # 18 videos that nobody liked share ranks 1 to 18
    assert lists.novelty is not None
    assert lists.novelty.value == 2.0  # -log2(1 / 4)
    assert (lists.content_diversity, lists.attribute_diversity) == (None, None)
    assert found.liked_popularity is not None
    assert found.liked_popularity.value == pytest.approx(18.5 / 20)


def test_every_video_counts_where_every_video_is_a_candidate() -> None:
    assert examined([0.0] * 20, all_candidates=True).candidates == 20
