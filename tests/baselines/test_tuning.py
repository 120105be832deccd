import numpy as np
import pytest

from swipewise.baselines.popularity import DAY_MS, PopularityRecommender
from swipewise.baselines.tuning import ITEMCF_GRID, POPULARITY_GRID, tune
from swipewise.errors import DataError
from tests.training.hand_made import dataset_of


def test_settings_are_those_that_predict_the_validation_period_best() -> None:
    # v0 was liked by many long ago, v1 by one lately; then everybody likes v1.
    rows = [(u, 0, DAY_MS, True) for u in range(5)] + [(5, 1, 10 * DAY_MS, True)]
    rows += [(u, 1, 11 * DAY_MS, True) for u in range(6, 9)]
    dataset = dataset_of(rows, viewers=9, uploaded=[0, 0, 0])
    cut = 11 * DAY_MS
    train, validation = dataset.before(cut), dataset.between(cut, 2 * cut)
    tuned = tune(PopularityRecommender, {"days": (None, 2, 100)}, train, validation)
    assert tuned.settings == {"days": 2}
    assert tuned.figure == 1.0
    assert tuned.tried == 3


def test_of_equals_the_first_wins_and_every_combination_is_tried() -> None:
    dataset = dataset_of([(0, 0, 1, True), (1, 0, 2, True)], viewers=2, uploaded=[0, 0])
    train, validation = dataset.before(2), dataset.between(2, 3)
    seen = []

    def build(**settings: float) -> PopularityRecommender:
        seen.append(settings)
        return PopularityRecommender(days=settings["days"])

    assert tune(build, {"days": (7, 8), "other": (1, 2, 3)}, train, validation).settings == {"days": 7, "other": 1}
    assert len(seen) == 6


def test_nothing_to_validate_on_is_an_error() -> None:
    dataset = dataset_of([(0, 0, 1, True)], viewers=1, uploaded=[0])
    with pytest.raises(DataError, match="nothing to predict"):
        tune(PopularityRecommender, POPULARITY_GRID, dataset, dataset.before(0))


def test_the_grids_fit_their_recommenders() -> None:
    from swipewise.baselines.itemcf import ItemCFRecommender

    rng = np.random.default_rng(0)
    rows = [(int(u), int(v), at, True) for at, (u, v) in enumerate(rng.integers(0, 12, (200, 2)))]
    dataset = dataset_of(rows, viewers=12, uploaded=[0] * 12)
    train, validation = dataset.before(60), dataset.between(60, 200)
    assert tune(PopularityRecommender, POPULARITY_GRID, train, validation).tried == 7
    assert tune(ItemCFRecommender, ITEMCF_GRID, train, validation).tried == 24
