"""What the training loop asks of whatever it trains, and the learner of the interest model.

Legend of shape suffixes: B = viewers, N = videos.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from swipewise.config import Config
from swipewise.training.batches import Batch, Batches
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.objective import batch_loss
from swipewise.training.ranking import ScoreFn
from swipewise.training.sampling import WHOLE, Part
from swipewise.training.trends import Trends

B = TypeVar("B")
C = TypeVar("C", contravariant=True)

_IDS: Final = "project.id_embedding.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """The loss of one batch.

    loss: scalar to descend; shown: the part of it that an epoch reports, as a mean; weight: how many targets that
    mean is over.
    """

    loss: Tensor
    shown: float
    weight: int


class Learner(Protocol[B]):
    """A network and how it learns; ``B`` is whatever its batches are.

    The batches must be a function of the epoch, the part and the learner's seed alone, so that a training that was
    interrupted goes on with those that an unbroken one would have seen. The loop seeds torch before every step.
    """

    @property
    def network(self) -> nn.Module:
        """What is trained, on the device it is trained on."""
        ...

    def steps(self, epoch: int) -> int:
        """How many batches an epoch (from 0) has."""
        ...

    def batches(self, epoch: int, start: int, part: Part = WHOLE) -> Iterator[B | None]:
        """A part of the batches of an epoch from step ``start`` on; None where a batch is too small for the part."""
        ...

    def loss(self, batch: B) -> StepLoss:
        """The loss of a batch under the network's current parameters, in its current mode."""
        ...

    def scorer(self, history: Dataset) -> ScoreFn:
        """Rank with the network's current parameters and the histories of ``history``; called in eval mode."""
        ...


@runtime_checkable
class TellsRows(Protocol[C]):
    """A learner that tells which rows of its large tables a batch reads, so that these may be divided among workers."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The parameters of these tables, by their names in the network."""
        ...

    def rows(self, batch: C) -> Mapping[str, Tensor]:
        """The rows of each table, int64, in any order and any number of times."""
        ...


class InterestLearner:
    """The interest model as a learner: next positive interactions by sampled softmax.

    Args:
        fitted: Whose network is trained; it is moved to ``device``.
        dataset: What to learn from.
        config: Its ``model`` and ``training`` sections.
        device: Where to train.

    Raises:
        DataError: No interaction is positive.
    """

    def __init__(self, fitted: FittedModel, dataset: Dataset, config: Config, device: torch.device) -> None:
        self._fitted, self._config, self._device = fitted, config, device
        self._network = fitted.network.to(device)
        self._table = fitted.table(dataset).to(device)
        trends = Trends.of(dataset.interactions, dataset.uploaded_at_V)
        self._trends_GVS = torch.from_numpy(trends.values_GVS).to(device)
        self._batches = Batches(
            dataset,
            fitted.vocabulary.profile_codes(dataset.profile_values)[dataset.profile_UP],
            trends,
            config.model,
            config.training,
            fitted.taste_reader(dataset),
        )

    @property
    def network(self) -> nn.Module:
        """The interest model."""
        return self._network

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return len(self._batches.epoch(epoch))

    def batches(self, epoch: int, start: int, part: Part = WHOLE) -> Iterator[Batch | None]:
        """A part of the batches of an epoch from step ``start`` on."""
        return self._batches.steps(epoch, start, part)

    @property
    def tables(self) -> tuple[str, ...]:
        """That of the ids."""
        return (_IDS,) if self._network.project.id_embedding is not None else ()

    def rows(self, batch: Batch) -> dict[str, Tensor]:
        """The ids of all videos of a batch, also of those that it hides."""
        return {_IDS: self._table.id_V[batch.videos_K.to(self._device)]}

    def loss(self, batch: Batch) -> StepLoss:
        """All parts of the objective; the one that ranks is shown."""
        loss, ranking = batch_loss(
            self._network,
            self._table,
            self._trends_GVS,
            batch.to(self._device),
            self._config.model,
            self._config.training,
        )
        return StepLoss(loss=loss, shown=ranking, weight=len(batch.liked))

    def scorer(self, history: Dataset) -> ScoreFn:
        """z_u · f(u, i) of everybody after their last interaction."""
        return Projected(self._fitted, history).ranker(history)
