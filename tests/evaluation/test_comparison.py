import numpy as np
import pytest

from swipewise.evaluation.comparison import compare
from swipewise.evaluation.protocol import Measured, Metric, Segment


def measured(name: str, ndcg: list[float]) -> Measured:
    values = {metric: np.array(ndcg) for metric in Metric}
    return Measured(
        name=name,
        values={Segment.ALL: values, Segment.COLD_VIEWERS: {m: v[:2] for m, v in values.items()}},
        best_BK=np.zeros((len(ndcg), 0), np.int64),
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


def test_chance_is_tested_on_the_viewers_differences() -> None:
    # Four viewers who all gain: of 16 assignments of signs only all kept and all flipped are as extreme.
    found = compare([MODEL, HALF], model="model").find("half")
    assert found is not None
    assert found.p == 2 / 16


def test_each_metric_over_all_viewers_is_a_family_without_the_ceiling() -> None:
    comparison = compare([MODEL, HALF, ZERO, measured("truth", [1.0] * 4)], model="model", ceilings=("truth",))
    for metric in Metric:
        for other in ("half", "zero"):
            found = comparison.find(other, metric)
            assert found is not None
            assert found.p_holm == 2 * found.p == 2 * 2 / 16
    ceiling = comparison.find("truth")
    assert ceiling is not None
    assert (ceiling.p, ceiling.p_holm) == (2 / 16, None)


def test_p_values_of_the_other_segments_stand_uncorrected() -> None:
    found = compare([MODEL, HALF], model="model").find("half", segment=Segment.COLD_VIEWERS)
    assert found is not None
    assert (found.p, found.p_holm) == (2 / 4, None)
