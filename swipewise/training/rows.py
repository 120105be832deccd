"""Adam for an embedding table of which a step reads only some rows.

A step costs what its rows cost, however many the table has, and one number a row is all that the optimiser keeps, where
Adam keeps two of every parameter.

Legend of shape suffixes: V = rows of the table, K = rows of a step, D = width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BETA = 0.999
_EPSILON = 1e-8
_BLOCK_ROWS = 1 << 18


class RowAdam:
    """Row-wise Adam without momentum, and the running average of a table.

    The second moment is that of a row: the mean over its squared gradients. What AdamW does in steps that do not read a
    row, forgetting its second moment, decaying it, and drawing the average towards it, is made up for when a step reads
    it again.

    Args:
        weight: The table (V, D); it is changed in place.
        average_VD: Its running average; it is changed in place.
        decay: Of the weights, as AdamW has it.
        keep: Share of the running average that each step keeps.
    """

    def __init__(self, weight: nn.Parameter, average_VD: Tensor, *, decay: float, keep: float) -> None:
        self._weight, self.average_VD = weight, average_VD
        self._decay, self._keep = decay, keep
        device = weight.device
        self._square_V = torch.zeros(len(weight), device=device)
        self._read_V = torch.zeros(len(weight), dtype=torch.int32, device=device)
        self._averaged_V = torch.zeros(len(weight), dtype=torch.int32, device=device)

    def step(self, row_K: Tensor, gradient_KD: Tensor, *, now: int, rate: float) -> None:
        """Update some rows.

        Args:
            row_K: int64, each once.
            gradient_KD: Their gradients.
            now: Which step this is, from 1.
            rate: Step size.
        """
        weight_VD = self._weight.data
        passed_K = (now - self._read_V[row_K]).float()
        old_KD = weight_VD[row_K]
        square_K = _BETA**passed_K * self._square_V[row_K] + (1 - _BETA) * gradient_KD.square().mean(dim=1)
        size_K = rate / ((square_K / (1 - _BETA**now)).sqrt() + _EPSILON)
        decayed_K = (1 - rate * self._decay) ** passed_K
        new_KD = old_KD * decayed_K.unsqueeze(1) - size_K.unsqueeze(1) * gradient_KD
        average_KD = self._settled(row_K, old_KD, now - 1).lerp_(new_KD, 1 - self._keep)
        weight_VD.index_copy_(0, row_K, new_KD)
        self.average_VD.index_copy_(0, row_K, average_KD)
        self._square_V[row_K] = square_K
        self._read_V[row_K] = now
        self._averaged_V[row_K] = now

    def settle(self, now: int) -> None:
        """Bring the average of all rows up to a step."""
        for start in range(0, len(self._weight), _BLOCK_ROWS):
            here = torch.arange(start, min(start + _BLOCK_ROWS, len(self._weight)), device=self._weight.device)
            self.average_VD[here] = self._settled(here, self._weight.data[here], now)
            self._averaged_V[here] = now

    def state(self) -> dict[str, Tensor]:
        """What the table and its average have beside them."""
        return {"square": self._square_V, "read": self._read_V, "averaged": self._averaged_V}

    def _settled(self, row_K: Tensor, weight_KD: Tensor, now: int) -> Tensor:
        """The average of rows at a step up to which they stood still since they were last averaged."""
        share_K = self._keep ** (now - self._averaged_V[row_K]).float()
        return torch.lerp(weight_KD, self.average_VD[row_K], share_K.unsqueeze(1))
