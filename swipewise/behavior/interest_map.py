"""The interest map: videos laid out in a plane so that like ones lie together, and each viewer amid what they like.

Some videos, the landmarks, are laid out by t-SNE, which keeps neighbours together; every other video, and every viewer,
goes to where the landmarks nearest to them lie. So a map of a hundred thousand videos costs little more than one of two
thousand, and a new video or viewer has a place without the map being drawn again.

Legend of shape suffixes: V = videos, N = points to place, L = landmarks, K = nearest landmarks, D = width of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import DataError

LANDMARKS: Final = 2_000

_NEAREST = 8
_WIDTH = 50  # principal directions that t-SNE looks at
_PERPLEXITY = 30.0
_LEAST = 4
_ALIKE = 1e-9  # spread of directions below which they are one
_BLOCK = 4_096  # points placed at a time
_SHARPNESS = 30.0  # of the weights of near landmarks, by the cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestMap:
    """Where landmarks lie: vector_LD float64 of length 1, place_L2 float64 within [-1, 1]."""

    vector_LD: NDArray[np.float64]
    place_L2: NDArray[np.float64]

    @classmethod
    def draw(cls, vectors_VD: NDArray[np.floating], *, landmarks: int = LANDMARKS, seed: int = 0) -> Self:
        """Lay out videos; the same vectors and seed give the same map.

        Args:
            vectors_VD: Of all videos; only directions count.
            landmarks: Videos that are laid out by t-SNE, drawn at random where there are more.
            seed: Of the draw and of t-SNE.

        Returns:
            The map, on which others can be placed.

        Raises:
            DataError: There are too few videos.
        """
        if len(vectors_VD) < _LEAST:
            raise DataError(
                f"{len(vectors_VD)} videos are too few for a map, {_LEAST} are needed: add more videos"
            )
        rng = np.random.default_rng(seed)
        some = np.sort(rng.permutation(len(vectors_VD))[:landmarks])
        vector_LD = _unit(vectors_VD[some])
        place_L2 = _layout(vector_LD, seed)
        extent = float(np.abs(place_L2).max())
        return cls(vector_LD=vector_LD, place_L2=place_L2 / extent if extent > 0 else place_L2)

    def place(self, vectors_ND: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where videos or viewers with these vectors lie: (N, 2), within [-1, 1].

        The mean of the nearest landmarks, the nearer the more; a landmark lies where it was laid.

        Args:
            vectors_ND: (N, D), of the index that the map was drawn of.
        """
        parts = [self._place(vectors_ND[start : start + _BLOCK]) for start in range(0, len(vectors_ND), _BLOCK)]
        return np.concatenate(parts) if parts else np.zeros((0, 2))

    def _place(self, vectors_ND: NDArray[np.floating]) -> NDArray[np.float64]:
        cosine_NL = _unit(vectors_ND) @ self.vector_LD.T
        count = min(_NEAREST, cosine_NL.shape[1])
        near_NK = np.argpartition(-cosine_NL, count - 1, axis=1)[:, :count]
        cosine_NK = np.take_along_axis(cosine_NL, near_NK, axis=1)
        best_N1 = cosine_NK.max(axis=1, keepdims=True)
        weight_NK = np.exp(_SHARPNESS * (cosine_NK - best_N1))
        weight_NK = np.where(best_N1 > 1 - 1e-9, cosine_NK > 1 - 1e-9, weight_NK)
        place_N2: NDArray[np.float64] = (weight_NK[:, :, None] * self.place_L2[near_NK]).sum(axis=1)
        place_N2 /= weight_NK.sum(axis=1, keepdims=True)
        return place_N2


def _unit(vectors_ND: NDArray[np.floating]) -> NDArray[np.float64]:
    values_ND: NDArray[np.float64] = vectors_ND.astype(np.float64)
    values_ND /= np.maximum(np.linalg.norm(values_ND, axis=1, keepdims=True), 1e-12)
    return values_ND


def _layout(vector_LD: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """t-SNE from where the principal components put the landmarks; alone where there are few."""
    from sklearn.manifold import TSNE

    centred_LD = vector_LD - vector_LD.mean(axis=0)
    _, _, direction_RD = np.linalg.svd(centred_LD, full_matrices=False)
    # Signs of principal directions are anybody's choice: this one does not depend on the library.
    strongest_R = np.abs(direction_RD).argmax(axis=1)
    signs_R = np.sign(direction_RD[np.arange(len(direction_RD)), strongest_R])
    part_LR = centred_LD @ (direction_RD * signs_R[:, None])[:_WIDTH].T
    start_L2 = np.pad(part_LR[:, :2], ((0, 0), (0, max(0, 2 - part_LR.shape[1]))))
    perplexity = min(_PERPLEXITY, (len(vector_LD) - 1) / 3)
    spread = float(start_L2[:, 0].std())
    if perplexity < _LEAST or spread < _ALIKE:
        return start_L2
    start_L2 *= 1e-4 / spread
    drawing = TSNE(perplexity=perplexity, init=start_L2.astype(np.float32), random_state=seed, n_jobs=1)
    laid_L2 = np.asarray(drawing.fit_transform(part_LR.astype(np.float32)), np.float64)
    laid_L2 -= laid_L2.mean(axis=0)
    return laid_L2
