"""What is predicted of an exposure from z_u and f(u, i).

Legend of shape suffixes: B = viewers in the batch, N = videos asked for, Q = places of the history, H = heads,
A = actions, S = statistics of a video, E = width of a head, D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swipewise.model.attention import attention
from swipewise.model.dropout import Dropout
from swipewise.model.linear import Linear, LinearOfParts


class WatchHead(nn.Module):
    """The share of a video that will be watched: sigmoid(a z_u · f(u, i) / √d + c).

    It reads the very product that ranks, so that every exposure, also one that was skipped, teaches the interest
    vector, and not only those that a viewer liked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, z_D: Tensor, f_D: Tensor) -> Tensor:
        """Logits of the share: (..., D) twice to (...)."""
        logit: Tensor = self.scale * (z_D * f_D).sum(dim=-1) / z_D.shape[-1] ** 0.5 + self.shift
        return logit


class TargetAttention(nn.Module):
    """What of the history speaks for or against a video: attention from the video to the history (arXiv:1706.06978).

    Args:
        width: d.
        heads: Attention heads; must divide the width.
    """

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width)
        self.key_value = Linear(width, 2 * width)
        self.dropout = Dropout(0.0)

    def forward(self, f_BND: Tensor, tokens_BQD: Tensor, visible_BNQ: Tensor) -> Tensor:
        """Read the history for every video.

        Args:
            f_BND: (B, N, D) the videos.
            tokens_BQD: (B, Q, D) the history.
            visible_BNQ: bool, broadcast to (B, N, Q): what of the history a video may read; something always.

        Returns:
            (B, N, D).
        """
        B, N, D = f_BND.shape
        q_BHNE = self.query(f_BND).view(B, N, self.heads, -1).transpose(1, 2)
        k_BHQE, v_BHQE = (
            self.key_value(tokens_BQD).view(B, -1, 2, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        )
        read_BHNE = attention(q_BHNE, k_BHQE, v_BHQE, visible_BNQ.unsqueeze(1), self.dropout)
        read_BND: Tensor = read_BHNE.transpose(1, 2).reshape(B, N, D)
        return read_BND


class ActionHeads(nn.Module):
    """Logits of every action for an exposure, from z_u, f(u, i), their products and target attention.

    All actions share one hidden layer; what is known of a video's reception by everybody goes in beside it.

    Args:
        actions: How many actions are predicted.
        statistics: How many numbers are known of each video.
        width: d.
        heads: Heads of the target attention.
        dropout: In the hidden layer.
    """

    def __init__(self, *, actions: int, statistics: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = TargetAttention(width=width, heads=heads)
        self.hidden = nn.Sequential(
            LinearOfParts(6 * width + statistics + 1, 2 * width),
            nn.GELU(),
            Dropout(dropout),
            Linear(2 * width, width),
            nn.GELU(),
        )
        self.out = Linear(width, actions)

    def forward(
        self,
        z_BND: Tensor,
        f_BND: Tensor,
        s_B1D: Tensor,
        statistics_BNS: Tensor,
        tokens_BQD: Tensor,
        visible_BNQ: Tensor,
    ) -> Tensor:
        """Logits (B, N, A).

        Args:
            z_BND: (B, N, D) the interest vectors, of each exposure's own moment.
            f_BND: (B, N, D) the videos under the viewers' preference.
            s_B1D: (B, 1, D) the profiles.
            statistics_BNS: (B, N, S) what everybody made of the videos.
            tokens_BQD: (B, Q, D) the history.
            visible_BNQ: As :class:`TargetAttention` takes it.
        """
        read_BND = self.attention(f_BND, tokens_BQD, visible_BNQ)
        product_BND = z_BND * f_BND
        score_BN1 = product_BND.sum(dim=-1, keepdim=True) / z_BND.shape[-1] ** 0.5
        vectors_BNX = torch.cat([z_BND, f_BND, product_BND, read_BND, read_BND * f_BND], dim=-1)
        first, *rest = self.hidden
        hidden_BNX = first(vectors_BNX, s_B1D, torch.cat([statistics_BNS, score_BN1], dim=-1))
        for layer in rest:
            hidden_BNX = layer(hidden_BNX)
        logits_BNA: Tensor = self.out(hidden_BNX)
        return logits_BNA
