"""Item-based collaborative filtering: videos liked by the viewers who liked what this viewer liked.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, B = viewers asked for, N = videos asked for.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen

DAY_MS = 86_400_000

_BLOCK_SIMILARITIES = 4_000_000


class ItemCFRecommender:
    """Cosine between the columns of the viewer-by-video matrix, kept for the nearest neighbours of each video.

    Where no neighbour speaks, for cold viewers and cold videos, popularity decides.

    Args:
        neighbours: How many neighbours of a video are kept.
        shrinkage: Similarities that rest on n shared viewers are scaled by n / (n + shrinkage).
        inverse_user_frequency: Whether viewers with long histories say less about which videos belong together
            (their interactions weigh 1 / sqrt(log(1 + length))).
        exposure_weight: What an interaction that was not positive counts, where a positive one counts 1.
        half_life_days: Time in which the weight of an interaction of the history halves; None for no decay.
    """

    name = "itemcf"

    def __init__(
        self,
        *,
        neighbours: int = 100,
        shrinkage: float = 10.0,
        inverse_user_frequency: bool = True,
        exposure_weight: float = 0.0,
        half_life_days: float | None = None,
    ) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.inverse_user_frequency = inverse_user_frequency
        self.exposure_weight = exposure_weight
        self.half_life_days = half_life_days
        self._similarity_VV: sp.csr_array | None = None
        self._popularity_V: NDArray[np.float64] | None = None
        self._history_UV: sp.csr_array | None = None
        self._dataset: Dataset | None = None

    def fit(self, dataset: Dataset) -> Self:
        """Compute the neighbours of every video."""
        taste_UV = self._weights(dataset, np.ones(len(dataset.interactions)))
        if self.inverse_user_frequency:
            length_U = np.diff(taste_UV.indptr)
            scale_U = 1 / np.sqrt(np.log(1 + np.maximum(length_U, 1)))
            taste_UV = sp.csr_array(sp.diags_array(scale_U) @ taste_UV)
        self._similarity_VV = _neighbours(taste_UV, self.neighbours, self.shrinkage)
        rows = dataset.interactions
        count_V = np.bincount(rows.video_I[rows.positive_I], minlength=len(dataset.video_ids))
        # Far below any similarity that matters: it only orders what the neighbours leave equal.
        self._popularity_V = 1e-6 * count_V / max(count_V.max(initial=0), 1)
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories to score with; the neighbours stay."""
        at_I = dataset.interactions.at_I
        decay_I = np.ones(len(at_I))
        if self.half_life_days is not None:
            age_days_I = (at_I.max(initial=0) - at_I) / DAY_MS
            decay_I = 0.5 ** (age_days_I / self.half_life_days)
        self._history_UV = self._weights(dataset, decay_I)
        self._dataset = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sum of the similarities to the viewer's history, weighted (B, N)."""
        assert self._similarity_VV is not None, "fit first"
        assert self._history_UV is not None
        assert self._popularity_V is not None
        summed_BV = (self._history_UV[viewers_B] @ self._similarity_VV).toarray()
        scores_BN: NDArray[np.float64] = summed_BV[:, videos_N] + self._popularity_V[videos_N]
        return scores_BN.astype(np.float32)

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The k unseen videos nearest to the history (B, k)."""
        assert self._dataset is not None, "fit first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)

    def _weights(self, dataset: Dataset, scale_I: NDArray[np.float64]) -> sp.csr_array:
        """Weights (U, V) of what viewers did with videos; of several interactions with one video the strongest."""
        rows = dataset.interactions
        weight_I = scale_I * np.where(rows.positive_I, 1.0, self.exposure_weight)
        pair_I = rows.viewer_I * len(dataset.video_ids) + rows.video_I
        order = np.lexsort((-weight_I, pair_I))
        pairs, first = np.unique(pair_I[order], return_index=True)
        weight = weight_I[order][first]
        counts = weight > 0
        viewer, video = np.divmod(pairs[counts], len(dataset.video_ids))
        shape = (len(dataset.viewer_ids), len(dataset.video_ids))
        return sp.csr_array((weight[counts], (viewer, video)), shape=shape)


def _neighbours(taste_UV: sp.csr_array, neighbours: int, shrinkage: float) -> sp.csr_array:
    """Shrunk cosines (V, V), of each row only the largest ``neighbours``; block by block of rows."""
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
