"""Which videos belong together because the same viewers watched them, by hand and against the plain matrix.

Legend of shape suffixes: U = viewers, V = videos.
"""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from swipewise.training.dataset import Interactions, no_interactions
from swipewise.training.neighbours import Neighbourhood, damp_long_histories, nearest, taste
from tests.training.hand_made import dataset_of


def rows_of(*rows: tuple[int, int, bool]) -> Interactions:
    """(viewer, video, liked)."""
    drawn = [(viewer, video, at, good) for at, (viewer, video, good) in enumerate(rows)]
    return dataset_of(drawn, viewers=9, uploaded=[0] * 9).interactions


def random_taste(viewers: int = 30, videos: int = 12) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.random((viewers, videos)) * (rng.random((viewers, videos)) < 0.3)


def test_of_several_interactions_with_a_video_the_strongest_counts() -> None:
    rows = rows_of((0, 1, False), (0, 1, True), (0, 2, False), (0, 2, False), (1, 0, True))
    taste_UV = taste(rows, (3, 4), exposure_weight=0.4).toarray()
    assert taste_UV.tolist() == [[0, 1, 0.4, 0], [1, 0, 0, 0], [0] * 4]
    scaled_UV = taste(rows, (3, 4), exposure_weight=0.0, scale_I=np.array([1, 0.5, 1, 1, 2.0])).toarray()
    assert scaled_UV.tolist() == [[0, 0.5, 0, 0], [2, 0, 0, 0], [0] * 4]


def test_long_histories_are_damped() -> None:
    taste_UV = taste(rows_of((0, 0, True), (1, 0, True), (1, 1, True), (1, 2, True)), (3, 3), exposure_weight=0.4)
    damped_UV = damp_long_histories(taste_UV).toarray()
    assert damped_UV[0, 0] == pytest.approx(1 / log(2) ** 0.5)
    assert damped_UV[1].tolist() == pytest.approx([1 / log(4) ** 0.5] * 3)
    assert not damped_UV[2].any()


@pytest.mark.parametrize("kept", [1, 3, 100])
def test_the_nearest_are_the_largest_shrunk_cosines_of_the_columns(kept: int) -> None:
    dense_UV = random_taste()
    dense_UV[:, 5] = 0.0  # nobody met it
    found_VV = nearest(sp.csr_array(dense_UV), kept, 0.5).toarray()
    norm_V = np.linalg.norm(dense_UV, axis=0)
    shared_VV = (dense_UV > 0).astype(float).T @ (dense_UV > 0)
    expected_VV = (
        dense_UV.T @ dense_UV / np.maximum(norm_V[:, None] * norm_V, 1e-12) * shared_VV / (shared_VV + 0.5)
    )
    np.fill_diagonal(expected_VV, 0)
    for row, cosine_V in enumerate(expected_VV):
        smallest = np.sort(cosine_V)[::-1][: min(kept, 12)][-1]
        assert found_VV[row] == pytest.approx(np.where(cosine_V >= smallest, cosine_V, 0))
    assert not found_VV[5].any()


def neighbourhood() -> Neighbourhood:
    """Videos 0 and 1 are watched together, and so are 2 and 3; of 4 nothing is known."""
    pairs = [(viewer, 2 * (viewer % 2) + side, True) for viewer in range(8) for side in (0, 1)]
    return Neighbourhood.of(rows_of(*pairs, (8, 0, True), (8, 2, True)), (9, 5), 3)


def test_videos_watched_together_are_near_and_a_like_says_more_than_an_exposure() -> None:
    made = neighbourhood()
    assert made.similarity_VV.dtype == np.float32
    assert not made.similarity_VV.diagonal().any()
    near_UV = made.nearness(rows_of((0, 0, True), (1, 0, False), (1, 2, True), (3, 4, True)), 4).dense()
    assert near_UV.shape == (4, 5)
    assert near_UV[0].argmax() == 1
    assert near_UV[1].argmax() == 3
    assert near_UV[1, 1] > near_UV[1, 4]
    # Nothing to go by: no history, or one of videos without neighbours.
    assert not near_UV[2:].any()


def test_nearness_is_the_log_of_one_and_the_sum_over_its_mean_less_their_mean() -> None:
    made = neighbourhood()
    summed_V = (made.similarity_VV.toarray()[0] + 0.4 * made.similarity_VV.toarray()[2]).astype(np.float64)
    log_V = np.log1p(summed_V / summed_V.mean())
    [near_V] = made.nearness(rows_of((0, 0, True), (0, 2, False)), 1).dense()
    assert near_V == pytest.approx(log_V - log_V.mean(), abs=1e-5)


def test_no_history_at_all_is_near_to_nothing() -> None:
    assert neighbourhood().nearness(no_interactions(), 2).dense().tolist() == [[0.0] * 5] * 2


def test_a_neighbourhood_survives_its_tensors_and_broken_ones_are_an_error() -> None:
    made = neighbourhood()
    tensors = made.as_tensors()
    back = Neighbourhood.from_tensors(tensors)
    history = rows_of((0, 0, True), (1, 3, False))
    assert np.array_equal(back.nearness(history, 2).dense(), made.nearness(history, 2).dense())
    with pytest.raises(ValueError, match="ind"):
        Neighbourhood.from_tensors(tensors | {"videos": torch.full_like(tensors["videos"], 99)})


@pytest.mark.parametrize("dense", [0, 1000])
def test_one_viewer_is_read_as_many_are(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not there is a place for every video."""
    monkeypatch.setattr("swipewise.training.neighbours._DENSE", dense)
    made, everything_N = neighbourhood(), np.array([4, 0, 3, 3, 1, 2])
    for rows in (rows_of((0, 0, True), (0, 3, False), (0, 2, True)), rows_of((0, 1, True)), no_interactions()):
        alone, among = made.nearness(rows, 1), made.nearness(rows, 2)
        assert alone.dense()[0] == pytest.approx(among.dense()[0], abs=1e-6)
        assert alone.at(everything_N)[0] == pytest.approx(among.at(everything_N)[0], abs=1e-6)
