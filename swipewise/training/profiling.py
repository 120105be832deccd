"""Where the time of a training goes: a clock for the parts of the loop, torch's profiler within a few of its steps."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn
from torch.autograd.profiler import record_function

from swipewise.model.spans import PREFIX, recording

STEP: Final = "step"
"""Losses and their gradients, which a profile divides among ``STEP_PARTS``."""

STEP_PARTS: Final = ("fusion", "attention", "linear", "loss", "other")
"""Parts of a step: fusing modalities and scoring candidates with them; attention but for its linear layers; linear
layers; the losses; the rest, such as norms, activations and embeddings of behaviour."""

PARTS: Final = ("data", "waiting", *STEP_PARTS, "optimiser", "validation", "checkpoint")
"""Everything that is told apart: making batches, waiting for them and for other processes, the parts of a step,
updating the parameters and their average, ranking the validation period, writing checkpoints."""

_FIRST, _LAST = 3, 12  # steps of a sitting that torch's profiler looks into; the first ones are not typical
_BACKWARD = "autograd::engine::evaluate_function"


class Clock:
    """Adds up the wall time of the parts of a loop."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Book the time of the block under a name."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began

    def found(self) -> dict[str, float] | None:
        """Seconds of every one of ``PARTS``; None where nobody looked into the steps."""
        return None

    def each(self, batches: Iterable[Any], part: str = "data") -> Iterator[Any]:
        """The batches, booking under a name the time until each is there."""
        iterator = iter(batches)
        while True:
            with self.part(part):
                batch = next(iterator, _END)
            if batch is _END:
                return
            yield batch


_END: Final = object()


class Profile(Clock):
    """A clock that also looks into some of the steps.

    Args:
        network: Whose steps.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network
        self._steps = 0
        self._micros: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """As the clock; the inside of a step is looked at ten times."""
        if name != STEP:
            with super().part(name):
                yield
            return
        self._steps += 1
        if not _FIRST <= self._steps <= _LAST:
            with super().part(name):
                yield
            return
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with (
            torch.profiler.profile(activities=activities) as profiler,
            recording(self._network),
            super().part(name),
            record_function(PREFIX + STEP),
        ):
            yield
        for part, micros in micros_of(profiler.events() or ()).items():
            self._micros[part] += micros

    def found(self) -> dict[str, float]:
        """Seconds of every one of ``PARTS``."""
        total = sum(self._micros.values()) or 1.0
        inside = {part: self.seconds[STEP] * self._micros[part] / total for part in STEP_PARTS}
        return {part: inside.get(part, self.seconds[part]) for part in PARTS}


def micros_of(events: Iterable[Any]) -> Mapping[str, float]:
    """Microseconds of each part of a step, from what torch's profiler saw.

    An operation belongs to the innermost span around it, one of the backward pass to that of the operation whose
    gradient it takes; the sequence number says which that was.
    """
    listed = list(events)
    made = {event.sequence_nr: _span(event) for event in listed if event.sequence_nr >= 0 and not _backward(event)}
    found: defaultdict[str, float] = defaultdict(float)
    for event in listed:
        source = _backward(event)
        part = _span(event) if source is None else made.get(source.sequence_nr)
        found[part or "other"] += event.self_device_time_total or event.self_cpu_time_total
    return {part: found[part] for part in STEP_PARTS}


def _ancestry(event: Any) -> Iterator[Any]:
    while event is not None:
        yield event
        event = event.cpu_parent


def _backward(event: Any) -> Any | None:
    """What computes the gradient that an operation is part of; None in the forward pass."""
    return next((each for each in _ancestry(event) if each.name.startswith(_BACKWARD)), None)


def _span(event: Any) -> str | None:
    names = (each.name.removeprefix(PREFIX) for each in _ancestry(event) if each.name.startswith(PREFIX))
    return next((name for name in names if name in STEP_PARTS), None)
