"""The map keeps like videos together, and puts viewers amid what they like."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior.interest_map import InterestMap
from swipewise.errors import DataError

KINDS, EACH, WIDTH = 5, 60, 16


@pytest.fixture(scope="module")
def kinds() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The kind of each video, its vector, and the direction of each kind."""
    rng = np.random.default_rng(0)
    centre_KD = rng.standard_normal((KINDS, WIDTH))
    kind_V = np.repeat(np.arange(KINDS), EACH)
    return kind_V, centre_KD[kind_V] + 0.3 * rng.standard_normal((len(kind_V), WIDTH)), centre_KD


@pytest.fixture(scope="module")
def drawn(kinds: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]) -> InterestMap:
    return InterestMap.draw(kinds[1], landmarks=200)


def nearest(place_N2: NDArray[np.float64], among_N2: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    distance_NN = ((place_N2[:, None] - among_N2) ** 2).sum(axis=2)
    return np.argsort(distance_NN, axis=1)[:, :count]


def test_neighbours_on_the_map_are_of_the_same_kind(
    drawn: InterestMap, kinds: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
) -> None:
    kind_V, vectors_VD, _ = kinds
    place_V2 = drawn.place(vectors_VD)
    assert np.abs(place_V2).max() <= 1
    near_VK = nearest(place_V2, place_V2, 11)[:, 1:]
    assert (kind_V[near_VK] == kind_V[:, None]).mean() > 0.95
    # Landmarks, two thirds of them, lie where they were laid; the others were placed.
    assert len(drawn.place_L2) == 200
    assert drawn.place(drawn.vector_LD) == pytest.approx(drawn.place_L2)


def test_viewers_lie_amid_what_they_like_however_long_their_vectors(
    drawn: InterestMap, kinds: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
) -> None:
    kind_V, vectors_VD, centre_KD = kinds
    near_KK = nearest(drawn.place(7 * centre_KD), drawn.place(vectors_VD), 10)
    assert (kind_V[near_KK] == np.arange(KINDS)[:, None]).mean() > 0.95
    assert drawn.place(np.zeros((1, WIDTH))).shape == (1, 2)
    assert drawn.place(np.zeros((0, WIDTH))).shape == (0, 2)


def test_the_same_seed_draws_the_same_map(
    drawn: InterestMap, kinds: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
) -> None:
    again = InterestMap.draw(kinds[1], landmarks=200)
    assert again.place_L2.tolist() == drawn.place_L2.tolist()
    assert InterestMap.draw(kinds[1], landmarks=200, seed=1).place_L2.tolist() != drawn.place_L2.tolist()


def test_few_videos_or_videos_all_alike() -> None:
    few = InterestMap.draw(np.eye(5))
    assert few.place(np.eye(5)).shape == (5, 2)
    assert np.isfinite(InterestMap.draw(np.ones((40, 3))).place(np.ones((2, 3)))).all()
    with pytest.raises(DataError, match="3 videos are too few for a map, 4 are needed"):
        InterestMap.draw(np.eye(3))


def test_the_nearest_landmark_counts_most() -> None:
    two = InterestMap(vector_LD=np.eye(2), place_L2=np.array([[-1.0, 0.0], [1.0, 0.0]]))
    (near,), (between,) = two.place(np.array([[1.0, 0.2]])), two.place(np.array([[1.0, 1.0]]))
    assert near == pytest.approx([-1.0, 0.0], abs=0.01)
    assert between == pytest.approx([0.0, 0.0])
