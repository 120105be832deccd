"""One search for everybody: on the validation period, defaults first, whatever fails is set aside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.baselines.popularity import DAY_MS, PopularityRecommender, recent_space
from swipewise.baselines.tuning import Tried, Tuned, load_settings, save_settings, search
from swipewise.errors import DataError, InputFileError
from swipewise.training.dataset import Dataset
from swipewise.training.loop import Epoch
from tests.training.hand_made import TableRecommender, dataset_of

# v0 was liked by many long ago, v1 by one lately; then everybody likes v1.
_ROWS = [(u, 0, DAY_MS, True) for u in range(5)] + [(5, 1, 10 * DAY_MS, True)]
_ROWS += [(u, 1, 11 * DAY_MS, True) for u in range(6, 9)]
DATASET = dataset_of(_ROWS, viewers=9, uploaded=[0, 0, 0])
CUT = 11 * DAY_MS
TRAIN, VALIDATION = DATASET.before(CUT), DATASET.between(CUT, 2 * CUT)

Tell = Callable[[Epoch], None]


def popularity(
    settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell
) -> PopularityRecommender:
    return PopularityRecommender(**settings)


def guesses(seen: list[float] | None = None, **options: Any) -> Tuned:
    """Search over x in [0, 1]: the nearer to 0.3, the higher v1 is ranked for the viewers who will like it."""

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> TableRecommender:
        if seen is not None:
            seen.append(settings["x"])
        distance = abs(settings["x"] - 0.3)
        return TableRecommender(np.tile([distance, 0.2, distance / 2], (9, 1)))

    options = {"defaults": {"x": 1.0}, "trials": 12, **options}
    return search(build, lambda trial: {"x": trial.suggest_float("x", 0, 1)}, TRAIN, VALIDATION, **options)


def test_settings_are_those_that_predict_the_validation_period_best() -> None:
    found = search(popularity, recent_space, TRAIN, VALIDATION, defaults={"days": 28}, trials=15)
    assert found.validation == 1.0
    assert found.settings["days"] in (1, 2, 3, 4, 7)
    # Seven choices are all that there is, however many trials.
    assert 2 <= found.tried <= 7


def test_the_defaults_are_tried_first_and_trials_are_a_function_of_the_seed() -> None:
    seen: list[float] = []
    assert guesses(seen).validation == 1.0
    assert seen[0] == 1.0
    assert len(seen) == 12
    again: list[float] = []
    guesses(again)
    assert again == seen
    other: list[float] = []
    guesses(other, seed=1)
    assert other != seen


def test_of_equal_settings_the_first_wins_and_nothing_is_fitted_twice() -> None:
    seen: list[float] = []

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> TableRecommender:
        seen.append(settings["x"])
        return TableRecommender(np.zeros((9, 3)))

    def space(trial: Any) -> dict[str, Any]:
        return {"x": trial.suggest_categorical("x", [1, 2, 3])}

    found = search(build, space, TRAIN, VALIDATION, defaults={"x": 2}, trials=10)
    assert found.settings == {"x": 2}
    assert sorted(seen) == sorted(set(seen))
    assert found.tried == len(seen)


class Trained(TableRecommender):
    """Reports these figures, one an epoch, and ranks by the best."""

    def __init__(self, figures: list[float], on_epoch: Tell) -> None:
        super().__init__(np.tile([0.5, max(figures), 0.0], (9, 1)))
        self.figures, self.on_epoch = figures, on_epoch

    def fit(self, dataset: Dataset) -> Trained:
        for number, figure in enumerate(self.figures, 1):
            self.on_epoch(Epoch(number=number, loss=0.0, validation_ndcg=figure, seconds=0.0))
        return self


def test_the_epoch_that_was_best_becomes_a_setting() -> None:
    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> Trained:
        return Trained([0.6, 0.9, 0.7], on_epoch)

    found = search(build, lambda _: {}, TRAIN, VALIDATION, defaults={}, trials=3)
    assert found.settings == {"epochs": 2}
    assert found.tried == 1


def test_a_trial_that_has_had_its_time_counts_as_it_then_is() -> None:
    reached: list[int] = []

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> Trained:
        def tell(epoch: Epoch) -> None:
            reached.append(epoch.number)
            on_epoch(epoch)

        return Trained([0.6, 0.4, 0.9], tell)

    told: list[Tried] = []
    options: dict[str, Any] = {"defaults": {}, "trials": 1, "on_trial": told.append}
    found = search(build, lambda _: {}, TRAIN, VALIDATION, seconds=0.0, **options)
    assert reached == [1]
    assert (found.settings, found.validation, told[0].figure) == ({"epochs": 1}, 0.6, 0.6)
    search(build, lambda _: {}, TRAIN, VALIDATION, seconds=1e9, **options)
    assert reached == [1, 1, 2, 3]


def test_trials_behind_the_median_end_early() -> None:
    reached: list[int] = []

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> Trained:
        reached.append(0)

        def tell(epoch: Epoch) -> None:
            reached[-1] = epoch.number
            on_epoch(epoch)

        return Trained([1 - settings["x"]] * 6, tell)

    told: list[Tried] = []
    order = iter([0.0, 0.1, 0.2, 0.3, 0.9])

    def space(trial: Any) -> dict[str, Any]:
        return {"x": next(order)}

    search(build, space, TRAIN, VALIDATION, defaults={}, trials=5, on_trial=told.append)
    assert reached[:3] == [6, 6, 6]
    assert reached[4] == 3
    assert str(told[4]) == 'trial 5 {"x": 0.9}: ended early, behind the median'
    assert not told[4].failed


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (DataError("the loss became nan in epoch 1"), "the loss became nan in epoch 1"),
        (MemoryError(), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate\nmore"), "CUDA out of memory. Tried to allocate"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["diverged", "memory", "gpu", "cpu"],
)
def test_a_trial_that_fails_is_set_aside_with_a_line_that_says_so(error: Exception, cause: str) -> None:
    told: list[Tried] = []
    tries = iter([error, None])

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> TableRecommender:
        if failure := next(tries):
            raise failure
        return TableRecommender(np.zeros((9, 3)))

    def space(trial: Any) -> dict[str, Any]:
        return {"x": trial.suggest_float("x", 0, 1)}

    found = search(build, space, TRAIN, VALIDATION, defaults={"x": 1.0}, trials=2, on_trial=told.append)
    assert found.settings["x"] != 1.0
    assert str(told[0]) == f'trial 1 {{"x": 1.0}}: set aside, {cause}'
    assert [tried.failed for tried in told] == [True, False]


def test_an_error_that_is_no_matter_of_settings_is_raised() -> None:
    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> TableRecommender:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        search(build, lambda _: {}, TRAIN, VALIDATION, defaults={}, trials=1)


def test_when_every_trial_fails_the_search_does() -> None:
    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> TableRecommender:
        raise MemoryError

    with pytest.raises(DataError, match="none of the 2 trials came to an end"):
        search(build, lambda _: {}, TRAIN, VALIDATION, defaults={}, trials=2)


def test_a_share_of_the_viewers_is_searched_on_and_all_are_fitted_at_last() -> None:
    fitted_on: list[int] = []

    class Counting(TableRecommender):
        def fit(self, dataset: Dataset) -> Counting:
            fitted_on.append(len(np.unique(dataset.interactions.viewer_I)))
            return self

    def build(settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Tell) -> Counting:
        return Counting(np.tile([settings["x"], 1 - settings["x"], 0.0], (20, 1)))

    rows = [(u, 0, 1, True) for u in range(20)] + [(u, 1, 5, True) for u in range(20)]
    dataset = dataset_of(rows, viewers=20, uploaded=[0] * 3)

    def space(trial: Any) -> dict[str, Any]:
        return {"x": trial.suggest_float("x", 0, 1)}

    found = search(
        build, space, dataset.before(3), dataset.between(3, 9), defaults={"x": 0.9}, trials=3, viewers=7
    )
    assert fitted_on == [7, 7, 7, 20]
    assert found.validation == 1.0


def test_nothing_to_validate_on_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to predict"):
        search(popularity, recent_space, DATASET, DATASET.before(0), defaults={"days": 7}, trials=2)


def test_settings_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    assert load_settings(path) == {}
    found = {"a": guesses(), "b": Tuned(settings={"days": None, "epochs": 4}, validation=0.25, tried=3)}
    save_settings(path, found)
    assert load_settings(path) == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read as settings"),
        ("[]", "has version None, this reads 1"),
        ('{"version": 2}', "has version 2, this reads 1"),
        ('{"version": 1}', "is no file of settings"),
        (json.dumps({"version": 1, "found": {"a": {"settings": {}}}}), "is no file of settings"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "found.json"
    path.write_text(content)
    with pytest.raises(InputFileError, match=f"{reason}.*remove it to search anew"):
        load_settings(path)
