"""Whether the modalities of one video say the same: their projected vectors against those of other videos.

Legend of shape suffixes: V = videos, M = modalities, D = model width, K = videos with both modalities.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected

MOST_VIDEOS: Final = 2000
"""So many videos are looked at, drawn at random where more have both modalities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Two modalities, over the ``videos`` that have both.

    same, different: mean cosine of p_m between the modalities of one video, and of two different videos.
    rank: looking from one modality for the same video in the other, the share of the other videos that are nearer,
    mean over both directions; 0 is always found, 1/2 is chance. found: how often it is the nearest of all.
    """

    first: str
    second: str
    videos: int
    same: float
    different: float
    rank: float
    found: float


def alignments(
    fitted: FittedModel, dataset: Dataset, *, most_videos: int = MOST_VIDEOS, seed: int = 0
) -> tuple[Alignment, ...]:
    """Every two content modalities of the model that at least two videos have both of."""
    projected = Projected(fitted, dataset)
    p_VMD, present_VM = projected.p_VMD.cpu().numpy(), projected.present_VM.cpu().numpy()
    content = [column for column, name in enumerate(fitted.modalities) if name in CONTENT_MODALITIES]
    found = []
    for a, b in combinations(content, 2):
        both_K = np.flatnonzero(present_VM[:, a] & present_VM[:, b])
        if len(both_K) > most_videos:
            both_K = np.random.default_rng(seed).choice(both_K, most_videos, replace=False)
        if len(both_K) >= 2:
            names = fitted.modalities[a], fitted.modalities[b]
            found.append(alignment(p_VMD[both_K, a], p_VMD[both_K, b], names))
    return tuple(found)


def alignment(
    first_KD: NDArray[np.floating], second_KD: NDArray[np.floating], names: tuple[str, str] = ("first", "second")
) -> Alignment:
    """Two vectors of each of at least two videos, in one order.

    >>> apart = np.eye(3)
    >>> found = alignment(apart, apart)
    >>> found.same, found.different, found.rank, found.found
    (1.0, 0.0, 0.0, 1.0)
    """
    cosine_KK = _unit(first_KD) @ _unit(second_KD).T
    count = len(cosine_KK)
    own_K = np.diagonal(cosine_KK)
    ranks = [_nearer(cosine_KK, own_K), _nearer(cosine_KK.T, own_K)]
    return Alignment(
        first=names[0],
        second=names[1],
        videos=count,
        same=float(own_K.mean()),
        different=float((cosine_KK.sum() - own_K.sum()) / (count * (count - 1))),
        rank=float(np.mean(ranks) / (count - 1)),
        found=float(np.mean([rank_K < 0.5 for rank_K in ranks])),
    )


def _unit(values_KD: NDArray[np.floating]) -> NDArray[np.float64]:
    length_K1 = np.linalg.norm(values_KD, axis=1, keepdims=True)
    unit_KD: NDArray[np.float64] = np.divide(
        values_KD, length_K1, out=np.zeros(values_KD.shape, np.float64), where=length_K1 > 0
    )
    return unit_KD


def _nearer(cosine_KK: NDArray[np.float64], own_K: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many other videos are nearer than the own one, ties counting half: (K,)."""
    above_K = (cosine_KK > own_K[:, None]).sum(axis=1)
    equal_K = (cosine_KK == own_K[:, None]).sum(axis=1) - 1
    nearer_K: NDArray[np.float64] = above_K + equal_K / 2
    return nearer_K
