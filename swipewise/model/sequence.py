"""The Transformer over what a viewer did (equation 3).

Legend of shape suffixes: B = viewers in the batch, L = places of the sequence, H = heads, E = width of a head,
D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CausalAttention(nn.Module):
    """Multi-head self-attention in which a place sees itself and what came before.

    Written out rather than through ``scaled_dot_product_attention``, whose bfloat16 backward pass on CPUs is slower
    than single precision. Sequences are padded at the end, so the causal mask alone keeps padding unseen.
    """

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Attend: (B, L, D) to (B, L, D)."""
        B, L, D = x_BLD.shape
        q_BHLE, k_BHLE, v_BHLE = self.qkv(x_BLD).view(B, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores_BHLL = q_BHLE @ k_BHLE.transpose(-1, -2) / (D // self.heads) ** 0.5
        later_LL = torch.ones(L, L, dtype=torch.bool, device=x_BLD.device).triu(1)
        weights_BHLL = torch.softmax(scores_BHLL.masked_fill(later_LL, float("-inf")), dim=-1)
        mixed_BHLE = self.dropout(weights_BHLL) @ v_BHLE
        out_BLD: Tensor = self.out(mixed_BHLE.transpose(1, 2).reshape(B, L, D))
        return out_BLD


class Block(nn.Module):
    """One pre-norm Transformer layer."""

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width=width, heads=heads, dropout=dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Transform: (B, L, D) to (B, L, D)."""
        x_BLD = x_BLD + self.dropout(self.attention(self.attention_norm(x_BLD)))
        out_BLD: Tensor = x_BLD + self.dropout(self.feed(self.feed_norm(x_BLD)))
        return out_BLD


class CausalTransformer(nn.Module):
    """h_j for every place j of a sequence, from the places up to j, with learned positions."""

    def __init__(self, *, width: int, layers: int, heads: int, places: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Embedding(places, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width=width, heads=heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens_BLD: Tensor) -> Tensor:
        """Read sequences of at most ``places`` tokens: (B, L, D) to (B, L, D)."""
        x_BLD = self.dropout(tokens_BLD + self.positions.weight[: tokens_BLD.shape[1]])
        for block in self.blocks:
            x_BLD = block(x_BLD)
        h_BLD: Tensor = self.norm(x_BLD)
        return h_BLD
