"""Dropout whose masks cost little on a CPU, where torch draws a whole number for every value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 256


class Dropout(nn.Module):
    """Zeros a random share of the values in training and scales up the others; on a GPU torch's own.

    On a CPU each value is decided by one byte, eight of which a draw yields: the share is rounded to 256ths, and the
    scale is that of the rounded share, so that expectations stay as they are.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Drop: any shape to the same."""
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        dropped = round(self.share * _STEPS)
        count = x.numel()
        drawn = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.uint8)[:count].view(x.shape) >= dropped
        # Scaled here, the mask is all that the gradient has to be multiplied with.
        return x * kept.to(x.dtype).mul_(_STEPS / (_STEPS - dropped))
