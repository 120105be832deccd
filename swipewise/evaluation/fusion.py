"""What fusion listens to, and whether that is what the viewers of a simulated world listen to.

Legend of shape suffixes: U = viewers, B = viewers asked for, M = modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset

MIN_INTERACTIONS = 20
"""Viewers with fewer interactions have shown too little for their weights to be judged."""


@runtime_checkable
class Attentive(Protocol):
    """A recommender that can say what it listens to."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the columns of ``modality_weights``."""
        ...

    def modality_weights(self, viewers_B: NDArray[np.int64]) -> NDArray[np.floating]:
        """Mean α over the catalogue for each viewer: (B, M), rows sum to 1."""
        ...


class PlantedWeights(Protocol):
    """What a simulated world can be asked about its viewers."""

    def weights(self, viewer_ids: Sequence[str]) -> NDArray[np.floating]:
        """Planted weights (U, M), columns as CONTENT_MODALITIES, rows sum to 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Planted against learned weights of the content modalities, over viewers with enough interactions.

    planted_UM, learned_UM: (U, M), rows sum to 1, columns as ``spearman`` without its "mean".
    """

    spearman: Mapping[str, float]
    planted_UM: NDArray[np.float64]
    learned_UM: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What the model listens to.

    weights_UM: (U, M), one row for each viewer with a history before the cut, rows sum to 1.
    """

    modalities: tuple[str, ...]
    weights_UM: NDArray[np.float64]
    agreement: Agreement | None


def attention_of(model: Attentive, history: Dataset, truth: PlantedWeights | None) -> Attention | None:
    """Weights of every viewer with a history, and how they agree with the truth where it is known.

    None when no viewer has a history.
    """
    viewers_U = well_known_viewers(history, at_least=1)
    if not len(viewers_U):
        return None
    return Attention(
        modalities=tuple(model.modalities),
        weights_UM=np.asarray(model.modality_weights(viewers_U), np.float64),
        agreement=_agreement(model, history, truth) if truth is not None else None,
    )


def _agreement(model: Attentive, history: Dataset, truth: PlantedWeights) -> Agreement | None:
    viewers_U = well_known_viewers(history)
    columns = [column for column, name in enumerate(CONTENT_MODALITIES) if name in model.modalities]
    names = [str(CONTENT_MODALITIES[column]) for column in columns]
    if len(viewers_U) < 2 or len(names) < 2:
        return None
    planted_UM = truth.weights([history.viewer_ids[viewer] for viewer in viewers_U])
    planted_UM = content_weights(planted_UM, CONTENT_MODALITIES, names)
    learned_UM = content_weights(model.modality_weights(viewers_U), model.modalities, names)
    return Agreement(
        spearman=weight_agreement(planted_UM, learned_UM, names), planted_UM=planted_UM, learned_UM=learned_UM
    )


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
    from scipy.stats import rankdata  # slow to import

    a, b = rankdata(a_U) - (len(a_U) + 1) / 2, rankdata(b_U) - (len(b_U) + 1) / 2
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else 0.0
