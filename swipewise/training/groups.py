"""What viewers of like profile watch more than everybody, by a reduced-rank regression of tastes on profiles.

A group is all viewers with one value of a profile field. Groups overlap: who lives in a city also lives in its
province. Counted group by group and summed, lifts would hold such a thing twice, and little but chance where a group
has few viewers. The regression shares it out, shrinks small groups, and keeps the few directions in which groups
differ most (reduced-rank ridge regression, Mukherjee and Zhu 2011, doi:10.1002/sam.10138).

Legend of shape suffixes: U = viewers, V = videos, G = groups and nobody's, code 0, K = groups that are large enough,
B = viewers asked for, P = profile fields, R = directions that are kept, X = all that are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from swipewise.training.dataset import Interactions
from swipewise.training.kin import VideoFactors
from swipewise.training.neighbours import EXPOSURE_WEIGHT, taste

_DIRECTIONS = 16
_MORE_DIRECTIONS = 32  # that are found beside them, so that those are found in few rounds
_ROUNDS = 16
_RIDGE = 30.0  # likes that say of a group that it is as everybody
_MOST_GROUPS = 4096  # in a regression, whose cost grows with their square; smaller ones say nothing


@dataclass(frozen=True, kw_only=True)
class GroupPopularity:
    """Lifts of the videos of a run's vocabulary among viewers of like profile, as products of two factors.

    value_GR: float32, of each group, zeros of nobody's. video_VR: float32, of each video, 0 on average.

    The lift of a video is by how much its share of what such viewers watch exceeds its share of what everybody does,
    in units of √((share + mean) mean): videos that many watch vary by chance alone in proportion to the root of their
    share, and those that hardly anybody watches are not to stand out for it.
    """

    value_GR: NDArray[np.float32]
    video_VR: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Interactions, profile_UP: NDArray[np.int64], groups: int, videos: int) -> Self:
        """Learn them from a log.

        Args:
            rows: Interactions with videos numbered 0 to ``videos``.
            profile_UP: The groups of all viewers, 1 to ``groups``; 0 where a field is missing.
            groups: How many.
            videos: V.
        """
        taste_UV = taste(rows, (len(profile_UP), videos), exposure_weight=EXPOSURE_WEIGHT)
        member_UG = _members(profile_UP, groups)
        watched_U: NDArray[np.float64] = np.asarray(taste_UV.sum(axis=1), np.float64).reshape(-1)
        watched_G = member_UG.T @ watched_U
        largest_K = np.sort(np.argsort(-watched_G, kind="stable")[:_MOST_GROUPS])
        largest_K = largest_K[watched_G[largest_K] > 0]
        value_GR = np.zeros((groups + 1, 0))
        video_VR = np.zeros((videos, 0))
        if len(largest_K):
            regression = _Regression.of(taste_UV, sp.csr_array(member_UG[:, largest_K]), watched_U)
            value_KR, video_VR = regression.directions(_DIRECTIONS)
            value_GR = np.zeros((groups + 1, value_KR.shape[1]))
            value_GR[largest_K] = value_KR
        return cls(value_GR=value_GR.astype(np.float32), video_VR=np.ascontiguousarray(video_VR, np.float32))

    def lift(self, profile_BP: NDArray[np.int64]) -> VideoFactors:
        """How much more than everybody viewers like each of these watch each video, 0 on average.

        Args:
            profile_BP: Groups of the viewers.
        """
        member_BG = _members(profile_BP, len(self.value_GR) - 1)
        return VideoFactors(viewer_UR=(member_BG @ self.value_GR).astype(np.float32), video_VR=self.video_VR)

    def as_tensors(self) -> dict[str, torch.Tensor]:
        """For a safetensors file."""
        return {"values": torch.from_numpy(self.value_GR), "videos": torch.from_numpy(self.video_VR)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], groups: int, videos: int) -> Self:
        """The inverse of :meth:`as_tensors`.

        Raises:
            ValueError: They are not factors of so many groups and videos.
        """
        value_GR, video_VR = (tensors[name].numpy().astype(np.float32) for name in ("values", "videos"))
        if value_GR.ndim != 2 or video_VR.shape != (videos, *value_GR.shape[1:]) or len(value_GR) != groups + 1:
            raise ValueError(
                f"factors {value_GR.shape} and {video_VR.shape} are not those of {groups} groups and {videos} videos"
            )
        return cls(value_GR=value_GR, video_VR=video_VR)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Regression:
    """Ridge regression of what viewers watch of each video, over the spread of its share, on the groups they are in.

    taste_UV, member_UK: what was watched, and who is in which group. watched_K, share_V: what each group watched in
    all, and the share of each video in what everybody did. spread_V: the unit of a video's share. triangle_KK: the
    lower Cholesky factor of the groups' overlaps, weighed by what their members watched, and the ridge.
    """

    taste_UV: sp.csr_array
    member_UK: sp.csr_array
    watched_K: NDArray[np.float64]
    share_V: NDArray[np.float64]
    spread_V: NDArray[np.float64]
    triangle_KK: NDArray[np.float64]

    @classmethod
    def of(cls, taste_UV: sp.csr_array, member_UK: sp.csr_array, watched_U: NDArray[np.float64]) -> Self:
        overlap_KK = (member_UK.T @ sp.diags_array(watched_U) @ member_UK).toarray()
        everybody_V = np.asarray(taste_UV.sum(axis=0)).reshape(-1)
        share_V = everybody_V / everybody_V.sum()
        return cls(
            taste_UV=taste_UV,
            member_UK=member_UK,
            watched_K=member_UK.T @ watched_U,
            share_V=share_V,
            spread_V=np.sqrt((share_V + share_V.mean()) * share_V.mean()),
            triangle_KK=cholesky(overlap_KK + _RIDGE * np.eye(len(overlap_KK)), lower=True),
        )

    def directions(self, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The factors of the best prediction with so many directions at most: (K, R) and (V, R).

        By iteration of a whole block (Halko, Martinsson and Tropp, arXiv:0909.4061), which starts from drawn numbers
        that are always the same and goes on where directions are as large as each other or nothing.
        """
        groups, videos = len(self.watched_K), len(self.share_V)
        block = min(most + _MORE_DIRECTIONS, groups, videos)
        base_KX, _ = np.linalg.qr(self._whitened(np.random.default_rng(0).standard_normal((videos, block))))
        for _ in range(_ROUNDS):
            turned_VX, _ = np.linalg.qr(self._backwards(base_KX))
            base_KX, _ = np.linalg.qr(self._whitened(turned_VX))
        right_VX, size_X, left_XX = np.linalg.svd(self._backwards(base_KX), full_matrices=False)
        scaled_KR = base_KX @ left_XX[:most].T * size_X[:most]
        value_KR = solve_triangular(self.triangle_KK, scaled_KR, lower=True, trans="T", check_finite=False)
        video_VR = right_VX[:, :most]
        return value_KR, video_VR - video_VR.mean(axis=0)

    def _whitened(self, x_VX: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much more than everybody groups watched, made independent of each other, times ``x_VX``: (K, X)."""
        scaled_VX = x_VX / self.spread_V[:, None]
        above_KX = self.member_UK.T @ (self.taste_UV @ scaled_VX) - np.outer(
            self.watched_K, self.share_V @ scaled_VX
        )
        whitened_KX: NDArray[np.float64] = solve_triangular(
            self.triangle_KK, above_KX, lower=True, check_finite=False
        )
        return whitened_KX

    def _backwards(self, x_KX: NDArray[np.float64]) -> NDArray[np.float64]:
        """The transpose times ``x_KX``: (V, X)."""
        solved_KX = solve_triangular(self.triangle_KK, x_KX, lower=True, trans="T", check_finite=False)
        watched_VX = self.taste_UV.T @ (self.member_UK @ solved_KX) - np.outer(
            self.share_V, self.watched_K @ solved_KX
        )
        backwards_VX: NDArray[np.float64] = watched_VX / self.spread_V[:, None]
        return backwards_VX


def _members(profile_BP: NDArray[np.int64], groups: int) -> sp.csr_array:
    """Who belongs to which group: (B, G) of ones; nobody belongs to group 0."""
    member_B, field_B = np.nonzero((profile_BP > 0) & (profile_BP <= groups))
    place = (member_B, profile_BP[member_B, field_B])
    return sp.csr_array((np.ones(len(member_B), np.float32), place), shape=(len(profile_BP), groups + 1))
