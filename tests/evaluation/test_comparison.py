import numpy as np
import pytest

from swipewise.evaluation.comparison import compare
from swipewise.evaluation.protocol import Measured, Metric, Segment


def measured(name: str, ndcg: list[float]) -> Measured:
    values = {metric: np.array(ndcg) for metric in Metric}
    return Measured(
        name=name, values={Segment.ALL: values, Segment.COLD_VIEWERS: {m: v[:2] for m, v in values.items()}}
    )


MODEL = measured("model", [0.2, 0.4, 0.6, 0.8])
HALF = measured("half", [0.1, 0.2, 0.3, 0.4])
ZERO = measured("zero", [0.0, 0.0, 0.0, 0.0])


def test_every_recommender_has_its_mean_in_every_segment() -> None:
    comparison = compare([MODEL, HALF], model="model")
    assert comparison.names == ("model", "half")
    assert comparison.figures[Segment.ALL]["model"][Metric.NDCG_10].value == pytest.approx(0.5)
    assert comparison.figures[Segment.COLD_VIEWERS]["half"][Metric.MRR].value == pytest.approx(0.15)
    figure = comparison.figures[Segment.ALL]["model"][Metric.NDCG_10]
    assert figure.low < 0.5 < figure.high


def test_the_model_is_set_against_each_of_the_others() -> None:
    comparison = compare([HALF, MODEL, ZERO], model="model")
    found = comparison.find("half")
    assert found is not None
    assert found.difference.value == pytest.approx(0.25)
    # Twice as good for every viewer: the ratio has no width although both means have one.
    assert found.ratio is not None
    assert [found.ratio.value, found.ratio.low, found.ratio.high] == pytest.approx([2, 2, 2])
    nothing = comparison.find("zero", Metric.MRR, Segment.COLD_VIEWERS)
    assert nothing is not None
    assert nothing.ratio is None
    assert comparison.find("model") is None


def test_without_the_model_there_is_nothing_to_set_against() -> None:
    assert compare([HALF, ZERO], model="model").against == ()


def test_the_best_baseline_is_the_one_with_the_highest_mean() -> None:
    assert compare([ZERO, HALF, MODEL], model="model").best_of(["zero", "half"]) == "half"
