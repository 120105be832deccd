import numpy as np
import pytest

from swipewise.evaluation.fusion import content_weights, weight_agreement, well_known_viewers
from tests.training.hand_made import dataset_of


def test_the_same_order_agrees_fully_whatever_the_scale_and_the_reverse_not_at_all() -> None:
    planted = np.array([[0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]])
    learned = np.stack([planted[:, 0] ** 3, planted[:, 0]], axis=1)
    assert weight_agreement(planted, learned, ["visual", "text"]) == pytest.approx(
        {"visual": 1.0, "text": -1.0, "mean": 0.0}
    )


def test_spearman_by_hand() -> None:
    # Ranks 1 2 3 against 1 3 2: 1 - 6 * (0 + 1 + 1) / (3 * (9 - 1)) = 0.5
    found = weight_agreement(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [3.0], [2.0]]), ["audio"])
    assert found["audio"] == pytest.approx(0.5)


def test_weights_that_do_not_vary_agree_with_nothing() -> None:
    assert weight_agreement(np.array([[1.0], [2.0]]), np.ones((2, 1)), ["audio"]) == {"audio": 0.0, "mean": 0.0}


def test_content_weights_leave_out_the_rest_and_sum_to_one() -> None:
    weights = np.array([[0.1, 0.2, 0.2, 0.5], [0.0, 0.0, 0.0, 1.0]])
    found = content_weights(weights, ["text", "visual", "audio", "id"], ["visual", "text"])
    assert found == pytest.approx(np.array([[2 / 3, 1 / 3], [0, 0]]))


def test_a_modality_the_model_lacks_weighs_nothing() -> None:
    found = content_weights(np.array([[0.5, 0.5]]), ["visual", "id"], ["visual", "audio"])
    assert found.tolist() == [[1.0, 0.0]]


def test_viewers_are_well_known_from_so_many_interactions_on() -> None:
    rows = [(0, 0, at, True) for at in range(19)] + [(2, 0, at, False) for at in range(20)]
    assert well_known_viewers(dataset_of(rows, viewers=3, uploaded=[0])).tolist() == [2]
