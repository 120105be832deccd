"""Softmax over rows as short as a video's modalities or a new viewer's history.

Legend of shape suffixes: R = rows, C = columns.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_SHORT: Final = 24
"""Columns up to which it is faster here; torch begins anew for each row."""


def softmax(x_RC: Tensor) -> Tensor:
    """As ``torch.softmax`` over the last dimension: (..., C) to the same."""
    if not _is_short(x_RC) or torch.compiler.is_compiling():  # an export is to be made of torch's own
        return torch.softmax(x_RC, dim=-1)
    if not torch.is_grad_enabled():
        return softmax_(x_RC.clone())
    weights_RC: Tensor = _ShortSoftmax.apply(x_RC)  # type: ignore[no-untyped-call]
    return weights_RC


def softmax_(x_RC: Tensor) -> Tensor:
    """The same without a gradient; what was in ``x_RC`` may be lost."""
    if not _is_short(x_RC):
        return torch.softmax(x_RC, dim=-1)
    x_RC.sub_(x_RC.amax(dim=-1, keepdim=True)).exp_()
    return x_RC.div_(x_RC.sum(dim=-1, keepdim=True))


def through_softmax_(gradient_RC: Tensor, weights_RC: Tensor) -> Tensor:
    """The gradient of what a softmax was taken of, from that of its weights, which may be lost."""
    shared_R1 = (gradient_RC * weights_RC).sum(dim=-1, keepdim=True)
    return gradient_RC.sub_(shared_R1).mul_(weights_RC)


def _is_short(x_RC: Tensor) -> bool:
    return x_RC.device.type == "cpu" and 0 < x_RC.shape[-1] <= _SHORT


class _ShortSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_RC: Tensor) -> Tensor:
        weights_RC = softmax_(x_RC.clone())
        ctx.save_for_backward(weights_RC)
        return weights_RC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_RC: Tensor) -> Tensor:
        (weights_RC,) = ctx.saved_tensors
        return through_softmax_(gradient_RC.clone(), weights_RC)
