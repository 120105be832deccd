from math import log2

import numpy as np
import pytest

from swipewise.errors import DataError
from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.training.dataset import Dataset
from tests.training.hand_made import TableRecommender, dataset_of

CUT = 100


def small() -> Dataset:
    """Six videos: v4 is uploaded after the cut, v5 after everybody has left.

    u0 is warm and likes v1 and the new v4 after the cut; u1 is cold and likes v0; u2 likes nothing new.
    """
    rows = [
        *[(0, 0, at, True) for at in (10, 20, 30)],
        (0, 2, 40, False),
        (0, 2, 50, True),
        (1, 2, 60, True),
        (2, 1, 70, True),
        (0, 1, 110, True),
        (0, 4, 130, True),
        (1, 0, 105, True),
        (2, 1, 140, True),
        (2, 3, 141, False),
    ]
    return dataset_of(rows, viewers=3, uploaded=[0, 0, 0, 0, 120, 999])


def table() -> TableRecommender:
    # Highest first. u0: v5, v3, v1, v4, v0, v2; u1: v0, v1, v2, v3, v4, v5.
    return TableRecommender([[2, 4, 1, 5, 3, 6], [6, 5, 4, 3, 2, 1], [1, 1, 1, 1, 1, 1]])


def test_the_cut_decides_who_is_examined_and_on_what() -> None:
    protocol = Protocol.at(small(), CUT)
    assert protocol.task.viewers_B.tolist() == [0, 1]
    assert protocol.history.interactions.at_I.max() < CUT
    relevant = {segment: targets.relevant_R.tolist() for segment, targets in protocol.segments.items()}
    assert relevant == {
        Segment.ALL: [1, 4, 6 + 0],
        Segment.WARM_VIEWERS: [1, 4],
        Segment.COLD_VIEWERS: [6 + 0],
        Segment.COLD_VIDEOS: [4],
        Segment.LIGHT_VIEWERS: [1, 4],
    }


def test_four_interactions_are_cold_and_five_are_warm() -> None:
    rows = [(0, 0, at, True) for at in range(4)] + [(1, 0, at, True) for at in range(5)]
    dataset = dataset_of([*rows, (0, 1, 100, True), (1, 1, 100, True)], viewers=2, uploaded=[0, 0])
    segments = Protocol.at(dataset, CUT).segments
    assert segments[Segment.COLD_VIEWERS].rows_B.tolist() == [0]
    assert segments[Segment.WARM_VIEWERS].rows_B.tolist() == [1]


def test_candidates_are_the_unseen_videos_that_existed_by_the_last_interaction() -> None:
    # u0 leaves at 130: v0 to v4 exist, v0 and v2 are seen; u1 leaves at 105: v0 to v3 exist, v2 is seen.
    assert Protocol.at(small(), CUT).candidates_B.tolist() == [3, 3]


def test_figures_of_every_viewer_by_hand() -> None:
    measured = evaluate(table(), Protocol.at(small(), CUT))
    # u0 is offered v3, v1, v4 in this order and likes the last two; u1 is offered v0, v1, v3 and likes the first.
    u0 = (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3))
    assert measured.values[Segment.ALL][Metric.NDCG_10] == pytest.approx([u0, 1.0])
    assert measured.values[Segment.ALL][Metric.MRR].tolist() == [1 / 2, 1.0]
    assert measured.values[Segment.ALL][Metric.RECALL_10].tolist() == [1.0, 1.0]
    assert measured.mean(Metric.NDCG_10) == pytest.approx((u0 + 1) / 2)
    assert measured.mean(Metric.NDCG_10, Segment.WARM_VIEWERS) == pytest.approx(u0)


def test_cold_videos_are_ranked_among_all_candidates() -> None:
    measured = evaluate(table(), Protocol.at(small(), CUT))
    # Only v4 counts, and it still stands third behind v3 and v1.
    assert measured.mean(Metric.NDCG_10, Segment.COLD_VIDEOS) == pytest.approx(1 / log2(4))
    assert measured.mean(Metric.MRR, Segment.COLD_VIDEOS) == pytest.approx(1 / 3)


def test_recall_looks_at_10_and_at_50_places() -> None:
    rows = [(0, 0, 0, True), *[(0, video, 100, True) for video in (1, 11, 41, 51)]]
    dataset = dataset_of(rows, viewers=1, uploaded=[0] * 60)
    # v1 is first, v11 eleventh, v41 forty-first and v51 fifty-first.
    measured = evaluate(TableRecommender([list(range(60, 0, -1))]), Protocol.at(dataset, CUT))
    assert measured.mean(Metric.RECALL_10) == 1 / 4
    assert measured.mean(Metric.RECALL_50) == 3 / 4


