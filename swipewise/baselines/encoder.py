"""The Transformer of the sequence baselines: places are counted from the end.

A place counted from the beginning is learned from the viewers alone who went beyond it, so that those with the longest
histories, of whom most is known, would be ranked from places that training hardly saw.

Legend of shape suffixes: B = viewers or windows in a batch, L = places, D = width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swipewise.model.dropout import Dropout
from swipewise.model.sequence import Block


class SequenceEncoder(nn.Module):
    """h at each place from the places up to it, or, not ``causal``, from all that are valid."""

    def __init__(
        self, *, width: int, layers: int, heads: int, places: int, dropout: float, causal: bool, feed: int = 4
    ) -> None:
        super().__init__()
        self.positions = nn.Embedding(places, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width=width, heads=heads, dropout=dropout, causal=causal, feed=feed) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BLD: Tensor, last_B: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """Read sequences: (B, L, D) to (B, L, D).

        Args:
            x_BLD: Tokens; their places are at most as many as the encoder was made for.
            last_B: int64, the last place of each sequence; what follows is padding.
            valid_BL: bool, False where padded; needed where the encoder is not causal.
        """
        h_BLD = self._placed(x_BLD, last_B)
        for block in self.blocks:
            h_BLD = block(h_BLD, valid_BL)
        normed_BLD: Tensor = self.norm(h_BLD)
        return normed_BLD

    def last(self, x_BLD: Tensor, last_B: Tensor, valid_BL: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives at the last place of each sequence: (B, D)."""
        h_BLD = self._placed(x_BLD, last_B)
        *earlier, top = self.blocks
        for block in earlier:
            h_BLD = block(h_BLD, valid_BL)
        normed_BD: Tensor = self.norm(top.at(h_BLD, last_B, valid_BL))  # type: ignore[operator]
        return normed_BD

    def _placed(self, x_BLD: Tensor, last_B: Tensor) -> Tensor:
        """The tokens with how far each is from the last."""
        from_end_BL = (last_B.unsqueeze(1) - torch.arange(x_BLD.shape[1], device=x_BLD.device)).clamp(min=0)
        placed_BLD: Tensor = self.dropout(x_BLD + self.positions(from_end_BL))
        return placed_BLD
