"""BERT4Rec (arXiv:1904.06690): a Transformer that looks both ways and fills in videos that were masked.

To rank, a mask is put after the history. Undertrained, as it often was, it falls far behind (arXiv:2207.07483), so
its schedule is a long one.

Legend of shape suffixes: B = viewers or windows in a batch, L = places, T = masked places, N = videos asked for,
V = videos, D = width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from swipewise.baselines.encoder import SequenceEncoder
from swipewise.baselines.ids import Contrast, IdNetwork, Loss, Negatives, VideoIds, contrast_loss
from swipewise.baselines.neural import IdRecommender
from swipewise.baselines.schedule import Schedule, initialise, nothing
from swipewise.baselines.sequences import (
    Inputs,
    Tokens,
    WindowBatches,
    pad_tokens,
    read_inputs,
    viewer_offsets,
)
from swipewise.model.linear import Linear
from swipewise.training.dataset import Dataset
from swipewise.training.histories import Windows
from swipewise.training.learner import Learner, StepLoss
from swipewise.training.loop import Epoch
from swipewise.training.ranking import ScoreFn
from swipewise.training.sampling import WHOLE, Part

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

LONG = Schedule(epochs=100, patience=8)
"""Masking gives a target for a part of the events only, so that an epoch teaches less than one of SASRec."""


def bert4rec_space(trial: BaseTrial) -> dict[str, Any]:
    """The settings that BERT4Rec is searched over."""
    return {
        "width": trial.suggest_categorical("width", [32, 64, 128]),
        "layers": trial.suggest_int("layers", 1, 3),
        "heads": trial.suggest_categorical("heads", [1, 2, 4]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "mask": trial.suggest_float("mask", 0.1, 0.8),
        "inputs": trial.suggest_categorical("inputs", [each.value for each in Inputs]),
        "negatives": trial.suggest_int("negatives", 64, 2048, log=True),
    }


class BERT4RecRecommender(IdRecommender["BERT4Rec"]):
    """Bidirectional sequential recommendation, fitted and ready to rank.

    Args:
        width: Of every vector.
        layers: Of the Transformer.
        heads: Of attention; they divide the width.
        dropout: In the Transformer.
        learning_rate: Peak step size of AdamW.
        history: Events that are read.
        mask: Share of the events that are masked; in one window of ten only the last one is, as in ranking.
        inputs: "positives" as published, or "exposures": all that was shown, with what the viewer made of it, which
            also stands at a mask; to rank, the mask at the end is one of a video that is liked.
        negatives: Drawn for each batch and shared by its targets; None takes all videos, as published.
        schedule: How it is trained.
        validation: Interactions after those it will be fitted on, for early stopping; None trains for all epochs.
        on_epoch: Told after every epoch.
    """

    name = "bert4rec"

    def __init__(
        self,
        *,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        dropout: float = 0.2,
        learning_rate: float = 2e-3,
        history: int = 100,
        mask: float = 0.3,
        inputs: str = Inputs.EXPOSURES,
        negatives: int | None = 512,
        schedule: Schedule = LONG,
        validation: Dataset | None = None,
        on_epoch: Callable[[Epoch], None] = nothing,
    ) -> None:
        super().__init__(
            history=history,
            inputs=inputs,
            learning_rate=learning_rate,
            schedule=schedule,
            validation=validation,
            on_epoch=on_epoch,
        )
        self.width, self.layers, self.heads, self.dropout = width, layers, heads, dropout
        self.mask, self.negatives = mask, negatives

    def _untrained(self, dataset: Dataset) -> BERT4Rec:
        return BERT4Rec(
            videos=len(dataset.video_ids),
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            history=self.history,
            dropout=self.dropout,
        )

    def _learner(self, network: BERT4Rec, dataset: Dataset) -> Learner[Any]:
        return _BERT4RecLearner(self, network, dataset)


class BERT4Rec(IdNetwork):
    """h at each place from all places; where a video is masked only what the viewer made of it is known."""

    def __init__(self, *, videos: int, width: int, layers: int, heads: int, history: int, dropout: float) -> None:
        super().__init__()
        self.ids = VideoIds(videos=videos, width=width)
        self.positive = nn.Embedding(2, width)
        self.masked = nn.Parameter(torch.empty(width))
        self.encoder = SequenceEncoder(
            width=width, layers=layers, heads=heads, places=history + 1, dropout=dropout, causal=False
        )
        self.head = nn.Sequential(Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        initialise(self)
        nn.init.zeros_(self.ids.bias.weight)
        nn.init.normal_(self.masked, std=width**-0.5)

    def forward(self, tokens: Tokens, masked_BL: Tensor) -> Tensor:
        """h of the masked places in the order of the flattened (B, L): (T, D)."""
        x_BLD = self.encoder(self._hidden(tokens, masked_BL), tokens.length_B - 1, tokens.valid_BL)
        h_TD: Tensor = self.head(x_BLD[masked_BL])
        return h_TD

    def _hidden(self, tokens: Tokens, masked_BL: Tensor) -> Tensor:
        """The events, some of which do not tell their video: (B, L, D)."""
        video_BLD = torch.where(masked_BL.unsqueeze(-1), self.masked, self.ids(tokens.video_BL))
        hidden_BLD: Tensor = video_BLD + self.positive(tokens.positive_BL)
        return hidden_BLD

    def last(self, tokens: Tokens) -> Tensor:
        """h of a liked video after the last event: (B, D)."""
        row_B = torch.arange(len(tokens.length_B), device=tokens.length_B.device)

        def put(values_BL: Tensor, value: int) -> Tensor:
            longer_BL = functional.pad(values_BL, (0, 1))
            longer_BL[row_B, tokens.length_B] = value
            return longer_BL

        asked = replace(
            tokens,
            video_BL=put(tokens.video_BL, 0),
            positive_BL=put(tokens.positive_BL, 1),
            valid_BL=put(tokens.valid_BL, 1),
            length_B=tokens.length_B + 1,
        )
        hidden_BLD = self._hidden(asked, put(torch.zeros_like(tokens.valid_BL), 1))
        h_BD: Tensor = self.head(self.encoder.last(hidden_BLD, tokens.length_B, asked.valid_BL))
        return h_BD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """masked_BL: bool; the targets of ``contrast`` are what it hides, in the order of the flattened (B, L)."""

    tokens: Tokens
    masked_BL: Tensor
    contrast: Contrast


class _BERT4RecLearner:
    def __init__(self, settings: BERT4RecRecommender, network: BERT4Rec, dataset: Dataset) -> None:
        self._settings, self._network = settings, network
        self._rows = read_inputs(dataset, settings.inputs)
        self._negatives = Negatives(dataset, settings.negatives, popular=0.5)
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
        masked_BL = draw_masks(windows.length_W, tokens.video_BL.shape[1], self._settings.mask, rng)
        row_T = _rows_of(windows, masked_BL)
        contrast = self._negatives.against(self._rows.video_I[row_T], self._rows.at_I[row_T], rng)
        return _Batch(tokens=tokens, masked_BL=torch.from_numpy(masked_BL), contrast=contrast)

    def loss(self, batch: _Batch) -> StepLoss:
        device = self._network.ids.device
        h_TD = self._network(batch.tokens.to(device), batch.masked_BL.to(device))
        loss = contrast_loss(self._network.ids, h_TD, batch.contrast.to(device), Loss.SOFTMAX)
        return StepLoss(loss=loss, shown=float(loss.detach()), weight=len(h_TD))

    def scorer(self, history: Dataset) -> ScoreFn:
        return self._settings.scorer(history)


def draw_masks(
    length_B: NDArray[np.int64], places: int, share: float, rng: np.random.Generator, *, last: float = 0.1
) -> NDArray[np.bool_]:
    """Which places are masked: (B, places), of every window at least one.

    The share ``last`` of the windows has its last event masked and no other; of the rest each event is masked with
    the chance ``share``.
    """
    place_L = np.arange(places)
    masked_BL = (rng.random((len(length_B), places)) < share) & (place_L < length_B[:, None])
    alone_B = rng.random(len(length_B)) < last
    masked_BL[alone_B] = False
    alone_B |= ~masked_BL.any(axis=1)
    masked_BL[alone_B, length_B[alone_B] - 1] = True
    return masked_BL


def _rows_of(windows: Windows, masked_BL: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The interactions at the masked places: (T,)."""
    row_BL = windows.start_W[:, None] + np.arange(masked_BL.shape[1])
    return row_BL[masked_BL]
