import numpy as np

from swipewise.baselines.popularity import DAY_MS, PopularityRecommender
from tests.training.hand_made import dataset_of

ROWS = [
    (0, 0, 1 * DAY_MS, True),
    (1, 0, 2 * DAY_MS, True),
    (2, 0, 3 * DAY_MS, True),
    (0, 1, 8 * DAY_MS, True),
    (1, 1, 9 * DAY_MS, True),
    (2, 2, 10 * DAY_MS, False),
]
DATASET = dataset_of(ROWS, viewers=4, uploaded=[0] * 4)
EVERYONE, EVERYTHING = np.arange(4), np.arange(4)


def test_counts_positive_interactions_of_all_time() -> None:
    scores = PopularityRecommender().fit(DATASET).score(EVERYONE, EVERYTHING)
    assert scores.tolist() == [[3, 2, 0, 0]] * 4


def test_a_window_ends_with_the_last_interaction_of_whatever_kind() -> None:
    # The last is at day 10; the window of 1.5 days opens at 8.5.
    scores = PopularityRecommender(days=1.5).fit(DATASET).score(np.array([3]), np.array([1, 0]))
    assert scores.tolist() == [[1, 0]]


def test_recommends_what_the_viewer_has_not_seen() -> None:
    best = PopularityRecommender().fit(DATASET).recommend(np.array([3, 2]), 2)
    assert best.tolist() == [[0, 1], [1, 3]]


def test_observing_changes_the_histories_but_not_the_counts() -> None:
    recommender = PopularityRecommender().fit(DATASET.before(5 * DAY_MS)).observe(DATASET)
    assert recommender.score(np.array([0]), EVERYTHING).tolist() == [[3, 0, 0, 0]]
    assert 1 not in recommender.recommend(np.array([0]), 2)


def test_no_interactions_make_everything_equal() -> None:
    scores = PopularityRecommender(days=7).fit(DATASET.before(0)).score(EVERYONE, EVERYTHING)
    assert scores.tolist() == [[0] * 4] * 4
