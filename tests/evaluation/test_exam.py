"""The whole examination: on a data set whose figures are known by hand, and on a small simulated world."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.config import SplitConfig
from swipewise.errors import DataError
from swipewise.evaluation.exam import Exam, Kind, examine
from swipewise.evaluation.protocol import Metric, Segment
from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset
from swipewise.training.split import split_by_time
from tests.evaluation.worlds import WorldTruth, small_world
from tests.training.hand_made import TableRecommender, dataset_of

VALID, TEST = 100, 200


def hand_made() -> Dataset:
    """First u0 to u3 like v0 and u4 likes v1; then u4 to u6 like v0; at last u7 likes v0 and u8 likes v2."""
    early = [(u, 0, 10 + u, True) for u in range(4)] + [(4, 1, 20, True)]
    middle = [*((u, 0, 100 + u, True) for u in (4, 5, 6)), (6, 0, 110, True)]
    late = [(7, 0, 200, True), (8, 2, 201, True)]
    return dataset_of([*early, *middle, *late], viewers=9, uploaded=[0] * 3)


class TableTruth:
    def utilities(
        self, viewer_ids: list[str], video_ids: list[str], at_B: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        liked = {"u7": "v0", "u8": "v2"}
        return np.array([[float(liked.get(viewer) == video) for video in video_ids] for viewer in viewer_ids])

    def weights(self, viewer_ids: list[str]) -> NDArray[np.float64]:
        return np.full((len(viewer_ids), 3), 1 / 3)


def test_every_contender_is_measured_on_the_same_exam() -> None:
    model = TableRecommender(np.tile([1.0, 2.0, 3.0], (9, 1)), name="model")
    exam = examine(hand_made(), model, valid_start=VALID, test_start=TEST, truth=TableTruth())
    assert [contender.name for contender in exam.contenders] == [
        "model",
        "itemcf",
        "recent",
        "popularity",
        "oracle",
    ]
    assert exam.names(Kind.BASELINE) == ("itemcf", "recent", "popularity")
    figures = exam.comparison.figures[Segment.ALL]
    # The model ranks v2, v1, v0 for both; u7 likes v0 (third), u8 likes v2 (first).
    assert figures["model"][Metric.MRR].value == pytest.approx((1 / 3 + 1) / 2)
    # Popularity ranks v0 (eight likes), v1 (one), v2 (none) for both.
    assert figures["popularity"][Metric.MRR].value == pytest.approx((1 + 1 / 3) / 2)
    # Without histories ItemCF falls back to popularity.
    assert figures["itemcf"][Metric.MRR].value == figures["popularity"][Metric.MRR].value
    assert figures["oracle"][Metric.NDCG_10].value == 1.0
    # v2 has no interaction before the cut.
    assert exam.comparison.figures[Segment.COLD_VIDEOS]["model"][Metric.MRR].value == 1.0


def test_baselines_are_tuned_on_the_validation_period_alone() -> None:
    exam = examine(hand_made(), TableRecommender(np.zeros((9, 3))), valid_start=VALID, test_start=TEST)
    popularity = exam.contenders[2]
    assert popularity.tried == 7
    assert popularity.validation == 1.0  # v0 leads the counts before 100, and that is what u4 to u6 like
    assert Kind.ORACLE not in {contender.kind for contender in exam.contenders}


@pytest.mark.parametrize("valid_start", [TEST, 107], ids=["empty", "nothing new liked"])
def test_without_anything_to_tune_on_baselines_keep_their_defaults(valid_start: int) -> None:
    exam = examine(hand_made(), TableRecommender(np.zeros((9, 3))), valid_start=valid_start, test_start=TEST)
    assert [(c.settings, c.validation) for c in exam.contenders[1:]] == [({}, None)] * 3


def test_steps_are_told_as_they_begin() -> None:
    steps: list[str] = []
    model = TableRecommender(np.zeros((9, 3)), name="model")
    examine(hand_made(), model, valid_start=VALID, test_start=TEST, truth=TableTruth(), on_step=steps.append)
    assert steps == [
        "ranking with model",
        "tuning itemcf",
        "tuning recent",
        "tuning popularity",
        "asking the oracle",
        "resampling viewers",
    ]


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to predict"):
        examine(hand_made(), TableRecommender(np.zeros((9, 3))), valid_start=VALID, test_start=900)


class Listener(TableRecommender):
    """Listens as the world planted it, after a warp that keeps the order, with half its weight on the id."""

    modalities = (*map(str, CONTENT_MODALITIES), "id")

    def __init__(self, planted_UM: NDArray[np.float64], videos: int) -> None:
        super().__init__(np.zeros((len(planted_UM), videos)), name="listener")
        self.planted_UM = planted_UM

    def modality_weights(self, viewers_B: NDArray[np.int64]) -> NDArray[np.float64]:
        planted = self.planted_UM[viewers_B]
        return np.concatenate([planted / 2, np.full((len(planted), 1), 0.5)], axis=1)


@pytest.fixture(scope="module")
def world_exam() -> Exam:
    world, dataset = small_world()
    split = split_by_time(dataset, SplitConfig())
    truth = WorldTruth(world)
    model = Listener(truth.weights(dataset.viewer_ids), len(dataset.video_ids))
    return examine(dataset, model, valid_start=split.valid_start, test_start=split.test_start, truth=truth)


def test_the_oracle_is_the_ceiling_of_every_metric_on_a_world(world_exam: Exam) -> None:
    figures = world_exam.comparison.figures[Segment.ALL]
    for metric in Metric:
        others = [figures[name][metric].value for name in ("listener", "itemcf", "popularity")]
        assert figures["oracle"][metric].value > 1.3 * max(others)


def test_learned_weights_are_held_against_the_planted_ones(world_exam: Exam) -> None:
    attention = world_exam.attention
    assert attention is not None
    assert attention.agreement is not None
    assert attention.weights_UM.sum(axis=1) == pytest.approx(np.ones(len(attention.weights_UM)))
    assert attention.agreement.spearman == pytest.approx({"visual": 1.0, "text": 1.0, "audio": 1.0, "mean": 1.0})
    assert len(attention.agreement.planted_UM) < len(attention.weights_UM)


def test_a_model_that_cannot_say_what_it_listens_to_is_examined_all_the_same() -> None:
    exam = examine(hand_made(), TableRecommender(np.zeros((9, 3))), valid_start=VALID, test_start=TEST)
    assert exam.attention is None
