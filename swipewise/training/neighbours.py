"""Which videos are shown to and liked by the same viewers: cosines between the columns of the viewer-by-video matrix.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, B = viewers asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from swipewise.training.dataset import Interactions
from swipewise.training.kin import VideoValues

EXPOSURE_WEIGHT: Final = 0.4
"""What an interaction that was not positive says of taste, where a positive one says 1."""

_BLOCK_SIMILARITIES = 4_000_000
_SHRINKAGE = 0.5
_DENSE = 32  # times as many videos as are named


def taste(
    rows: Interactions,
    shape: tuple[int, int],
    *,
    exposure_weight: float,
    scale_I: NDArray[np.float64] | None = None,
) -> sp.csr_array:
    """Weights (U, V) of what viewers did with videos: of several interactions with one video the strongest.

    Args:
        rows: What happened.
        shape: U and V.
        exposure_weight: What an interaction that was not positive counts, where a positive one counts 1.
        scale_I: (I,) what each interaction counts besides; None: all alike.
    """
    weight_I = np.where(rows.positive_I, 1.0, exposure_weight)
    if scale_I is not None:
        weight_I = weight_I * scale_I
    pair_I = rows.viewer_I * shape[1] + rows.video_I
    order = np.lexsort((-weight_I, pair_I))
    pairs, first = np.unique(pair_I[order], return_index=True)
    weight = weight_I[order][first]
    counts = weight > 0
    viewer, video = np.divmod(pairs[counts], shape[1])
    return sp.csr_array((weight[counts], (viewer, video)), shape=shape)


def damp_long_histories(taste_UV: sp.csr_array) -> sp.csr_array:
    """Viewers with long histories say less about which videos belong together: scaled by 1 / sqrt(log(1 + length))."""
    length_U = np.diff(taste_UV.indptr)
    scale_U = 1 / np.sqrt(np.log(1 + np.maximum(length_U, 1)))
    return sp.csr_array(sp.diags_array(scale_U) @ taste_UV)


def _summed(taste_UV: sp.csr_array, similarity_VV: sp.csr_array) -> sp.csr_array:
    """The product of both, with sorted columns; for one viewer its cost does not depend on the number of videos."""
    if taste_UV.shape[0] != 1:
        product_UV = sp.csr_array(taste_UV @ similarity_VV)
        product_UV.sort_indices()
        return product_UV
    starts_J, ends_J = similarity_VV.indptr[taste_UV.indices], similarity_VV.indptr[taste_UV.indices + 1]
    length_J = ends_J - starts_J
    place_I = np.arange(length_J.sum()) + np.repeat(starts_J - (np.cumsum(length_J) - length_J), length_J)
    value_I = similarity_VV.data[place_I] * np.repeat(taste_UV.data, length_J)
    video_K, total_K = _totals(similarity_VV.indices[place_I], value_I, taste_UV.shape[1])
    return sp.csr_array((total_K, video_K, np.array([0, len(video_K)])), shape=taste_UV.shape)


def _totals(
    video_I: NDArray[np.int64], value_I: NDArray[np.float64], videos: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The videos that are named, ascending, and the sum of each one's values."""
    if len(video_I) * _DENSE < videos:
        video_K, which_I = np.unique(video_I, return_inverse=True)
        total_K: NDArray[np.float64] = np.bincount(which_I, value_I, len(video_K)).astype(np.float64)
        return video_K, total_K
    # Where they are not few among all, a place for each costs less than to sort them.
    named_V = np.zeros(videos, np.bool_)
    named_V[video_I] = True
    named_K = np.flatnonzero(named_V).astype(np.int64)
    return named_K, np.bincount(video_I, value_I, videos).astype(np.float64)[named_K]


