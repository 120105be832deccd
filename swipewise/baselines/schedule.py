"""How the neural baselines are trained: through the loop that the model goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from swipewise.config import TrainingConfig
from swipewise.training.dataset import Dataset
from swipewise.training.learner import B, Learner
from swipewise.training.loop import Epoch, Trained, choose_device, seeded, train, validation_task


def initialise(network: nn.Module) -> None:
    """Embeddings N(0, 1/d), so that a vector of an embedding has a length of about 1; linear maps Xavier, biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a neural baseline is trained; the loop is the one that the model goes through.

    Attributes:
        epochs: Passes over the data at most.
        patience: Epochs without a better validation NDCG@10 before stopping.
        batch_events: Events in one batch.
        average: Share of the running average of the parameters that each step keeps.
        weight_decay: Decay of AdamW.
        seed: Of every random choice.
        device: auto, cpu or cuda.
    """

    epochs: int = 30
    patience: int = 5
    batch_events: int = 2048
    average: float = 0.99
    weight_decay: float = 0.01
    seed: int = 0
    device: str = "auto"

    def training(self, learning_rate: float) -> TrainingConfig:
        """As the loop reads it."""
        return TrainingConfig(
            seed=self.seed,
            epochs=self.epochs,
            patience=self.patience,
            batch_events=self.batch_events,
            learning_rate=learning_rate,
            average=self.average,
            weight_decay=self.weight_decay,
            device=self.device,
        )


def fit_learner(
    make: Callable[[torch.device], Learner[B]],
    schedule: Schedule,
    learning_rate: float,
    dataset: Dataset,
    validation: Dataset | None,
    on_epoch: Callable[[Epoch], None],
) -> Trained:
    """Make a learner with the schedule's seed and train it.

    Raises:
        DataError: The loss is not a number, or there is nothing to learn from.
    """
    settings = schedule.training(learning_rate)
    with seeded(settings.seed):
        learner = make(choose_device(settings.device))
        return train(learner, settings, validation_task(dataset, validation), on_epoch=on_epoch)


def nothing(_: Any) -> None:
    """Tell nobody."""
