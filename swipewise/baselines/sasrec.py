"""SASRec (arXiv:1808.09781): a causal Transformer over ids that predicts the next video a viewer will like.

Trained as published, with binary cross-entropy, or with a softmax over many negatives, which makes it much stronger
(arXiv:2307.00457).

Legend of shape suffixes: B = viewers or windows in a batch, L = events, L1 = events and the opening place, T = targets,
N = videos asked for, V = videos, D = width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from swipewise.baselines.encoder import SequenceEncoder
from swipewise.baselines.ids import Contrast, IdNetwork, Loss, Negatives, VideoIds, contrast_loss
from swipewise.baselines.neural import IdRecommender
from swipewise.baselines.schedule import Schedule, initialise, nothing
from swipewise.baselines.sequences import (
    Inputs,
    NextPositives,
    Tokens,
    WindowBatches,
    pad_tokens,
    read_inputs,
    viewer_offsets,
)
from swipewise.training.dataset import Dataset
from swipewise.training.histories import Windows
from swipewise.training.learner import Learner, StepLoss
from swipewise.training.loop import Epoch
from swipewise.training.ranking import ScoreFn
from swipewise.training.sampling import WHOLE, Part

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


def sasrec_space(trial: BaseTrial) -> dict[str, Any]:
    """The settings that SASRec is searched over."""
    return {
        "width": trial.suggest_categorical("width", [32, 64, 128]),
        "layers": trial.suggest_int("layers", 1, 3),
        "heads": trial.suggest_categorical("heads", [1, 2, 4]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "ahead": trial.suggest_categorical("ahead", [1, 4, 16]),
        "inputs": trial.suggest_categorical("inputs", [each.value for each in Inputs]),
        "loss": trial.suggest_categorical("loss", [each.value for each in Loss]),
        "negatives": trial.suggest_int("negatives", 64, 2048, log=True),
    }


class SASRecRecommender(IdRecommender["SASRec"]):
    """Self-attentive sequential recommendation, fitted and ready to rank.

    Args:
        width: Of every vector.
        layers: Of the Transformer.
        heads: Of attention; they divide the width.
        feed: How many times as wide the feed-forward layers are within; 1 as published.
        dropout: In the Transformer.
        learning_rate: Peak step size of AdamW.
        history: Events that are read.
        ahead: How far ahead: one of the viewer's next so many positive videos is predicted; 1 as published.
        inputs: "positives" as published, or "exposures": all that was shown, with what the viewer made of it.
        loss: "softmax" over negatives corrected by log Q, or "bce" as published, with evenly drawn negatives.
        negatives: Drawn for each batch and shared by its targets; None takes all videos.
        schedule: How it is trained.
        validation: Interactions after those it will be fitted on, for early stopping; None trains for all epochs.
        on_epoch: Told after every epoch.
    """

    name = "sasrec"

    def __init__(
        self,
        *,
        width: int = 64,
        layers: int = 1,
        heads: int = 2,
        feed: int = 4,
        dropout: float = 0.3,
        learning_rate: float = 2e-3,
        history: int = 100,
        ahead: int = 16,
        inputs: str = Inputs.EXPOSURES,
        loss: str = Loss.SOFTMAX,
        negatives: int | None = 1024,
        schedule: Schedule | None = None,
        validation: Dataset | None = None,
        on_epoch: Callable[[Epoch], None] = nothing,
    ) -> None:
        super().__init__(
            history=history,
            inputs=inputs,
            learning_rate=learning_rate,
            schedule=schedule or Schedule(),
            validation=validation,
            on_epoch=on_epoch,
        )
        self.width, self.layers, self.heads, self.feed, self.dropout = width, layers, heads, feed, dropout
        self.ahead, self.loss, self.negatives = ahead, Loss(loss), negatives

    def _untrained(self, dataset: Dataset) -> SASRec:
        return SASRec(
            videos=len(dataset.video_ids),
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            feed=self.feed,
            history=self.history,
            dropout=self.dropout,
        )

    def _learner(self, network: SASRec, dataset: Dataset) -> Learner[Any]:
        return _SASRecLearner(self, network, dataset)


class SASRec(IdNetwork):
    """h after each event from what came up to it; place 0 knows nothing."""

    def __init__(
        self, *, videos: int, width: int, layers: int, heads: int, feed: int, history: int, dropout: float
    ) -> None:
        super().__init__()
        self.ids = VideoIds(videos=videos, width=width)
        self.positive = nn.Embedding(2, width)
        self.opening = nn.Parameter(torch.zeros(width))
        self.encoder = SequenceEncoder(
            width=width,
            layers=layers,
            heads=heads,
            feed=feed,
            places=history + 1,
            dropout=dropout,
            causal=True,
        )
        initialise(self)
        nn.init.zeros_(self.ids.bias.weight)

    def forward(self, tokens: Tokens, last_B: Tensor) -> Tensor:
        """Read histories up to their places ``last_B``: (B, L1, D)."""
        h_BL1D: Tensor = self.encoder(self._opened(tokens), last_B)
        return h_BL1D

    def last(self, tokens: Tokens) -> Tensor:
        """h after the last event: (B, D)."""
        return self.encoder.last(self._opened(tokens), tokens.length_B)

    def _opened(self, tokens: Tokens) -> Tensor:
        """The opening place and the events: (B, L1, D)."""
        tokens_BLD = self.ids(tokens.video_BL) + self.positive(tokens.positive_BL)
        return torch.cat([self.opening.expand(len(tokens_BLD), 1, -1), tokens_BLD], dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Windows and what they are to predict.

    last_B: int64, the last place that has a target; place_T: int64 rows of the flattened (B, L1) places that predict
    the targets of ``contrast``.
    """

    tokens: Tokens
    last_B: Tensor
    place_T: Tensor
    contrast: Contrast