def nearest(taste_UV: sp.csr_array, neighbours: int, shrinkage: float) -> sp.csr_array:
    """Cosines (V, V) of the columns, of each row only the largest ``neighbours``; block by block of rows.

    Those that rest on n shared viewers are scaled by n / (n + shrinkage).
    """
    videos = taste_UV.shape[1]
    norm_V = np.sqrt((taste_UV**2).sum(axis=0))
    scale_V = np.divide(1.0, norm_V, out=np.zeros(videos), where=norm_V > 0)
    unit_UV = sp.csr_array(taste_UV @ sp.diags_array(scale_V))
    shared_UV = (taste_UV > 0).astype(np.float64)
    unit_VU, shared_VU = sp.csr_array(unit_UV.T), sp.csr_array(shared_UV.T)
    kept = min(neighbours, videos)
    block = max(1, _BLOCK_SIMILARITIES // max(videos, 1))
    parts = []
    for start in range(0, videos, block):
        here = slice(start, start + block)
        cosine = (unit_VU[here] @ unit_UV).toarray()
        shared = (shared_VU[here] @ shared_UV).toarray()
        cosine *= np.divide(shared, shared + shrinkage, out=np.zeros_like(shared), where=shared > 0)
        rows = np.arange(len(cosine))
        cosine[rows, start + rows] = 0.0  # a video is not its own neighbour
        columns = np.argpartition(-cosine, kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(cosine, columns, axis=1)
        place = (np.repeat(rows, kept), columns.ravel())
        part = sp.csr_array((values.ravel(), place), shape=cosine.shape)
        part.eliminate_zeros()
        parts.append(part)
    return sp.csr_array(sp.vstack(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """The neighbours of each video of a run's vocabulary: similarity_VV, sparse, zeros on the diagonal."""

    similarity_VV: sp.csr_array

    @classmethod
    def of(cls, rows: Interactions, shape: tuple[int, int], neighbours: int) -> Self:
        """Find them in a log of U viewers and V videos."""
        taste_UV = taste(rows, shape, exposure_weight=EXPOSURE_WEIGHT)
        found_VV = nearest(damp_long_histories(taste_UV), neighbours, _SHRINKAGE)
        return cls(similarity_VV=found_VV.astype(np.float32))

    def nearness(self, rows: Interactions, viewers: int) -> VideoValues:
        """How near each video is to what viewers watched, in units in which 0 is nothing to go by.

        The log of 1 + the sum of the similarities over its mean, less the mean of those logs: as the viewer's history
        grows the sums do, but what is ranked by them stays comparable.

        Args:
            rows: Interactions with videos of the vocabulary, viewers numbered from 0.
            viewers: U.
        """
        videos = self.similarity_VV.shape[0]
        taste_UV = taste(rows, (viewers, videos), exposure_weight=EXPOSURE_WEIGHT)
        near_UV = _summed(taste_UV, self.similarity_VV)
        mean_U = near_UV.sum(axis=1) / max(videos, 1)
        per_row_U = np.diff(near_UV.indptr)
        scale_U = np.divide(1.0, mean_U, out=np.zeros(viewers), where=mean_U > 0)
        near_UV.data = np.log1p(near_UV.data * np.repeat(scale_U, per_row_U))
        usual_U = -near_UV.sum(axis=1) / max(videos, 1)
        return VideoValues(above_UV=near_UV, usual_U=usual_U.astype(np.float32))

    def as_tensors(self) -> dict[str, torch.Tensor]:
        """For a safetensors file."""
        matrix_VV = self.similarity_VV
        return {
            "starts": torch.from_numpy(matrix_VV.indptr.astype(np.int64)),
            "videos": torch.from_numpy(matrix_VV.indices.astype(np.int32)),
            "values": torch.from_numpy(matrix_VV.data),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> Self:
        """The inverse of :meth:`as_tensors`.

        Raises:
            ValueError: They do not describe a sparse matrix.
        """
        starts, videos, values = (tensors[name].numpy() for name in ("starts", "videos", "values"))
        size = len(starts) - 1
        matrix_VV = sp.csr_array((values, videos.astype(np.int64), starts), shape=(size, size))
        matrix_VV.check_format(full_check=True)
        return cls(similarity_VV=matrix_VV)
