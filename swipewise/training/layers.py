"""How the layers of Transformers are computed while a network is trained: in which numbers, and compiled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from swipewise.config import TrainingConfig
from swipewise.errors import DataError
from swipewise.model.sequence import Block


@contextmanager
def computed(network: nn.Module, settings: TrainingConfig, device: torch.device) -> Iterator[None]:
    """Within the block, compute the layers of a network's Transformers as ``precision`` and ``compile`` say.

    That holds in train mode: a validation period is ranked as feeds are, in single precision. So is the rest of the
    network computed: what is summed over many candidates, or over a batch, would lose too much in bfloat16.

    Args:
        network: What is trained, on its device.
        settings: precision and compile are used.
        device: Where.

    Raises:
        DataError: torch cannot compile here.
    """
    if settings.compile:
        _check_compiling(device)
    plain = not settings.compile and settings.precision == "float32"
    layers = [] if plain else [module for module in network.modules() if isinstance(module, Block)]
    for layer in layers:
        layer.forward = _trained(layer, layer.forward, settings, device)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # that of its class is there again


def _trained(
    layer: Block, plain: Callable[..., Tensor], settings: TrainingConfig, device: torch.device
) -> Callable[..., Tensor]:
    """The way through a layer that was asked for; in eval mode, where a validation period is ranked, the plain one."""
    # Batches have many shapes, and a program of its own for each would cost more than it saves.
    way = torch.compile(plain, dynamic=True) if settings.compile else plain
    short = settings.precision == "bfloat16"

    @wraps(plain)
    def run(*args: Any, **kwargs: Any) -> Tensor:
        if not layer.training:
            return plain(*args, **kwargs)
        # Matrix products and attention are short; norms, and what goes from layer to layer, are not.
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=short):
            return way(*args, **kwargs)

    return run


def _check_compiling(device: torch.device) -> None:
    def more(x: Tensor) -> Tensor:
        return x + 1

    try:
        torch.compile(more)(torch.zeros(2, device=device))
    except Exception as error:  # torch's own errors, and those of whatever compiler it calls
        what = "Triton" if device.type == "cuda" else "a C++ compiler such as g++"
        raise DataError(
            f"training.compile = true, but torch cannot compile here ({_first_line(error)}): install {what}, or set it "
            "to false"
        ) from None


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
