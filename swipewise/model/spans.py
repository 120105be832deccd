"""Names for parts of the network's work, so that a profile of a training can tell where time goes.

They cost next to nothing unless a profile is being taken: see ``swipewise.training.profiling``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import nn
from torch.autograd.profiler import record_function

P = ParamSpec("P")
R = TypeVar("R")

PREFIX = "swipewise:"
"""Begins the name of every span in what torch's profiler records."""

_recording = False


def spanned(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record what a function does under a name while a profile is being taken."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if not _recording:
                return function(*args, **kwargs)
            with record_function(PREFIX + name):
                return function(*args, **kwargs)

        return run

    return wrap


@contextmanager
def recording(network: nn.Module) -> Iterator[None]:
    """Record spans, and the linear layers of a network as ``linear``, until the end of the block."""
    global _recording
    opened: list[record_function] = []

    def enter(_module: nn.Module, _inputs: Any) -> None:
        opened.append(record_function(f"{PREFIX}linear"))
        opened[-1].__enter__()  # type: ignore[no-untyped-call]

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        opened.pop().__exit__(None, None, None)

    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    hooks = [
        hook
        for module in linears
        for hook in (module.register_forward_pre_hook(enter), module.register_forward_hook(leave))
    ]
    _recording = True
    try:
        yield
    finally:
        _recording = False
        for hook in hooks:
            hook.remove()
