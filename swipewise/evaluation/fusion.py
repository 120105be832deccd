"""Whether fusion listens to the right modality: planted against learned modality weights.

Legend of shape suffixes: U = viewers, M = content modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from swipewise.training.dataset import Dataset

MIN_INTERACTIONS = 20
"""Viewers with fewer interactions have shown too little for their weights to be judged."""


def content_weights(
    weights_UM: NDArray[np.floating], modalities: Sequence[str], content: Sequence[str]
) -> NDArray[np.float64]:
    """The columns of ``content``, scaled so that each row sums to 1 again.

    A model also weighs attributes and the id; a world's viewers only have weights for what can be seen, read and
    heard. A column that the model lacks is 0; so is a row whose content weights are all 0.
    """
    columns = [
        weights_UM[:, modalities.index(name)] if name in modalities else np.zeros(len(weights_UM))
        for name in content
    ]
    picked_UM = np.stack(columns, axis=1).astype(np.float64)
    total_U1 = picked_UM.sum(axis=1, keepdims=True)
    scaled_UM: NDArray[np.float64] = np.divide(
        picked_UM, total_U1, out=np.zeros_like(picked_UM), where=total_U1 > 0
    )
    return scaled_UM


def weight_agreement(
    planted_UM: NDArray[np.floating], learned_UM: NDArray[np.floating], names: Sequence[str]
) -> Mapping[str, float]:
    """Spearman correlation over viewers between planted and learned weights of each modality, and their "mean".

    0 where one side does not vary, as it then says nothing about who differs from whom.
    """
    found = {name: _spearman(planted_UM[:, column], learned_UM[:, column]) for column, name in enumerate(names)}
    return found | {"mean": float(np.mean(list(found.values())))}


def well_known_viewers(dataset: Dataset, at_least: int = MIN_INTERACTIONS) -> NDArray[np.int64]:
    """Indices of the viewers with at least so many interactions, ascending."""
    return np.flatnonzero(np.diff(dataset.viewer_offsets()) >= at_least)


def _spearman(a_U: NDArray[np.floating], b_U: NDArray[np.floating]) -> float:
    a, b = rankdata(a_U) - (len(a_U) + 1) / 2, rankdata(b_U) - (len(b_U) + 1) / 2
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else 0.0
