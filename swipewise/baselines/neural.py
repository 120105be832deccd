"""What the baselines that read histories share: fitting through the model's loop, observing, scoring, ranking.

Legend of shape suffixes: B = viewers, N = videos asked for, V = videos.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from swipewise.baselines.ids import IdNetwork, id_scorer, known_videos
from swipewise.baselines.schedule import Schedule, fit_learner
from swipewise.baselines.sequences import Inputs
from swipewise.training.dataset import Dataset
from swipewise.training.learner import Learner
from swipewise.training.loop import Epoch
from swipewise.training.ranking import ScoreFn, top_k_unseen

Network = TypeVar("Network", bound=nn.Module)
OverIds = TypeVar("OverIds", bound=IdNetwork)


class NeuralRecommender(ABC, Generic[Network]):
    """A network behind the face of a recommender; a subclass says what it is, how it learns and how it ranks.

    Args:
        learning_rate: Peak step size of AdamW.
        schedule: How it is trained.
        validation: Interactions after those it will be fitted on, for early stopping; None trains for all epochs.
        on_epoch: Told after every epoch.
    """

    name: str

    def __init__(
        self,
        *,
        learning_rate: float,
        schedule: Schedule,
        validation: Dataset | None,
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        self.learning_rate, self.schedule = learning_rate, schedule
        self._validation, self._on_epoch = validation, on_epoch
        self._network: Network | None = None
        self._dataset: Dataset | None = None
        self._score: ScoreFn | None = None

    def fit(self, dataset: Dataset) -> Self:
        """Train on the interactions of ``dataset``.

        Raises:
            DataError: It holds no positive interaction, or the loss is not a number.
        """

        def make(device: torch.device) -> Learner[Any]:
            self._network = self._untrained(dataset).to(device)
            return self._learner(self._network, dataset)

        self._prepare(dataset)
        fit_learner(make, self.schedule, self.learning_rate, dataset, self._validation, self._on_epoch)
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Rank with the histories of ``dataset`` from now on."""
        self._dataset = dataset
        self._score = self.scorer(dataset)
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of the network (B, N)."""
        assert self._score is not None, "fit first"
        return self._score(viewers_B, videos_N)

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k unseen videos of each viewer (B, k)."""
        return top_k_unseen(self.score, self._observed, viewers_B, k)

    @property
    def _fitted(self) -> Network:
        assert self._network is not None, "fit first"
        return self._network

    @property
    def _observed(self) -> Dataset:
        assert self._dataset is not None, "fit first"
        return self._dataset

    @abstractmethod
    def scorer(self, dataset: Dataset) -> ScoreFn:
        """Scores of the network, as it is now, under the histories of ``dataset``."""

    @abstractmethod
    def _prepare(self, dataset: Dataset) -> None:
        """Note what of the data set the network has to know before it is made."""

    @abstractmethod
    def _untrained(self, dataset: Dataset) -> Network:
        """A network with fresh weights."""

    @abstractmethod
    def _learner(self, network: Network, dataset: Dataset) -> Learner[Any]:
        """How it learns."""


class IdRecommender(NeuralRecommender[OverIds]):
    """A network over the ids of what was watched; videos that training never saw rank last.

    Args:
        history: Events that are read.
        inputs: "positives" as published, or "exposures": all that was shown, with what the viewer made of it.
        others: As :class:`NeuralRecommender` takes them.
    """

    def __init__(
        self,
        *,
        history: int,
        inputs: str,
        learning_rate: float,
        schedule: Schedule,
        validation: Dataset | None,
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        super().__init__(learning_rate=learning_rate, schedule=schedule, validation=validation, on_epoch=on_epoch)
        self.history, self.inputs = history, Inputs(inputs)
        self._known_V = np.zeros(0, bool)

    def scorer(self, dataset: Dataset) -> ScoreFn:
        """Scores h_u · e_i + b_i under the histories of ``dataset``."""
        return id_scorer(self._fitted, dataset, inputs=self.inputs, history=self.history, known_V=self._known_V)

    def _prepare(self, dataset: Dataset) -> None:
        self._known_V = known_videos(dataset)
