"""What is known of the videos that training saw, for those of a catalogue: new videos stand where their like do.

Legend of shape suffixes: U = viewers, V = videos of the catalogue or of the vocabulary, N = videos asked for,
A = those of the vocabulary that stand for them, K = new videos, Q = kin of each, D = width of a vector,
R = directions of factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

KIN: Final = 10
"""Known videos whose values stand for that of a new one."""

_EXACT_PAIRS = 200_000_000  # of a known and a new video that are all compared; beyond, lists are looked into
_LISTS_LOOKED_INTO = 16
_BLOCK_PAIRS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoValues:
    """A number for each viewer and each video of a run's vocabulary, most of which are the viewer's usual one.

    above_UV: sparse, sorted columns: how much more than ``usual_U`` a video has.
    """

    above_UV: sp.csr_array
    usual_U: NDArray[np.float32]

    def dense(self) -> NDArray[np.float32]:
        """All of them: (U, V)."""
        value_UV: NDArray[np.float32] = self.above_UV.toarray().astype(np.float32) + self.usual_U[:, None]
        return value_UV

    def at(self, videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Those of some videos: (U, N). For one viewer the cost does not depend on how many videos there are."""
        if len(self.usual_U) != 1:
            return self.dense()[:, videos_N]
        known_K, value_K = self.above_UV.indices, self.above_UV.data
        if not len(known_K):
            return np.full((1, len(videos_N)), self.usual_U[0], np.float32)
        videos_N = videos_N.astype(known_K.dtype)  # a search among numbers of another type copies them
        place_N = np.minimum(np.searchsorted(known_K, videos_N), len(known_K) - 1)
        above_N = np.where(known_K[place_N] == videos_N, value_K[place_N], 0).astype(np.float32)
        value_1N: NDArray[np.float32] = (above_N + self.usual_U[0])[None]
        return value_1N

    def alone(self, viewer: int) -> VideoValues:
        """Those of one viewer, by number."""
        return VideoValues(above_UV=self.above_UV[[viewer]], usual_U=self.usual_U[viewer : viewer + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFactors:
    """A number for each viewer and each video of a run's vocabulary, as the product of viewer_UR and video_VR."""

    viewer_UR: NDArray[np.float32]
    video_VR: NDArray[np.float32]

    def dense(self) -> NDArray[np.float32]:
        """All of them: (U, V)."""
        value_UV: NDArray[np.float32] = self.viewer_UR @ self.video_VR.T
        return value_UV

    def at(self, videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Those of some videos: (U, N)."""
        value_UN: NDArray[np.float32] = self.viewer_UR @ self.video_VR[videos_N].T
        return value_UN

    def alone(self, viewer: int) -> VideoFactors:
        """Those of one viewer, by number."""
        return VideoFactors(viewer_UR=self.viewer_UR[viewer : viewer + 1], video_VR=self.video_VR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which videos of a vocabulary stand for some of the catalogue, looked up once for all that is asked of them.

    rows: N. ids_A: int64 vocabulary rows, each once. known_N, other_N: places of the known videos, and of those with
    kin; which_N, which_NQ: the places in ``ids_A`` of the former, and of the latter's kin.
    """

    rows: int
    ids_A: NDArray[np.int64]
    known_N: NDArray[np.int64]
    which_N: NDArray[np.int64]
    other_N: NDArray[np.int64]
    which_NQ: NDArray[np.int64]

    def of(self, values: VideoValues | VideoFactors) -> NDArray[np.float32]:
        """Their values: (U, N)."""
        value_UA = values.at(self.ids_A)
        found_UN = np.zeros((len(value_UA), self.rows), np.float32)
        found_UN[:, self.known_N] = value_UA[:, self.which_N]
        if len(self.other_N):
            found_UN[:, self.other_N] = value_UA[:, self.which_NQ].mean(axis=-1)
        return found_UN


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """How the videos of a catalogue stand for those of a vocabulary.

    id_V: int64 vocabulary rows, -1 where training did not know the video; new_K: the catalogue rows of those that
    have kin, ascending; kin_KQ: int32 vocabulary rows of the known videos of the catalogue most like each.
    """

    id_V: NDArray[np.int64]
    new_K: NDArray[np.int64]
    kin_KQ: NDArray[np.int32]

    @classmethod
    def of(cls, vectors_VD: NDArray[np.float32], id_V: NDArray[np.int64]) -> Self:
        """Find the kin of all new videos, by cosine; a video without any modality has none and is none."""
        new_K, kin_KQ = _kin(vectors_VD, id_V, 0)
        return cls(id_V=id_V, new_K=new_K, kin_KQ=kin_KQ)

    def extended(self, vectors_VD: NDArray[np.float32], id_N: NDArray[np.int64]) -> Kinship:
        """The same with further videos behind; ``vectors_VD`` holds those of all, and only the added get kin."""
        id_V = np.concatenate([self.id_V, id_N])
        new_K, kin_KQ = _kin(vectors_VD, id_V, len(self.id_V))
        if not len(new_K):
            return Kinship(id_V=id_V, new_K=self.new_K, kin_KQ=self.kin_KQ)
        # Where nothing was known before, no earlier video has kin, however many columns that makes.
        kin_KQ = np.concatenate([self.kin_KQ, kin_KQ]) if len(self.new_K) else kin_KQ
        return Kinship(id_V=id_V, new_K=np.concatenate([self.new_K, new_K]), kin_KQ=kin_KQ)

    def carried(self, values: VideoValues | VideoFactors, rows_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values of videos of the catalogue: (U, N); of a new one the mean of its kin's, 0 where it has none."""
        return self.asked(rows_N).of(values)

    def asked(self, rows_N: NDArray[np.int64]) -> Asked:
        """Look up which videos of the vocabulary stand for some of the catalogue."""
        id_N = self.id_V[rows_N]
        known_N, other_N = np.flatnonzero(id_N >= 0), np.flatnonzero(id_N < 0)
        other_N, kin_NQ = self._kin_of(rows_N, other_N)
        # Many new videos have the same kin.
        ids_A, which = np.unique(np.concatenate([id_N[known_N], kin_NQ.ravel()]), return_inverse=True)
        return Asked(
            rows=len(rows_N),
            ids_A=ids_A,
            known_N=known_N,
            which_N=which[: len(known_N)],
            other_N=other_N,
            which_NQ=which[len(known_N) :].reshape(kin_NQ.shape),
        )

    def _kin_of(
        self, rows_N: NDArray[np.int64], other_N: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Which of the new ones have kin, and theirs."""
        if not len(self.new_K):
            return other_N[:0], self.kin_KQ[:0]
        place_N = np.minimum(np.searchsorted(self.new_K, rows_N[other_N]), len(self.new_K) - 1)
        has_kin_N = self.new_K[place_N] == rows_N[other_N]
        return other_N[has_kin_N], self.kin_KQ[place_N[has_kin_N]]


def _kin(
    vectors_VD: NDArray[np.float32], id_V: NDArray[np.int64], first: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The new videos from the ``first`` on (K,), and for each its kin (K, Q); nobody where nothing is known."""
    known_N = np.flatnonzero((id_V >= 0) & (vectors_VD != 0).any(axis=1))
    late_VD = vectors_VD[first:]
    new_K = first + np.flatnonzero((id_V[first:] < 0) & (late_VD != 0).any(axis=1))
    if not len(known_N) or not len(new_K):
        return new_K[:0], np.zeros((0, min(KIN, len(known_N))), np.int32)
    index = _index_of(_unit(vectors_VD[known_N]), len(new_K))
    kin_KQ = np.empty((len(new_K), min(KIN, len(known_N))), np.int32)
    block = max(1, _BLOCK_PAIRS // len(known_N))
    for start in range(0, len(new_K), block):
        here = slice(start, start + block)
        _, place_BQ = index.search(_unit(vectors_VD[new_K[here]]), kin_KQ.shape[1])
        # Lists may hold too few: the nearest then stands for what is lacking as well.
        kin_KQ[here] = id_V[known_N[np.where(place_BQ >= 0, place_BQ, np.maximum(place_BQ[:, :1], 0))]]
    return new_K, kin_KQ


def _index_of(unit_ND: NDArray[np.float32], questions: int) -> faiss.Index:
    """Compares with all of them, or, where that were too many pairs, with those in the lists nearest to a question."""
    rows, width = unit_ND.shape
    flat = faiss.IndexFlatIP(width)
    if rows * questions <= _EXACT_PAIRS:
        flat.add(unit_ND)
        return flat
    lists = faiss.IndexIVFFlat(flat, width, max(1, int(2 * rows**0.5)), faiss.METRIC_INNER_PRODUCT)
    lists.train(unit_ND)
    lists.add(unit_ND)
    lists.nprobe = _LISTS_LOOKED_INTO
    return lists


def _unit(vectors_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    unit_ND: NDArray[np.float32] = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.ascontiguousarray(unit_ND, np.float32)
