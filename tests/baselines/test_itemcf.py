from math import log, sqrt

import numpy as np
import pytest

from swipewise.baselines.itemcf import DAY_MS, ItemCFRecommender
from tests.training.hand_made import dataset_of

# u0 and u1 like v0 and v1, u2 likes v1 and v2; u3 likes v0 alone; v3 is shown to u0 and u1 and not liked.
LIKES = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 0)]
SHOWN = [(0, 3), (1, 3)]
ROWS = [(u, v, DAY_MS, True) for u, v in LIKES] + [(u, v, DAY_MS, False) for u, v in SHOWN]
DATASET = dataset_of(ROWS, viewers=5, uploaded=[0] * 5)
EVERYTHING = np.arange(5)
NEGLIGIBLE = 2e-6  # popularity, which orders what the neighbours leave equal


def plain(**settings: object) -> ItemCFRecommender:
    defaults: dict[str, object] = {"neighbours": 10, "shrinkage": 0.0, "inverse_user_frequency": False}
    return ItemCFRecommender(**(defaults | settings))  # type: ignore[arg-type]


def test_scores_are_cosines_summed_over_the_history() -> None:
    scores = plain().fit(DATASET).score(np.array([3, 0]), EVERYTHING)
    # v0 is liked by 3, v1 by 3, v2 by 1; v0 and v1 share 2 viewers, v1 and v2 one, v0 and v2 none.
    v0_v1, v1_v2 = 2 / sqrt(3 * 3), 1 / sqrt(3 * 1)
    assert scores[0] == pytest.approx([0, v0_v1, 0, 0, 0], abs=NEGLIGIBLE)
    assert scores[1] == pytest.approx([v0_v1, v0_v1, v1_v2, 0, 0], abs=NEGLIGIBLE)


def test_shrinkage_scales_by_the_number_of_shared_viewers() -> None:
    scores = plain(shrinkage=3.0).fit(DATASET).score(np.array([3]), EVERYTHING)
    assert scores[0, 1] == pytest.approx(2 / 3 * 2 / (2 + 3), abs=NEGLIGIBLE)


def test_inverse_user_frequency_makes_busy_viewers_say_less() -> None:
    scores = plain(inverse_user_frequency=True).fit(DATASET).score(np.array([3]), EVERYTHING)
    two, one = 1 / log(1 + 2), 1 / log(1 + 1)  # squared weights of viewers with two likes and with one
    assert scores[0, 1] == pytest.approx(2 * two / sqrt((2 * two + one) * (3 * two)), abs=NEGLIGIBLE)


def test_only_the_nearest_neighbours_of_a_video_count() -> None:
    rows = [*ROWS, (4, 0, DAY_MS, True), (4, 4, DAY_MS, True)]
    dataset = dataset_of(rows, viewers=6, uploaded=[0] * 5)
    both = plain().fit(dataset).score(np.array([3]), EVERYTHING)[0]
    nearest = plain(neighbours=1).fit(dataset).score(np.array([3]), EVERYTHING)[0]
    assert both[1] > both[4] > 0.1
    assert nearest == pytest.approx([0, both[1], 0, 0, 0], abs=NEGLIGIBLE)


def test_what_was_shown_and_not_liked_counts_as_much_as_it_is_told_to() -> None:
    scores = plain(exposure_weight=0.5).fit(DATASET).score(np.array([3]), EVERYTHING)
    # v0: three likes; v3: twice 0.5, both by viewers who like v0.
    assert scores[0, 3] == pytest.approx(2 * 0.5 / sqrt(3 * 2 * 0.5**2), abs=NEGLIGIBLE)


def test_decay_halves_old_interactions_of_the_history() -> None:
    rows = [*ROWS, (2, 3, 3 * DAY_MS, False)]
    dataset = dataset_of(rows, viewers=5, uploaded=[0] * 5)
    still = plain().fit(dataset).score(np.array([3]), EVERYTHING)
    decayed = plain(half_life_days=1.0).fit(dataset).score(np.array([3]), EVERYTHING)
    assert decayed[0, 1] == pytest.approx(still[0, 1] / 4, abs=NEGLIGIBLE)


def test_of_several_interactions_with_one_video_the_strongest_counts_once() -> None:
    again = dataset_of([*ROWS, (3, 0, 0, False), (3, 0, 2 * DAY_MS, True)], viewers=5, uploaded=[0] * 5)
    once = plain().fit(DATASET).score(np.arange(5), EVERYTHING)
    assert plain().fit(again).score(np.arange(5), EVERYTHING) == pytest.approx(once, abs=NEGLIGIBLE)


def test_popularity_decides_for_a_viewer_without_history() -> None:
    best = plain().fit(DATASET).recommend(np.array([4]), 3)
    assert set(best[0, :2].tolist()) == {0, 1}
    assert best[0, 2] == 2


def test_observed_histories_are_scored_with_the_fitted_neighbours() -> None:
    recommender = plain().fit(DATASET)
    newer = dataset_of([*ROWS, (4, 0, 2 * DAY_MS, True)], viewers=5, uploaded=[0] * 5)
    scores = recommender.observe(newer).score(np.array([4]), EVERYTHING)
    assert scores[0, 1] == pytest.approx(2 / 3, abs=NEGLIGIBLE)


def test_blocks_of_videos_give_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plain(neighbours=2, shrinkage=1.0).fit(DATASET).score(np.arange(5), EVERYTHING)
    monkeypatch.setattr("swipewise.training.neighbours._BLOCK_SIMILARITIES", 10)
    assert (
        plain(neighbours=2, shrinkage=1.0).fit(DATASET).score(np.arange(5), EVERYTHING).tolist() == whole.tolist()
    )


def test_no_interactions_leave_nothing_to_say() -> None:
    scores = ItemCFRecommender(half_life_days=7).fit(DATASET.before(0)).score(np.arange(5), EVERYTHING)
    assert not scores.any()
