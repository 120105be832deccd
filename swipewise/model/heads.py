"""What is predicted of an exposure from z_u and f(u, i).

Legend of shape suffixes: D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
