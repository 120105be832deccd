"""Videos known by their ids alone: scores h · e_i + b_i, the loss that fits them, and ranking with them.

Legend of shape suffixes: B = viewers, T = targets, N = negatives or videos asked for, V = videos, D = width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from swipewise.baselines.sequences import Inputs, Tokens, latest_tokens, read_inputs, viewer_offsets
from swipewise.model.linear import linear
from swipewise.model.losses import sampled_softmax
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.histories import like_lengths
from swipewise.training.ranking import ScoreFn
from swipewise.training.sampling import Proposal

UNKNOWN_SCORE = float(np.finfo(np.float32).min)
"""Score of a video that training never saw: an id alone says nothing of it, so it ranks last."""


class Loss(StrEnum):
    """How a target is held against negatives."""

    SOFTMAX = "softmax"
    BCE = "bce"


class VideoIds(nn.Module):
    """An embedding and a bias for each video."""

    def __init__(self, *, videos: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(videos, width)
        self.bias = nn.Embedding(videos, 1)

    @property
    def device(self) -> torch.device:
        """Where the embeddings lie."""
        return self.embedding.weight.device

    def forward(self, videos_T: Tensor) -> Tensor:
        """Embed: (...) to (..., D)."""
        e_TD: Tensor = self.embedding(videos_T)
        return e_TD

    def scores(self, h_TD: Tensor, videos_N: Tensor) -> Tensor:
        """Scores (T, N) of the same videos everywhere."""
        return linear(h_TD, self.embedding(videos_N), self.bias(videos_N).squeeze(-1))

    def own_scores(self, h_TD: Tensor, videos_T: Tensor) -> Tensor:
        """Scores (T,) of one video each."""
        scores_T: Tensor = (h_TD * self.embedding(videos_T)).sum(dim=-1) + self.bias(videos_T).squeeze(-1)
        return scores_T


class IdNetwork(nn.Module, ABC):
    """A network over ids: reads a history into the h that scores videos."""

    ids: VideoIds

    @abstractmethod
    def last(self, tokens: Tokens) -> Tensor:
        """h after everything that a history holds: (B, D)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Targets and what they are held against.

    target_T, negative_N: int64 videos; target_logq_T, negative_logq_N: float32 log expected counts of the proposal;
    excluded_TN: bool, a negative that must not count.
    """

    target_T: Tensor
    negative_N: Tensor
    target_logq_T: Tensor
    negative_logq_N: Tensor
    excluded_TN: Tensor

    def to(self, device: torch.device) -> Contrast:
        """The same on another device."""
        return Contrast(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class Negatives:
    """Draws what targets are held against; shared by all targets of a batch.

    Args:
        dataset: Whose videos and interactions.
        count: How many are drawn; None takes every video that training knows, which makes a softmax a full one.
        popular: Share that is drawn by how often videos were liked; the rest is drawn evenly.

    Raises:
        DataError: No interaction is positive.
    """

    def __init__(self, dataset: Dataset, count: int | None, *, popular: float) -> None:
        self._rows: Interactions = dataset.interactions
        self._uploaded_at_V = dataset.uploaded_at_V
        self._count = count
        self._proposal = Proposal.of(self._rows, len(dataset.video_ids), popular=popular)
        self._known_K = np.flatnonzero(self._proposal.chance_V)
        self._logq_V = (
            np.zeros(len(dataset.video_ids), np.float32) if count is None else self._proposal.logq_V(count)
        )

    def against(self, target_T: NDArray[np.int64], at_T: NDArray[np.int64], rng: np.random.Generator) -> Contrast:
        """Hold targets, which were liked at ``at_T`` (milliseconds), against negatives."""
        negative_N = self._known_K if self._count is None else self._proposal.draw(self._count, rng)
        # A video that was not there yet could not have been chosen: as a negative it would teach that new is bad.
        unborn_TN = self._uploaded_at_V[negative_N] > at_T[:, None]
        return Contrast(
            target_T=torch.from_numpy(target_T),
            negative_N=torch.from_numpy(negative_N),
            target_logq_T=torch.from_numpy(self._logq_V[target_T]),
            negative_logq_N=torch.from_numpy(self._logq_V[negative_N]),
            excluded_TN=torch.from_numpy(unborn_TN | (negative_N == target_T[:, None])),
        )


def contrast_loss(ids: VideoIds, h_TD: Tensor, contrast: Contrast, loss: Loss) -> Tensor:
    """Mean loss of the targets: softmax corrected by log Q, or binary cross-entropy.

    The latter is that of each target and of one negative, in expectation over the negatives that were drawn.
    """
    target_scores_T = ids.own_scores(h_TD, contrast.target_T)
    negative_scores_TN = ids.scores(h_TD, contrast.negative_N)
    if loss == Loss.SOFTMAX:
        return sampled_softmax(
            target_scores_T,
            negative_scores_TN,
            target_logq_T=contrast.target_logq_T,
            negative_logq_N=contrast.negative_logq_N,
            excluded_TN=contrast.excluded_TN,
        )
    kept_TN = (~contrast.excluded_TN).float()
    negatives_T = (functional.softplus(negative_scores_TN) * kept_TN).sum(dim=1) / kept_TN.sum(dim=1).clamp(min=1)
    return (functional.softplus(-target_scores_T) + negatives_T).sum() / max(1, len(target_scores_T))


def known_videos(dataset: Dataset) -> NDArray[np.bool_]:
    """The videos that a data set has interactions of: (V,)."""
    known_V: NDArray[np.bool_] = np.bincount(dataset.interactions.video_I, minlength=len(dataset.video_ids)) > 0
    return known_V


def id_scorer(
    network: IdNetwork, dataset: Dataset, *, inputs: Inputs, history: int, known_V: NDArray[np.bool_]
) -> ScoreFn:
    """Rank with the histories of ``dataset``; videos outside ``known_V`` come last."""
    rows = read_inputs(dataset, inputs)
    offsets_U = viewer_offsets(rows, len(dataset.viewer_ids))
    device = network.ids.device

    def score(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        length_B = np.minimum(offsets_U[viewers_B + 1] - offsets_U[viewers_B], history)
        blocks = like_lengths(length_B)
        with torch.inference_mode():
            read = [
                network.last(latest_tokens(rows, offsets_U, viewers_B[block_B], history).to(device))
                for block_B in blocks
            ]
            h_BD = torch.cat(read)[torch.from_numpy(np.argsort(np.concatenate(blocks))).to(device)]
            scores_BN: NDArray[np.float32] = (
                network.ids.scores(h_BD, torch.from_numpy(videos_N).to(device)).cpu().numpy()
            )
        scores_BN[:, ~known_V[videos_N]] = UNKNOWN_SCORE
        return scores_BN

    return score
