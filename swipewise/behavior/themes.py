"""Themes: the kinds of pictures, words and sounds between which viewers' tastes tell.

Vectors differ in many ways that no viewer cares about: the wording of a caption says more about its template than
about its topic. What viewers care about shows in what reaches them: a platform shows like to those who liked like.
So directions in which the videos of the same viewer resemble one another are stretched, the others shrunk, and what
is left is clustered; the clusters are then drawn sharper in all directions (linear discriminants).

Legend of shape suffixes: V = videos, M = modalities, D = width of a vector, R = directions kept, K = themes of a
modality, U = viewers, I = interactions, N = rows that are summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.behavior.log import BehaviorLog, Vectors

_DIRECTIONS = 48  # principal directions that are looked at
_RESTARTS = 12
_STEPS = 50
_SHARPENINGS = 3
_FAR = 1e9  # where the centre of a theme without videos lies
_STRETCH = 0.25  # power of how much a direction tells; under a higher one weakly told themes merge
_SHRINKAGE = 0.1  # of the covariance within themes towards a sphere


@dataclass(frozen=True, slots=True, kw_only=True)
class Themes:
    """A theme for every video and modality.

    theme_VM: int64 in [0, count), -1 where the video lacks the modality; distance_VM: float64, to the centre of the
    theme, infinite where there is none.
    """

    modalities: tuple[str, ...]
    count: int
    theme_VM: NDArray[np.int64]
    distance_VM: NDArray[np.float64]

    def followed_by(self, others: Themes) -> Themes:
        """These and, behind them, those of other videos by the same axes."""
        return replace(
            self,
            theme_VM=np.concatenate([self.theme_VM, others.theme_VM]),
            distance_VM=np.concatenate([self.distance_VM, others.distance_VM]),
        )

    def typical(
        self, modality: str, theme: int, limit: int, *, among_V: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The videos nearest to the centre of a theme, nearest first: at most ``limit`` indices.

        Where ``among_V`` is given, only videos at which it is True.
        """
        column = self.modalities.index(modality)
        member_V = self.theme_VM[:, column] == theme
        members = np.flatnonzero(member_V if among_V is None else member_V & among_V)
        distance_N = self.distance_VM[members, column]
        if 0 < limit < len(members):
            # Sorting a few is cheaper than sorting all of a large catalogue.
            members = members[distance_N <= np.partition(distance_N, limit - 1)[limit - 1]]
        return members[np.argsort(self.distance_VM[members, column], kind="stable")][:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeAxes:
    """Where one modality's vectors lie among its themes.

    centre_D, spread_D: what vectors are standardised by; axis_DR: the directions along which themes differ;
    centre_KR: the themes along them.
    """

    centre_D: NDArray[np.float64]
    spread_D: NDArray[np.float64]
    axis_DR: NDArray[np.float64]
    centre_KR: NDArray[np.float64]

    def square_distances(self, values_VD: NDArray[np.floating]) -> NDArray[np.float64]:
        """From each vector to each theme: (V, K)."""
        return _square_distances(self._place(values_VD), self.centre_KR)

    def redrawn(self, values_VD: NDArray[np.floating], theme_V: NDArray[np.int64]) -> ThemeAxes:
        """The axes along which vectors are best told apart whose themes are known."""
        equal_RR, centre_KR = _discriminating(self._place(values_VD), theme_V, len(self.centre_KR))
        return replace(self, axis_DR=self.axis_DR @ equal_RR, centre_KR=centre_KR)

    def _place(self, values_VD: NDArray[np.floating]) -> NDArray[np.float64]:
        place_VR: NDArray[np.float64] = (
            (values_VD.astype(np.float64) - self.centre_D) / self.spread_D @ self.axis_DR
        )
        return place_VR


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeMap:
    """The themes of each modality, ready to take in videos of any catalogue; None where nothing could be learned."""

    count: int
    axes: Mapping[str, ThemeAxes | None]

    def of(self, content: Mapping[str, Vectors], told_VM: NDArray[np.int64] | None = None) -> Themes:
        """The theme of every video: the nearest one, or that which was told.

        Args:
            content: Vectors by modality; one that is lacking is missing everywhere.
            told_VM: Themes that are known otherwise, -1 where the vectors decide; None: they decide everywhere.
        """
        videos = max((len(vectors.present_V) for vectors in content.values()), default=0)
        shape = (videos, len(self.axes))
        theme_VM, distance_VM = np.full(shape, -1, np.int64), np.full(shape, np.inf)
        for column, (name, axes) in enumerate(self.axes.items()):
            if axes is None or name not in content:
                continue
            present = np.flatnonzero(content[name].present_V)
            square_VK = axes.square_distances(content[name].values_VD[present])
            theme_V = square_VK.argmin(axis=1)
            if told_VM is not None:
                theme_V = np.where(told_VM[present, column] >= 0, told_VM[present, column], theme_V)
            theme_VM[present, column] = theme_V
            distance_VM[present, column] = np.sqrt(square_VK[np.arange(len(present)), theme_V])
        return Themes(modalities=tuple(self.axes), count=self.count, theme_VM=theme_VM, distance_VM=distance_VM)


def learn_themes(log: BehaviorLog, *, count: int, until: int, seed: int = 0) -> ThemeMap:
    """Cluster each modality into themes from what was known at a time.

    Args:
        log: Its interactions and uploads before ``until`` decide; what came later changes nothing.
        count: Themes of a modality; fewer videos than that leave some empty.
        until: Milliseconds.
        seed: Of the clustering's starting points.
    """
    past, known_V = log.before(until), log.uploaded_at_V < until
    return ThemeMap(
        count=count,
        axes={name: _axes(vectors, known_V, past, count, seed) for name, vectors in log.content.items()},
    )


def _axes(
    vectors: Vectors, known_V: NDArray[np.bool_], past: BehaviorLog, count: int, seed: int
) -> ThemeAxes | None:
    basis_V = vectors.present_V & known_V
    if not basis_V.any():
        return None
    centre_D, spread_D, whitening_DR = _whitening(vectors.values_VD[basis_V].astype(np.float64))
    values_VD = np.where(vectors.present_V[:, None], vectors.values_VD, centre_D)
    white_VR = (values_VD - centre_D) / spread_D @ whitening_DR
    told_R, axis_RR = _shared(white_VR, vectors, past)
    place_VR = white_VR @ (axis_RR * told_R**_STRETCH)
    centre_KR = _centres(place_VR[basis_V], count, seed)
    nearest_V = _nearest(place_VR[basis_V], centre_KR)
    for _ in range(_SHARPENINGS):
        equal_RR, centre_KR = _discriminating(white_VR[basis_V], nearest_V, len(centre_KR))
        nearest_V = _nearest(white_VR[basis_V] @ equal_RR, centre_KR)
    return ThemeAxes(centre_D=centre_D, spread_D=spread_D, axis_DR=whitening_DR @ equal_RR, centre_KR=centre_KR)


def _whitening(
    basis_VD: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread to standardise by (D,), and the map to principal components of unit variance (D, R)."""
    centre_D, spread_D = basis_VD.mean(axis=0), basis_VD.std(axis=0)
    spread_D = np.where(spread_D > 1e-6, spread_D, 1.0)
    _, length_R, direction_RD = np.linalg.svd((basis_VD - centre_D) / spread_D, full_matrices=False)
    keep = min(_DIRECTIONS, int((length_R > 1e-6 * max(length_R[0], 1e-12)).sum()))
    whitening_DR: NDArray[np.float64] = direction_RD[:keep].T / length_R[:keep] * len(basis_VD) ** 0.5
    return centre_D, spread_D, whitening_DR


def _shared(
    white_VR: NDArray[np.float64], vectors: Vectors, past: BehaviorLog
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How alike the videos of the same viewer are along each axis, at least 0: (R,), and the axes in columns: (R, R).

    The eigenvectors of the sum of outer products over all pairs of different videos shown to the same viewer; where
    there are no such pairs, the axes as they are.
    """
    shown_I = vectors.present_V[past.video_I]
    shown_IR = white_VR[past.video_I[shown_I]]
    width = white_VR.shape[1]
    if not len(shown_IR):
        return np.ones(width), np.eye(width)
    shown_IR -= shown_IR.mean(axis=0)
    total_UR = _sums(shown_IR, past.viewer_I[shown_I], len(past.profile_UP))
    told_R, axis_RR = np.linalg.eigh(total_UR.T @ total_UR - shown_IR.T @ shown_IR)
    if not told_R.max(initial=0.0) > 0:
        return np.ones(width), np.eye(width)
    return np.maximum(told_R, 0.0) / told_R.max(), axis_RR


def _discriminating(
    basis_VR: NDArray[np.float64], nearest_V: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A map (R, R) after which the videos within a theme scatter alike in all directions, and the themes' centres."""
    total_KR = _sums(basis_VR, nearest_V, count)
    size_K = np.bincount(nearest_V, minlength=count)
    centre_KR = total_KR / np.maximum(size_K, 1)[:, None]
    equal_RR = _equalising(basis_VR - centre_KR[nearest_V])
    return equal_RR, np.where(size_K[:, None] > 0, centre_KR @ equal_RR, _FAR)


def _sums(values_NR: NDArray[np.float64], group_N: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """The sum over the rows of each group: (groups, R)."""
    rows = np.arange(len(group_N) + 1)
    # By a product with a sparse matrix of ones: np.add.at adds one number at a time.
    member_GN = sp.csc_array((np.ones(len(group_N)), group_N, rows), shape=(groups, len(group_N)))
    return np.asarray(member_GN @ values_NR)


def _equalising(rest_VR: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map (R, R) after which what is left of the videos scatters alike in all directions."""
    scatter_RR = rest_VR.T @ rest_VR / len(rest_VR)
    sphere_RR = np.eye(len(scatter_RR)) * max(float(np.trace(scatter_RR)) / max(len(scatter_RR), 1), 1e-9)
    scatter_RR = (1 - _SHRINKAGE) * scatter_RR + _SHRINKAGE * sphere_RR
    equal_RR: NDArray[np.float64] = np.linalg.inv(np.linalg.cholesky(scatter_RR)).T
    return equal_RR


def _centres(place_VR: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    """The best of several runs of k-means: (K, R), fewer where there are fewer different places."""
    best_KR, least = place_VR[:1], np.inf
    for restart in range(_RESTARTS):
        centre_KR = _scattered(place_VR, count, np.random.default_rng([seed, restart]))
        for _ in range(_STEPS):
            nearest_V = _nearest(place_VR, centre_KR)
            total_KR = _sums(place_VR, nearest_V, len(centre_KR))
            size_K1 = np.bincount(nearest_V, minlength=len(centre_KR))[:, None]
            moved_KR = np.where(size_K1 > 0, total_KR / np.maximum(size_K1, 1), centre_KR)
            if np.array_equal(moved_KR, centre_KR):
                break
            centre_KR = moved_KR
        spread = float(_square_distances(place_VR, centre_KR).min(axis=1).sum())
        if spread < least:
            best_KR, least = centre_KR, spread
    return best_KR


def _scattered(place_VR: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Starting points of k-means++: each is drawn in proportion to its squared distance from those before."""
    centre_KR = place_VR[[rng.integers(len(place_VR))]]
    for _ in range(count - 1):
        away_V = _square_distances(place_VR, centre_KR).min(axis=1)
        if not away_V.max() > 1e-9:
            break
        centre_KR = np.vstack([centre_KR, place_VR[rng.choice(len(place_VR), p=away_V / away_V.sum())]])
    return centre_KR


def _nearest(place_VR: NDArray[np.float64], centre_KR: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest centre of each; what is the same for all centres is left out of the distances."""
    nearest_V: NDArray[np.int64] = ((centre_KR**2).sum(axis=1) - 2 * place_VR @ centre_KR.T).argmin(axis=1)
    return nearest_V


def _square_distances(place_VR: NDArray[np.float64], centre_KR: NDArray[np.float64]) -> NDArray[np.float64]:
    square_VK = (place_VR**2).sum(axis=1)[:, None] - 2 * place_VR @ centre_KR.T + (centre_KR**2).sum(axis=1)
    clipped_VK: NDArray[np.float64] = np.maximum(square_VK, 0.0)
    return clipped_VK
