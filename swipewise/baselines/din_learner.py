"""How DIN learns: every exposure from what came before it, beside videos drawn for each positive one.

Legend of shape suffixes: B = windows in a batch, L = events, J = positive events of a window, N = negatives for one of
them, C = candidates of a window (its L events, then J * N negatives), A = actions, U = viewers, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from swipewise.baselines.activation import DIN
from swipewise.baselines.schedule import Schedule
from swipewise.baselines.sequences import Tokens, WindowBatches, pad_tokens
from swipewise.training.dataset import Dataset, told_actions
from swipewise.training.histories import Windows
from swipewise.training.learner import StepLoss
from swipewise.training.ranking import ScoreFn
from swipewise.training.sampling import WHOLE, Part, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class DINBatch:
    """Windows and their candidates.

    negative_BJN: int64 videos; place_BJ: int64, the place of each positive event; drawn_BJN: bool, True where a
    negative counts; learn_BL: bool, True where an exposure counts; actions_BLA:
    float32; told_BLA: bool, where an exposure that counts tells of the action; profile_BP: int64.
    """

    tokens: Tokens
    negative_BJN: Tensor
    place_BJ: Tensor
    drawn_BJN: Tensor
    learn_BL: Tensor
    actions_BLA: Tensor
    told_BLA: Tensor
    profile_BP: Tensor

    def to(self, device: torch.device) -> DINBatch:
        """The same on another device."""
        return DINBatch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class DINLearner:
    """Binary cross-entropy of liked videos against drawn ones and of each action of what was shown."""

    def __init__(
        self,
        network: DIN,
        dataset: Dataset,
        profile_UP: NDArray[np.int64],
        *,
        columns: tuple[int, ...],
        history: int,
        negatives: int,
        exposure_weight: float,
        action_weight: float,
        schedule: Schedule,
        scorer: Callable[[Dataset], ScoreFn],
    ) -> None:
        self._network, self._profile_UP = network, profile_UP
        self._rows, self._uploaded_at_V = dataset.interactions, dataset.uploaded_at_V
        self._action_IA = dataset.interactions.actions_IF[:, list(columns)]
        self._told_IA = told_actions(dataset.interactions)[:, list(columns)]
        self._negatives = negatives
        self._exposure_weight, self._action_weight = exposure_weight, action_weight
        self._proposal = Proposal.of(dataset.interactions, len(dataset.video_ids), popular=0.0)
        self._windows = WindowBatches(
            dataset.viewer_offsets(), history=history, batch_events=schedule.batch_events, seed=schedule.seed
        )
        self._scorer = scorer

    @property
    def network(self) -> nn.Module:
        """DIN."""
        return self._network

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self._windows.steps(epoch)

    def batches(self, epoch: int, start: int, part: Part = WHOLE) -> Iterator[DINBatch | None]:
        """A part of the batches of an epoch from step ``start`` on."""
        for drawn in self._windows.windows(epoch, start, part):
            yield None if drawn is None else self._batch(*drawn)

    def _batch(self, windows: Windows, rng: np.random.Generator) -> DINBatch:
        tokens = pad_tokens(self._rows, windows.start_W, windows.end_W)
        valid_BL = tokens.valid_BL.numpy()
        place_L = np.arange(valid_BL.shape[1])
        row_BL = np.where(valid_BL, windows.start_W[:, None] + place_L, 0)
        # Where windows overlap, the events before were candidates of the window before.
        learn_BL = valid_BL & (place_L >= windows.learn_W[:, None] - 1)
        liked_BL = learn_BL & self._rows.positive_I[row_BL]
        count_B = liked_BL.sum(axis=1)
        # A stable sort puts the positive places of each window first, in order.
        place_BJ = np.argsort(~liked_BL, axis=1, kind="stable")[:, : max(1, int(count_B.max()))]
        used_BJ = np.arange(place_BJ.shape[1]) < count_B[:, None]
        negative_BJN = self._proposal.draw(place_BJ.size * self._negatives, rng).reshape(*place_BJ.shape, -1)
        liked_row_BJ1 = np.take_along_axis(row_BL, place_BJ, axis=1)[..., None]
        born_BJN = self._uploaded_at_V[negative_BJN] <= self._rows.at_I[liked_row_BJ1]
        other_BJN = negative_BJN != self._rows.video_I[liked_row_BJ1]
        return DINBatch(
            tokens=tokens,
            negative_BJN=torch.from_numpy(negative_BJN),
            place_BJ=torch.from_numpy(place_BJ),
            drawn_BJN=torch.from_numpy(used_BJ[..., None] & born_BJN & other_BJN),
            learn_BL=torch.from_numpy(learn_BL),
            actions_BLA=torch.from_numpy(self._action_IA[row_BL].astype(np.float32)),
            told_BLA=torch.from_numpy(learn_BL[..., None] & self._told_IA[row_BL]),
            profile_BP=torch.from_numpy(self._profile_UP[windows.viewer_W]),
        )

    def loss(self, batch: DINBatch) -> StepLoss:
        """The loss of a batch; what ranks is shown, a positive exposure at a time."""
        batch = batch.to(self._network.device)
        tokens = batch.tokens
        rank_BL, actions_BLA, drawn_BJN = self.logits(batch)
        liked_BL = tokens.positive_BL.float()
        weight_BL = batch.learn_BL * (liked_BL + self._exposure_weight * (1 - liked_BL))
        shown_BL = functional.binary_cross_entropy_with_logits(rank_BL, liked_BL, reduction="none")
        liked = (batch.learn_BL * liked_BL).sum().clamp(min=1)
        ranking = ((shown_BL * weight_BL).sum() + (functional.softplus(drawn_BJN) * batch.drawn_BJN).sum()) / liked
        if actions_BLA.shape[-1]:
            told = batch.told_BLA
            each = functional.binary_cross_entropy_with_logits(
                actions_BLA[told], batch.actions_BLA[told], reduction="sum"
            )
            loss = ranking + self._action_weight * each / max(1, int(batch.learn_BL.sum()))
        else:
            loss = ranking
        return StepLoss(loss=loss, shown=float(ranking.detach()), weight=int(liked))

    def logits(self, batch: DINBatch) -> tuple[Tensor, Tensor, Tensor]:
        """The ranking logit of events, the action logits of events, the ranking logit of negatives."""
        tokens, network = batch.tokens, self._network
        B, L = tokens.video_BL.shape
        x_BLD = network.videos(tokens.video_BL)
        t_BLD = x_BLD + network.positive(tokens.positive_BL)
        x_BND = network.videos(batch.negative_BJN.flatten(1))
        place_L = torch.arange(L, device=network.device)
        place_BC = torch.cat(
            [place_L.expand(B, L), batch.place_BJ.repeat_interleave(batch.negative_BJN.shape[2], dim=1)], dim=1
        )
        # Events beyond the end of a window lie after all of its candidates.
        seen_BLC = place_L[None, :, None] < place_BC[:, None, :]
        logits_BCA = network(t_BLD, torch.cat([x_BLD, x_BND], dim=1), seen_BLC, batch.profile_BP)
        drawn_BJN = logits_BCA[:, L:, 0].reshape(batch.negative_BJN.shape)
        return (
            logits_BCA[:, :L, 0] + network.own_bias(tokens.video_BL),
            logits_BCA[:, :L, 1:],
            drawn_BJN + network.own_bias(batch.negative_BJN),
        )

    def scorer(self, history: Dataset) -> ScoreFn:
        """Rank with the network's current parameters."""
        return self._scorer(history)
