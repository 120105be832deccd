"""The Transformer over what a viewer did (equation 3).

Legend of shape suffixes: B = viewers in the batch, L = places of the sequence, H = heads, E = width of a head,
D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from swipewise.model.attention import attention
from swipewise.model.dropout import Dropout


class CausalAttention(nn.Module):
    """Multi-head self-attention in which a place sees itself and what came before; or, not ``causal``, everything.

    Sequences are padded at the end, so the causal mask alone keeps padding unseen; without it ``valid_BL`` has to.
    """

    def __init__(self, *, width: int, heads: int, dropout: float, causal: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """Attend: (B, L, D) to (B, L, D), to places where ``valid_BL`` is True."""
        B, L, D = x_BLD.shape
        q_BHLE, k_BHLE, v_BHLE = self.qkv(x_BLD).view(B, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen_B1LL = torch.ones(1, 1, L, L, dtype=torch.bool, device=x_BLD.device)
        if self.causal:
            seen_B1LL = seen_B1LL.tril()
        if valid_BL is not None:
            seen_B1LL = seen_B1LL & valid_BL[:, None, None, :]
        mixed_BHLE = attention(q_BHLE, k_BHLE, v_BHLE, seen_B1LL, self.dropout)
        out_BLD: Tensor = self.out(mixed_BHLE.transpose(1, 2).reshape(B, L, D))
        return out_BLD

    def at(self, x_BLD: Tensor, place_B: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives at one place of each sequence: (B, D)."""
        B, L, D = x_BLD.shape
        rows_B = torch.arange(B, device=x_BLD.device)
        asks_BD = functional.linear(x_BLD[rows_B, place_B], self.qkv.weight[:D], self.qkv.bias[:D])
        read_BL2D = functional.linear(x_BLD, self.qkv.weight[D:], self.qkv.bias[D:])
        k_BHLE, v_BHLE = read_BL2D.view(B, L, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen_BL = torch.ones(B, L, dtype=torch.bool, device=x_BLD.device)
        if self.causal:
            seen_BL = torch.arange(L, device=x_BLD.device) <= place_B.unsqueeze(1)
        if valid_BL is not None:
            seen_BL = seen_BL & valid_BL
        q_BH1E = asks_BD.view(B, self.heads, 1, -1)
        mixed_BH1E = attention(q_BH1E, k_BHLE, v_BHLE, seen_BL[:, None, None, :], self.dropout)
        out_BD: Tensor = self.out(mixed_BH1E.reshape(B, D))
        return out_BD


class Block(nn.Module):
    """One pre-norm Transformer layer."""

    def __init__(self, *, width: int, heads: int, dropout: float, causal: bool = True) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width=width, heads=heads, dropout=dropout, causal=causal)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """Transform: (B, L, D) to (B, L, D)."""
        x_BLD = x_BLD + self.dropout(self.attention(self.attention_norm(x_BLD), valid_BL))
        return self._fed(x_BLD)

    def at(self, x_BLD: Tensor, place_B: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives at one place of each sequence: (B, D). Nearly all of its work is saved."""
        here_BD = x_BLD[torch.arange(len(x_BLD), device=x_BLD.device), place_B]
        return self._fed(here_BD + self.dropout(self.attention.at(self.attention_norm(x_BLD), place_B, valid_BL)))

    def _fed(self, x: Tensor) -> Tensor:
        fed: Tensor = x + self.dropout(self.feed(self.feed_norm(x)))
        return fed


class CausalTransformer(nn.Module):
    """h_j for every place j of a sequence, from the places up to j, with learned positions.

    Not ``causal``, h_j comes from all places where ``valid_BL`` is True; each sequence needs at least one.
    """

    def __init__(
        self, *, width: int, layers: int, heads: int, places: int, dropout: float, causal: bool = True
    ) -> None:
        super().__init__()
        self.positions = nn.Embedding(places, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width=width, heads=heads, dropout=dropout, causal=causal) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens_BLD: Tensor, valid_BL: Tensor | None = None, *, positions: bool = True) -> Tensor:
        """Read sequences of at most ``places`` tokens: (B, L, D) to (B, L, D).

        Args:
            tokens_BLD: The tokens.
            valid_BL: Where there is one; needed only where the Transformer is not causal.
            positions: Whether each token is told its place.
        """
        x_BLD = tokens_BLD
        if positions:
            x_BLD = x_BLD + self.positions.weight[: tokens_BLD.shape[1]]
        x_BLD = self.dropout(x_BLD)
        for block in self.blocks:
            x_BLD = block(x_BLD, valid_BL)
        h_BLD: Tensor = self.norm(x_BLD)
        return h_BLD


SUMMARY_TOKENS = 4
"""Tokens that stand for whatever lies before the events that are read one by one."""


class HistorySummary(nn.Module):
    """Older events as a few tokens: each is a learned query's weighted mean of them.

    A viewer without older events gets the tokens' learned base alone, so the sequence is as long for everybody.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.base_CD = nn.Parameter(torch.zeros(SUMMARY_TOKENS, width))
        self.weigh = nn.Linear(width, SUMMARY_TOKENS)
        self.value = nn.Linear(width, width)

    def forward(self, tokens_BLD: Tensor, kept_BL: Tensor) -> Tensor:
        """Sum up events.

        Args:
            tokens_BLD: (B, L, D) the older events, L may be 0.
            kept_BL: (B, L) bool, False where there is none.

        Returns:
            (B, C, D).
        """
        lowest = torch.finfo(tokens_BLD.dtype).min
        logits_BLC = self.weigh(tokens_BLD).masked_fill(~kept_BL.unsqueeze(-1), lowest)
        weights_BLC = torch.softmax(logits_BLC, dim=1) * kept_BL.unsqueeze(-1)
        summary_BCD: Tensor = weights_BLC.transpose(1, 2) @ self.value(tokens_BLD)
        return summary_BCD + self.base_CD
