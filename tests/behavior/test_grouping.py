"""Planted groups are found, also where k-means ends with two of them as one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from swipewise.behavior.grouping import grouped, sharpened

EACH = 60


def planted(
    centres: list[tuple[float, float]], spread: tuple[float, float]
) -> tuple[NDArray[np.float64], list[int]]:
    rng = np.random.default_rng(0)
    places = [np.array(centre) + rng.standard_normal((EACH, 2)) * spread for centre in centres]
    return np.concatenate(places), [group for group in range(len(centres)) for _ in range(EACH)]


@pytest.mark.parametrize("seed", range(3))
def test_two_groups_as_one_and_another_in_halves_are_mended(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre_KR = 4.0 * rng.standard_normal((12, 6))
    group_V = np.repeat(np.arange(12), EACH)
    x_VR = centre_KR[group_V] + rng.standard_normal((len(group_V), 6)) * np.array([3.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert adjusted_rand_score(group_V, grouped(x_VR, x_VR, 12, seed=seed)) > 0.99


def test_many_vectors_are_grouped_like_some_of_them() -> None:
    x_VR, group_V = planted([(0, 0), (5, 0), (0, 5)], (0.5, 0.5))
    many_VR, many_V = np.tile(x_VR, (40, 1)), np.tile(group_V, 40)
    assert len(many_V) > 5_000
    assert adjusted_rand_score(many_V, grouped(many_VR, many_VR, 3, seed=0)) == 1.0


@pytest.mark.parametrize("places", [1, 2, 3])
def test_fewer_places_than_groups(places: int) -> None:
    x_VR = np.repeat(np.eye(3)[:places], 4, axis=0)
    nearest_V = grouped(x_VR, x_VR, 8, seed=0)
    assert adjusted_rand_score(np.repeat(np.arange(places), 4), nearest_V) == 1.0
    assert len(sharpened(x_VR, nearest_V).centre_KR) == places
