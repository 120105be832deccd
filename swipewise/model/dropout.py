"""Dropout whose masks cost little on a CPU, where torch draws a whole number for every value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 256


class Dropout(nn.Module):
    """Zeros a random share of the values in training and scales up the others; on a GPU, and compiled, torch's own.

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
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(x, self.share)
        return x * self.mask(x.shape, x.dtype)

    def mask(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """What to multiply values on a CPU with, drawn anew: of a shape and a type."""
        dropped = round(self.share * _STEPS)
        count = shape.numel()
        drawn = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
        # Bytes become numbers many times faster than they are compared: kept are those from 1 on.
        bytes_above = drawn.view(torch.uint8)[:count].view(shape).to(dtype).sub_(dropped - 1)
        return bytes_above.clamp_(0, 1).mul_(_STEPS / (_STEPS - dropped))
