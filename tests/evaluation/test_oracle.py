import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.oracle import OracleRecommender
from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from tests.training.hand_made import dataset_of


def test_the_oracle_is_asked_at_each_viewers_last_interaction() -> None:
    rows = [(0, 0, 10, True), (0, 1, 110, True), (0, 2, 130, False), (1, 0, 20, True), (1, 2, 150, True)]
    protocol = Protocol.at(dataset_of(rows, viewers=3, uploaded=[0, 0, 0]), 100)
    asked = []

    def utility(
        viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64], at_B: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        asked.extend(zip(viewers_B.tolist(), at_B.tolist(), strict=True))
        return np.array([[0, 2, 1], [0, 1, 2], [0, 0, 0]])[np.ix_(viewers_B, videos_N)]

    oracle = OracleRecommender.of_protocol(utility, protocol)
    assert evaluate(oracle, protocol).mean(Metric.NDCG_10) == 1.0
    assert asked == [(0, 130), (1, 150)]
    assert oracle.recommend(np.array([1, 0]), 2).tolist() == [[2, 1], [1, 2]]


class SmallTruth:
    def utilities(
        self, viewer_ids: list[str], video_ids: list[str], at_B: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return np.array([[int(viewer[1:]) * 10 + int(video[1:]) for video in video_ids] for viewer in viewer_ids])


def test_the_truth_is_asked_by_id() -> None:
    rows = [(0, 0, 10, True), (1, 0, 20, True), (1, 2, 150, True)]
    protocol = Protocol.at(dataset_of(rows, viewers=2, uploaded=[0, 0, 0]), 100)
    oracle = OracleRecommender.of_truth(SmallTruth(), protocol)
    assert oracle.score(np.array([1, 0]), np.array([2, 0])).tolist() == [[12, 10], [2, 0]]
