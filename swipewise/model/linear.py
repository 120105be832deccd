"""Linear maps: torch's own, and the same by oneDNN, which is twice as fast on processors of AMD.

Legend of shape suffixes: X = rows, I = inputs, O = outputs.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_LEAST_PRODUCTS: Final = 1 << 20  # of fewer what a call costs is more than what it saves
_LANES: Final = 16  # numbers of a vector unit; of other sizes oneDNN may have no fast program
_DIGITS: Final = 5  # that numbers of rows are rounded up to, in the dual system


def linear(x_XI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """x · Wᵀ + b, as ``torch.nn.functional.linear`` has it: (..., I) to (..., O).

    On x86 processors large products go to oneDNN: it asks a processor what it can do, where the library behind torch's
    own products asks who made it.
    """
    if not _pays(x_XI, weight_OI):
        return functional.linear(x_XI, weight_OI, bias_O)
    weight_OI = weight_OI.contiguous()  # columns of a larger one take oneDNN a thousand times as long
    if torch.is_grad_enabled():
        mapped_XO: Tensor = _Linear.apply(x_XI, weight_OI, bias_O)  # type: ignore[no-untyped-call]
        return mapped_XO
    return _mapped(x_XI, weight_OI, bias_O)


def feed_forward(x_XI: Tensor, widen: nn.Linear, narrow: nn.Linear) -> Tensor:
    """narrow(GELU(widen(x))), where no gradient is asked for and no dropout comes between: (..., I) to (..., O).

    Rows are filled up once for both maps, and GELU is done by oneDNN while the numbers are at hand.
    """
    if not (_pays(x_XI, widen.weight) and all(size % _LANES == 0 for size in narrow.weight.shape)):
        return linear(functional.gelu(linear(x_XI, widen.weight, widen.bias)), narrow.weight, narrow.bias)
    wide_XH = _product(_filled(x_XI), _whole(widen.weight), widen.bias, "gelu")
    return _rows_of(_product(wide_XH, _whole(narrow.weight), narrow.bias), x_XI)


class Linear(nn.Linear):
    """``torch.nn.Linear`` by :func:`linear`."""

    def forward(self, x_XI: Tensor) -> Tensor:
        """Map: (..., I) to (..., O)."""
        return linear(x_XI, self.weight, self.bias)


class LinearOfParts(nn.Linear):
    """As a linear map of the parts side by side, but each part is mapped by itself and then broadcast.

    What is a viewer's own, and the same at every place, is so neither copied to the places nor mapped more than once.
    """

    def forward(self, *parts: Tensor) -> Tensor:
        """Map parts of shapes that broadcast but for the last dimension, whose sizes add up to the inputs."""
        weights = torch.split(self.weight, [part.shape[-1] for part in parts], dim=1)
        mapped = linear(parts[0], weights[0], self.bias)
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            mapped = mapped + linear(part, weight)
        return mapped


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_XI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        filled_XI, weight_OI = _filled(x_XI), _whole(weight_OI)
        ctx.save_for_backward(filled_XI, weight_OI)
        return _rows_of(_product(filled_XI, weight_OI, bias_O), x_XI)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_XO: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        filled_XI, weight_OI = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        filled_XO = _filled(gradient_XO)
        return (
            _rows_of(_product(filled_XO, weight_OI.T.contiguous()), gradient_XO) if of_x else None,
            _of_weight(filled_XI, filled_XO) if of_weight else None,
            filled_XO.sum(dim=0) if of_bias else None,
        )


def _mapped(x_XI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
    return _rows_of(_product(_filled(x_XI), _whole(weight_OI), bias_O), x_XI)


def _filled(x_XI: Tensor) -> Tensor:
    """The rows of (..., I), with zeros behind them up to a rounded number of rows.

    oneDNN makes a program for each shape that it is given, which takes longer than to run it; batches have many.
    """
    flat_XI = x_XI.reshape(-1, x_XI.shape[-1]).contiguous()
    rows = len(flat_XI)
    step = 1 << max(0, rows.bit_length() - _DIGITS)
    more = -rows % step
    return functional.pad(flat_XI, (0, 0, 0, more)) if more else flat_XI


def _rows_of(mapped_XO: Tensor, x_XI: Tensor) -> Tensor:
    """Without what was filled up, in the shape of what was mapped."""
    shape = x_XI.shape[:-1]
    return mapped_XO[: shape.numel()].view(*shape, mapped_XO.shape[-1])


def _of_weight(x_XI: Tensor, gradient_XO: Tensor) -> Tensor:
    """The gradient of the weight, (O, I); of its two factors oneDNN's first one is copied, so that is the smaller."""
    if x_XI.shape[1] < gradient_XO.shape[1]:
        return _product(x_XI.T, gradient_XO.T).T
    return _product(gradient_XO.T, x_XI.T)


def _whole(weight_OI: Tensor) -> Tensor:
    """A matrix that may be transposed but is no part of another, on which oneDNN is a thousand times slower."""
    whole = weight_OI.is_contiguous() or weight_OI.T.is_contiguous()
    return weight_OI if whole else weight_OI.contiguous()


def _product(x_XI: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None, then: str = "none") -> Tensor:
    algorithm = "none" if then == "gelu" else ""  # the exact one
    mapped_XO: Tensor = torch.ops.mkldnn._linear_pointwise(x_XI, weight_OI, bias_O, then, [], algorithm)
    return mapped_XO


def _pays(x_XI: Tensor, weight_OI: Tensor) -> bool:
    return (
        x_XI.device.type == "cpu"
        and x_XI.dtype == weight_OI.dtype == torch.float32
        and not torch.compiler.is_compiling()  # an export is to be made of torch's own
        and not torch.is_autocast_enabled("cpu")  # which torch's own heeds
        and x_XI.numel() * weight_OI.shape[0] >= _LEAST_PRODUCTS
        and all(size % _LANES == 0 for size in weight_OI.shape)
        and _is_there()
    )


@cache
def _is_there() -> bool:
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
