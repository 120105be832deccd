"""What a viewer did with a video, and when, as a vector b_j.

Legend of shape suffixes: B = viewers in the batch, L = events, F = action flags, D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GAP_BUCKETS = 20


def gap_bucket(seconds: Tensor) -> Tensor:
    """The bucket of a time gap in seconds: powers of two from one second to about six days.

    >>> gap_bucket(torch.tensor([0.0, 1.0, 3.0, 1e9])).tolist()
    [0, 1, 2, 19]
    """
    return torch.log2(seconds.clamp(min=0) + 1).floor().long().clamp(max=GAP_BUCKETS - 1)


class BehaviorEmbedding(nn.Module):
    """b_j: watch ratio, actions (like, comment, share, follow, skip, …) and the gap to the event before."""

    def __init__(self, *, flags: int, width: int) -> None:
        super().__init__()
        self.acts = nn.Linear(flags + 3, width)
        self.gap = nn.Embedding(GAP_BUCKETS, width)
        self.weigh = nn.Linear(flags + 3, 1)

    def forward(self, watch_ratio_BL: Tensor, flags_BLF: Tensor, gap_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Embed events.

        Args:
            watch_ratio_BL: (B, L) float, 0 or more, NaN where unknown; ratios above 2 count as 2.
            flags_BLF: (B, L, F) bool.
            gap_BL: (B, L) float seconds since the event before.

        Returns:
            b_BLD, and strength_BL in (-1, 1): how strongly, and in which direction, the event speaks of taste.
        """
        known_BL = ~watch_ratio_BL.isnan()
        ratio_BL = watch_ratio_BL.nan_to_num(0).clamp(0, 2)
        watched_BL3 = torch.stack([ratio_BL, ratio_BL.square(), known_BL.to(ratio_BL)], dim=-1)
        acts_BLE = torch.cat([watched_BL3, flags_BLF.to(ratio_BL)], dim=-1)
        b_BLD = self.acts(acts_BLE) + self.gap(gap_bucket(gap_BL))
        return b_BLD, torch.tanh(self.weigh(acts_BLE)).squeeze(-1)
