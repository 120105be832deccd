"""Groups of vectors within which they scatter least: k-means, moves that mend it, and linear discriminants.

Legend of shape suffixes: V = vectors, R = directions, K = groups, S = groups that can be split, P = pairs of groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESTARTS = 12
_STEPS = 50
_SHARPENINGS = 3
_BEST = 3  # runs of k-means that are mended
_TRIED = 6  # moves, those that promise most
_LEAST_GAIN = 1e-6  # of tightness
_MOST = 5_000  # vectors among which groups are looked for; the others join the nearest
_FAR = 1e9  # where the centre of a group without vectors lies
_SHRINKAGE = 0.1  # of the covariance within groups towards a sphere


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Groups, and the map after which vectors scatter alike in all directions within them.

    equal_RR: the map; centre_KR: the groups' centres after it; nearest_V: the group of each vector; tightness: how
    little vectors scatter, -½ log |W|, of their covariance W within groups (Friedman and Rubin 1967).
    """

    equal_RR: NDArray[np.float64]
    centre_KR: NDArray[np.float64]
    nearest_V: NDArray[np.int64]
    tightness: float


def grouped(x_VR: NDArray[np.float64], place_VR: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    """The group of each vector: (V,), fewer groups where there are fewer different places.

    Runs of k-means often end with two groups as one and another one in two halves. So the best of them are mended: two
    groups are merged and another one is split for as long as vectors scatter less for it.

    Args:
        x_VR: Vectors, along the directions in which groups are held apart.
        place_VR: The same vectors, where distances are what k-means is to see; of any width.
        count: How many groups.
        seed: Of the starting points.
    """
    some = np.arange(len(x_VR))
    if len(some) > _MOST:
        some = np.sort(np.random.default_rng(seed).choice(some, _MOST, replace=False))
    near_VR, far_VR = x_VR[some], place_VR[some]
    runs = [sharpened(near_VR, _clustered(far_VR, count, seed, restart)) for restart in range(_RESTARTS)]
    best = sorted(runs, key=lambda run: -run.tightness)[:_BEST]
    found = max((_mended(run, near_VR, far_VR) for run in best), key=lambda run: run.tightness)
    nearest_V: NDArray[np.int64] = square_distances(x_VR @ found.equal_RR, found.centre_KR).argmin(axis=1)
    return nearest_V


def sharpened(x_VR: NDArray[np.float64], nearest_V: NDArray[np.int64]) -> Grouping:
    """Groups drawn again and again along the axes that tell them apart best."""
    count = int(nearest_V.max()) + 1
    for _ in range(_SHARPENINGS):
        equal_RR, centre_KR = discriminating(x_VR, nearest_V, count)
        nearest_V = square_distances(x_VR @ equal_RR, centre_KR).argmin(axis=1)
    return Grouping(
        equal_RR=equal_RR,
        centre_KR=centre_KR,
        nearest_V=nearest_V,
        tightness=float(np.linalg.slogdet(equal_RR)[1]),
    )


def _mended(grouping: Grouping, x_VR: NDArray[np.float64], place_VR: NDArray[np.float64]) -> Grouping:
    while True:
        moved = [sharpened(x_VR, nearest_V) for nearest_V in _moves(grouping, x_VR, place_VR)]
        better = max(moved, key=lambda each: each.tightness, default=grouping)
        if better.tightness <= grouping.tightness + _LEAST_GAIN:
            return grouping
        grouping = better


def _moves(
    grouping: Grouping, x_VR: NDArray[np.float64], place_VR: NDArray[np.float64]
) -> Iterator[NDArray[np.int64]]:
    """The groups with two of them merged and another one split, for the few moves that promise most.

    These are after which the determinant of W would be least if no vector changed its group otherwise. Along the
    equalising axes W is the identity; a merger adds a·ddᵀ to it and a split takes b·eeᵀ away, of which the determinant
    is (1 + a·dᵀd)(1 - b·eᵀe) + ab·(dᵀe)².
    """
    nearest_V = grouping.nearest_V
    size_K = np.bincount(nearest_V, minlength=len(grouping.centre_KR))
    split_S = np.flatnonzero(size_K > 1)
    half_SV = [_half(place_VR, nearest_V == group) for group in split_S]
    gap_SR, taken_S = _halved(x_VR @ grouping.equal_RR, nearest_V, split_S, half_SV)
    one_P, other_P = np.triu_indices(len(size_K), 1)
    full_P = (size_K[one_P] > 0) & (size_K[other_P] > 0)
    one_P, other_P = one_P[full_P], other_P[full_P]
    gap_PR = grouping.centre_KR[one_P] - grouping.centre_KR[other_P]
    added_P = size_K[one_P] * size_K[other_P] / (size_K[one_P] + size_K[other_P]) / len(x_VR)
    left_PS = (1 + added_P * (gap_PR**2).sum(axis=1))[:, None] * (1 - taken_S * (gap_SR**2).sum(axis=1))
    left_PS = left_PS + np.outer(added_P, taken_S) * (gap_PR @ gap_SR.T) ** 2
    left_PS[(split_S == one_P[:, None]) | (split_S == other_P[:, None])] = np.inf
    for place in np.argsort(left_PS, axis=None, kind="stable")[:_TRIED]:
        pair, row = np.unravel_index(place, left_PS.shape)
        if np.isfinite(left_PS[pair, row]):
            merged_V = np.where(nearest_V == other_P[pair], one_P[pair], nearest_V)
            yield np.where(half_SV[row], other_P[pair], merged_V)


def _half(place_VR: NDArray[np.float64], member_V: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The members of a group that lie beyond its centre in the direction in which it is longest."""
    rest_NR = place_VR[member_V] - place_VR[member_V].mean(axis=0)
    _, _, direction_RR = np.linalg.svd(rest_NR, full_matrices=False)
    half_V = np.zeros(len(member_V), bool)
    half_V[member_V] = rest_NR @ direction_RR[0] > 0
    return half_V


def _halved(
    equal_VR: NDArray[np.float64],
    nearest_V: NDArray[np.int64],
    split_S: NDArray[np.int64],
    half_SV: list[NDArray[np.bool_]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between the centres of the halves of each group (S, R), and what of W their distance is worth (S,)."""
    gap_SR, taken_S = np.zeros((len(split_S), equal_VR.shape[1])), np.zeros(len(split_S))
    for row, (group, half_V) in enumerate(zip(split_S, half_SV, strict=True)):
        rest_V = (nearest_V == group) & ~half_V
        one, other = int(half_V.sum()), int(rest_V.sum())
        if one and other:
            gap_SR[row] = equal_VR[half_V].mean(axis=0) - equal_VR[rest_V].mean(axis=0)
            taken_S[row] = one * other / (one + other) / len(equal_VR)
    return gap_SR, taken_S


def discriminating(
    x_VR: NDArray[np.float64], nearest_V: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A map (R, R) after which vectors scatter alike in all directions within groups, and the groups' centres."""
    total_KR = np.zeros((count, x_VR.shape[1]))
    np.add.at(total_KR, nearest_V, x_VR)
    size_K = np.bincount(nearest_V, minlength=count)
    centre_KR = total_KR / np.maximum(size_K, 1)[:, None]
    equal_RR = _equalising(x_VR - centre_KR[nearest_V])
    return equal_RR, np.where(size_K[:, None] > 0, centre_KR @ equal_RR, _FAR)


def _equalising(rest_VR: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map (R, R) after which what is left of vectors scatters alike in all directions."""
    scatter_RR = rest_VR.T @ rest_VR / len(rest_VR)
    sphere_RR = np.eye(len(scatter_RR)) * max(float(np.trace(scatter_RR)) / max(len(scatter_RR), 1), 1e-9)
    scatter_RR = (1 - _SHRINKAGE) * scatter_RR + _SHRINKAGE * sphere_RR
    equal_RR: NDArray[np.float64] = np.linalg.inv(np.linalg.cholesky(scatter_RR)).T
    return equal_RR


def _clustered(place_VR: NDArray[np.float64], count: int, seed: int, restart: int) -> NDArray[np.int64]:
    """The cluster of each place after a run of k-means: (V,)."""
    centre_KR = _scattered(place_VR, count, np.random.default_rng([seed, restart]))
    for _ in range(_STEPS):
        nearest_V: NDArray[np.int64] = square_distances(place_VR, centre_KR).argmin(axis=1)
        total_KR = np.zeros_like(centre_KR)
        np.add.at(total_KR, nearest_V, place_VR)
        size_K1 = np.bincount(nearest_V, minlength=len(centre_KR))[:, None]
        moved_KR = np.where(size_K1 > 0, total_KR / np.maximum(size_K1, 1), centre_KR)
        if np.array_equal(moved_KR, centre_KR):
            break
        centre_KR = moved_KR
    return nearest_V


def _scattered(place_VR: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Starting points of k-means++: each is drawn in proportion to its squared distance from those before."""
    centre_KR = place_VR[[rng.integers(len(place_VR))]]
    for _ in range(count - 1):
        away_V = square_distances(place_VR, centre_KR).min(axis=1)
        if not away_V.max() > 1e-9:
            break
        centre_KR = np.vstack([centre_KR, place_VR[rng.choice(len(place_VR), p=away_V / away_V.sum())]])
    return centre_KR


def square_distances(place_VR: NDArray[np.float64], centre_KR: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each place to each centre: (V, K)."""
    square_VK = (place_VR**2).sum(axis=1)[:, None] - 2 * place_VR @ centre_KR.T + (centre_KR**2).sum(axis=1)
    clipped_VK: NDArray[np.float64] = np.maximum(square_VK, 0.0)
    return clipped_VK