class _SASRecLearner:
    def __init__(self, settings: SASRecRecommender, network: SASRec, dataset: Dataset) -> None:
        self._settings, self._network = settings, network
        self._rows = read_inputs(dataset, settings.inputs)
        popular = 0.5 if settings.loss == Loss.SOFTMAX else 0.0
        self._negatives = Negatives(dataset, settings.negatives, popular=popular)
        self._next = NextPositives(self._rows, settings.ahead)
        self._windows = WindowBatches(
            viewer_offsets(self._rows, len(dataset.viewer_ids)),
            history=settings.history,
            batch_events=settings.schedule.batch_events,
            seed=settings.schedule.seed,
        )

    @property
    def network(self) -> nn.Module:
        return self._network

    def steps(self, epoch: int) -> int:
        return self._windows.steps(epoch)

    def batches(self, epoch: int, start: int, part: Part = WHOLE) -> Iterator[_Batch | None]:
        for drawn in self._windows.windows(epoch, start, part):
            yield None if drawn is None else self._batch(*drawn)

    def _batch(self, windows: Windows, rng: np.random.Generator) -> _Batch:
        tokens = pad_tokens(self._rows, windows.start_W, windows.end_W)
        place_T, row_T = self._next.of(windows, tokens.video_BL.shape[1], rng)
        contrast = self._negatives.against(self._rows.video_I[row_T], self._rows.at_I[row_T], rng)
        last_B = _last_places(place_T, tokens.video_BL.shape[1] + 1, len(windows))
        return _Batch(
            tokens=tokens,
            last_B=torch.from_numpy(last_B),
            place_T=torch.from_numpy(place_T),
            contrast=contrast,
        )

    def loss(self, batch: _Batch) -> StepLoss:
        device = self._network.ids.device
        h_BL1D = self._network(batch.tokens.to(device), batch.last_B.to(device))
        h_TD = h_BL1D.flatten(0, 1)[batch.place_T.to(device)]
        loss = contrast_loss(self._network.ids, h_TD, batch.contrast.to(device), self._settings.loss)
        return StepLoss(loss=loss, shown=float(loss.detach()), weight=len(batch.place_T))

    def scorer(self, history: Dataset) -> ScoreFn:
        return self._settings.scorer(history)


def _last_places(place_T: NDArray[np.int64], places: int, windows: int) -> NDArray[np.int64]:
    """The last of the flattened (B, places) places in each window, 0 where it has none: (B,)."""
    last_B = np.zeros(windows, np.int64)
    np.maximum.at(last_B, place_T // places, place_T % places)
    return last_B