def test_recommenders_observe_nothing_after_the_cut() -> None:
    recommender = table()
    evaluate(recommender, Protocol.at(small(), CUT))
    assert recommender.observed is not None
    assert recommender.observed.interactions.at_I.max() < CUT


def test_segments_without_viewers_are_left_out() -> None:
    rows = [(0, 0, 10, True), (0, 1, 100, True), (1, 1, 20, True)]
    protocol = Protocol.at(dataset_of(rows, viewers=2, uploaded=[0, 0]), CUT)
    assert set(protocol.segments) == {Segment.ALL, Segment.COLD_VIEWERS}


def test_a_cut_after_the_last_interaction_leaves_nothing_to_evaluate() -> None:
    with pytest.raises(DataError, match="nothing to predict: none of the 0 interactions"):
        Protocol.at(small(), 1000)


def test_many_viewers_are_examined_in_blocks_with_the_same_result() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (u, int(v), at, True) for u in range(700) for at, v in ((1, rng.integers(30)), (100, rng.integers(30)))
    ]
    dataset = dataset_of(rows, viewers=700, uploaded=[0] * 30)
    scores = rng.random((700, 30))
    protocol = Protocol.at(dataset, CUT)
    measured = evaluate(TableRecommender(scores), protocol)
    for row, viewer in enumerate(protocol.task.viewers_B[:20]):
        seen = dataset.interactions.video_I[2 * viewer]
        target = dataset.interactions.video_I[2 * viewer + 1]
        better = (scores[viewer] > scores[viewer, target]).sum() - (scores[viewer, seen] > scores[viewer, target])
        assert measured.values[Segment.ALL][Metric.MRR][row] == 1 / (better + 1)


def test_every_video_can_be_made_a_candidate() -> None:
    protocol = Protocol.at(small(), CUT, all_candidates=True)
    assert protocol.candidates_B.tolist() == [4, 5]
    # u0 is now offered v5, v3, v1, v4 and likes the last two.
    assert evaluate(table(), protocol).values[Segment.ALL][Metric.MRR].tolist() == [1 / 3, 1.0]


def test_the_rankings_are_kept() -> None:
    assert evaluate(table(), Protocol.at(small(), CUT)).best_BK[:, :4].tolist() == [[3, 1, 4, -1], [0, 1, 3, -1]]


def test_leave_last_out_asks_for_the_last_new_liked_video_of_every_viewer() -> None:
    rows = [
        (0, 0, 10, True),
        (0, 1, 20, True),
        (0, 0, 30, True),  # liked again: not new
        (0, 2, 40, False),  # new, not liked
        (1, 2, 15, False),
        (1, 2, 25, True),  # seen before: not new
        (2, 3, 5, True),  # the only thing: nothing comes before it
        (3, 1, 60, True),
        (3, 4, 60, True),  # at one moment: the later row is asked for, the other is no history
    ]
    protocol = Protocol.leave_last_out(dataset_of(rows, viewers=5, uploaded=[0, 0, 0, 0, 99]))
    task = protocol.task
    assert task.viewers_B.tolist() == [0, 2, 3]
    assert (task.relevant_R % 5).tolist() == [1, 3, 4]
    assert task.last_at_B.tolist() == [20, 5, 60]
    assert protocol.start == 5
    kept = protocol.history.interactions
    assert list(zip(kept.viewer_I.tolist(), kept.video_I.tolist(), strict=True)) == [(0, 0), (1, 2), (1, 2)]
    assert protocol.candidates_B.tolist() == [4, 5, 5]


def test_leave_last_out_can_ask_among_the_videos_that_existed() -> None:
    dataset = dataset_of([(0, 0, 10, True), (0, 1, 20, True)], viewers=1, uploaded=[0, 0, 0, 30])
    assert Protocol.leave_last_out(dataset, all_candidates=False).candidates_B.tolist() == [2]


def test_leave_last_out_of_the_history_is_the_validation() -> None:
    rows = [(0, video, 10 * video, True) for video in range(4)]
    dataset = dataset_of(rows, viewers=1, uploaded=[0] * 4)
    test = Protocol.leave_last_out(dataset)
    validation = Protocol.leave_last_out(test.history)
    assert (test.task.relevant_R.tolist(), validation.task.relevant_R.tolist()) == ([3], [2])
    assert validation.history.interactions.video_I.tolist() == [0, 1]


def test_leave_last_out_needs_somebody_who_likes_something() -> None:
    with pytest.raises(DataError, match="nothing to predict"):
        Protocol.leave_last_out(dataset_of([(0, 0, 10, False)], viewers=1, uploaded=[0]))
    with pytest.raises(DataError, match="nothing to predict"):
        Protocol.leave_last_out(dataset_of([], viewers=1, uploaded=[0]))
