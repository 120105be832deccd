"""Rankings over a hand-made data set of viewers 0.. and videos 0..; times are plain numbers of milliseconds."""

from math import log2

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.training.ranking import (
    NO_VIDEO,
    hits_of,
    mean_ndcg,
    ndcg_at_k,
    rank_hits,
    ranking_task,
    recall_at_k,
    reciprocal_rank,
    top_k_unseen,
)
from swipewise.training.recommender import InterestRecommender
from tests.training.hand_made import dataset_of
from tests.training.tiny import tiny_config, tiny_split


def by_index(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
    """Prefers high video indices, for every viewer."""
    return np.tile(videos_N.astype(np.float32), (len(viewers_B), 1))


def all_equal(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.zeros((len(viewers_B), len(videos_N)), np.float32)


def test_best_unseen_videos_come_first_and_missing_ones_are_marked() -> None:
    dataset = dataset_of([(0, 4, 10, True), (1, 0, 10, False), (1, 3, 11, True)], viewers=3, uploaded=[0] * 5)
    best = top_k_unseen(by_index, dataset, np.array([0, 1, 2]), 4)
    assert best.tolist() == [[3, 2, 1, 0], [4, 2, 1, NO_VIDEO], [4, 3, 2, 1]]


def test_scores_may_lie_in_memory_in_any_order_and_are_not_changed() -> None:
    dataset = dataset_of([(0, 4, 10, True), (1, 0, 10, False), (1, 3, 11, True)], viewers=3, uploaded=[0] * 5)
    expected = top_k_unseen(by_index, dataset, np.array([0, 1, 2]), 4).tolist()
    scores_BV = np.asfortranarray(by_index(np.arange(3), np.arange(5)))
    for kept in (scores_BV, np.broadcast_to(np.arange(5, dtype=np.float32), (3, 5))):
        before = kept.copy()
        assert top_k_unseen(lambda _b, _n, kept=kept: kept, dataset, np.array([0, 1, 2]), 4).tolist() == expected
        assert np.array_equal(kept, before)


def test_more_places_than_videos_leaves_places_empty() -> None:
    dataset = dataset_of([(0, 1, 10, True)], viewers=1, uploaded=[0, 0])
    assert top_k_unseen(by_index, dataset, np.array([0]), 4).tolist() == [[0] + [NO_VIDEO] * 3]


def test_only_videos_uploaded_by_then_are_candidates() -> None:
    dataset = dataset_of([(0, 0, 10, True)], viewers=2, uploaded=[5, 20, 30, 40])
    best = top_k_unseen(by_index, dataset, np.array([0, 1]), 3, uploaded_by_B=np.array([30, 20]))
    assert best.tolist() == [[2, 1, NO_VIDEO], [1, 0, NO_VIDEO]]


def test_scores_of_minus_infinity_are_ranked_last_but_not_lost() -> None:
    dataset = dataset_of([(0, 2, 10, True)], viewers=1, uploaded=[0] * 3)
    worst = top_k_unseen(lambda b, n: np.full((len(b), len(n)), -np.inf, np.float32), dataset, np.array([0]), 3)
    assert sorted(worst[0].tolist()) == [NO_VIDEO, 0, 1]


def test_ties_are_broken_the_same_way_every_time_and_not_by_the_order_of_the_catalogue() -> None:
    dataset = dataset_of([], viewers=1000, uploaded=[0] * 100)
    few = top_k_unseen(all_equal, dataset, np.array([7]), 10)
    many = top_k_unseen(all_equal, dataset, np.arange(1000), 10)
    assert (many == few).all()
    assert few[0].tolist() != list(range(10))
    assert few[0].tolist() != list(range(99, 89, -1))


@pytest.mark.parametrize("videos", [40, 96, 97, 500])
@pytest.mark.parametrize("levels", [6, 10_000])
def test_agrees_with_a_full_sort_on_random_scores_with_many_ties(videos: int, levels: int) -> None:
    rng = np.random.default_rng(3)
    dataset = dataset_of([(u, v, 1, True) for u in range(30) for v in range(u)], viewers=30, uploaded=[0] * videos)
    scores_UV = rng.integers(0, levels, (30, videos)).astype(np.float32)
    best = top_k_unseen(lambda b, n: scores_UV[np.ix_(b, n)], dataset, np.arange(30), 12)
    for viewer in range(30):
        expected = np.sort(scores_UV[viewer, viewer:])[::-1][:12]
        found = best[viewer][best[viewer] != NO_VIDEO]
        assert scores_UV[viewer, found].tolist() == expected.tolist()
        assert (found >= viewer).all()
        assert len(set(found.tolist())) == len(expected)


@pytest.mark.parametrize("video", [0, 1, 18])
def test_a_score_that_is_no_number_is_an_error(video: int) -> None:
    def one_is_none(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.where(videos_N == video, np.nan, 0.0).astype(np.float32)[None].repeat(len(viewers_B), axis=0)

    dataset = dataset_of([], viewers=1, uploaded=[0] * 19)
    with pytest.raises(DataError, match="score is not a number"):
        top_k_unseen(one_is_none, dataset, np.array([0]), 1)


def test_a_task_keeps_what_is_liked_later_and_new_to_the_viewer() -> None:
    rows = [
        (0, 0, 10, True),
        (0, 0, 100, True),  # seen before: not relevant
        (0, 1, 110, True),
        (0, 1, 120, True),  # the same again counts once
        (0, 2, 130, False),  # not liked, but it is the viewer's last interaction
        (1, 1, 105, False),  # nothing liked: no viewer of the task
        (2, 3, 101, True),
        (2, 0, 102, True),
    ]
    dataset = dataset_of(rows, viewers=4, uploaded=[0] * 4)
    task = ranking_task(dataset.before(100), dataset.between(100, 1000))
    assert task.viewers_B.tolist() == [0, 2]
    assert task.last_at_B.tolist() == [130, 102]
    assert task.relevant_R.tolist() == [0 * 4 + 1, 1 * 4 + 0, 1 * 4 + 3]
    assert task.relevant_B.tolist() == [1, 2]


def test_a_task_with_nothing_to_predict_is_an_error() -> None:
    dataset = dataset_of([(0, 0, 10, True), (0, 0, 20, True), (0, 1, 30, False)], viewers=1, uploaded=[0, 0])
    with pytest.raises(DataError, match="nothing to predict: none of the 2 interactions"):
        ranking_task(dataset.before(20), dataset.between(20, 100))


def test_hits_are_those_of_the_viewers_own_relevant_videos() -> None:
    best = np.array([[2, 0, NO_VIDEO], [2, 1, 0]])
    relevant = np.array([0 * 3 + 2, 1 * 3 + 0])
    assert hits_of(best, relevant, 3).tolist() == [[True, False, False], [False, False, True]]


def test_an_empty_place_is_no_hit_of_the_viewer_before() -> None:
    # Row 1 with NO_VIDEO would read as row 0's last video if it were not left out.
    assert hits_of(np.array([[NO_VIDEO], [NO_VIDEO]]), np.array([2]), 3).tolist() == [[False], [False]]


def test_ndcg_is_the_gain_over_the_best_gain() -> None:
    hits = np.array([[True, False, True, False], [False, False, False, True], [True, True, False, False]])
    ndcg = ndcg_at_k(hits, np.array([3, 1, 2]), 4)
    ideal_of_three = 1 + 1 / log2(3) + 1 / log2(4)
    assert ndcg == pytest.approx([(1 + 1 / log2(4)) / ideal_of_three, 1 / log2(5), 1.0])


def test_ndcg_of_more_relevant_videos_than_places_can_still_be_one() -> None:
    assert ndcg_at_k(np.ones((1, 2), bool), np.array([9]), 2).tolist() == [1.0]


def test_hits_beyond_k_do_not_count() -> None:
    hits = np.array([[False, False, True]])
    assert ndcg_at_k(hits, np.array([1]), 2).tolist() == [0.0]
    assert recall_at_k(hits, np.array([1]), 2).tolist() == [0.0]
    assert recall_at_k(hits, np.array([1]), 3).tolist() == [1.0]


def test_a_viewer_without_relevant_videos_scores_nothing() -> None:
    none = np.zeros((1, 3), bool)
    assert ndcg_at_k(none, np.array([0]), 3).tolist() == recall_at_k(none, np.array([0]), 3).tolist() == [0.0]


def test_reciprocal_rank_looks_at_the_first_hit_only() -> None:
    hits = np.array([[False, False, True, True], [True, False, False, False], [False] * 4])
    assert reciprocal_rank(hits).tolist() == [1 / 3, 1.0, 0.0]


def test_mean_ndcg_over_the_viewers_of_a_task() -> None:
    rows = [(0, 0, 10, True), (0, 1, 110, True), (1, 2, 110, True)]
    dataset = dataset_of(rows, viewers=2, uploaded=[0, 0, 0])
    task = ranking_task(dataset.before(100), dataset.between(100, 1000))
    # by_index ranks viewer 0: 2, 1 (0 is seen), a hit at place 2; viewer 1: 2, 1, 0, a hit at place 1.
    assert rank_hits(by_index, task, 3).tolist() == [[False, True, False], [True, False, False]]
    assert mean_ndcg(by_index, task) == pytest.approx((1 / log2(3) + 1) / 2)


def test_parts_of_a_task_are_the_task() -> None:
    split = tiny_split()
    task = ranking_task(split.train, split.validation)
    score = InterestRecommender(tiny_config(epochs=1)).fit(split.train).score
    parts = [task.part(slice(start, start + 7)) for start in range(0, len(task.viewers_B), 7)]
    assert np.concatenate([part.viewers_B for part in parts]).tolist() == task.viewers_B.tolist()
    assert np.concatenate([part.relevant_B for part in parts]).tolist() == task.relevant_B.tolist()
    total = sum(len(part.viewers_B) * mean_ndcg(score, part) for part in parts)
    assert total / len(task.viewers_B) == pytest.approx(mean_ndcg(score, task))
