"""A profile tells the parts of a training apart, and changes nothing of it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from swipewise.model.sequence import CausalAttention
from swipewise.model.spans import PREFIX
from swipewise.training.loop import fit_network
from swipewise.training.profiling import PARTS, STEP, STEP_PARTS, Clock, Profile, micros_of
from tests.training.tiny import tiny_config, tiny_split


def test_every_part_of_a_training_is_told_and_all_of_them_are_its_time() -> None:
    split = tiny_split()
    config = tiny_config(epochs=1)
    plain = fit_network(split.train, split.validation, config)
    began = time.perf_counter()
    found = fit_network(split.train, split.validation, config, profile=True)
    whole = time.perf_counter() - began
    assert plain.profile is None
    assert found.profile is not None
    assert tuple(found.profile) == PARTS
    assert sum(found.profile.values()) < whole
    for part in ("data", "fusion", "attention", "linear", "loss", "other", "optimiser", "validation"):
        assert found.profile[part] > 0, part
    assert [epoch.loss for epoch in found.epochs] == [epoch.loss for epoch in plain.epochs]


def looked_into(network: nn.Module, step: object) -> dict[str, float]:
    profile = Profile(network)
    for _ in range(5):
        with profile.part(STEP):
            step()  # type: ignore[operator]
    return {part: seconds for part, seconds in profile.found().items() if part in STEP_PARTS}


def test_linear_layers_are_told_from_the_attention_around_them_with_their_gradients() -> None:
    attention = CausalAttention(width=64, heads=1, dropout=0.0)
    x_BLD = torch.randn(4, 64, 64)

    def step() -> None:
        attention(x_BLD).sum().backward()

    found = looked_into(attention, step)
    assert min(found["linear"], found["attention"]) > 0
    assert found["loss"] == found["fusion"] == 0.0


def seen(name: str, micros: float, parent: Any = None, number: int = -1) -> Any:
    """An operation as torch's profiler tells of it."""
    return SimpleNamespace(
        name=name, cpu_parent=parent, sequence_nr=number, self_cpu_time_total=micros, self_device_time_total=0.0
    )


def test_a_gradient_belongs_to_the_part_whose_gradient_it_is() -> None:
    loss, attention = seen(PREFIX + "loss", 1.0), seen(PREFIX + "attention", 2.0)
    backward = seen("autograd::engine::evaluate_function: MmBackward0", 4.0, number=7)
    unknown = seen("autograd::engine::evaluate_function: AccumulateGrad", 32.0, number=9)
    events = [
        *(loss, attention, backward, unknown),
        seen("aten::mm", 8.0, parent=loss, number=7),
        seen("aten::mm", 16.0, parent=backward),
        seen("aten::add", 64.0),
    ]
    assert micros_of(events) == {
        "fusion": 0,
        "attention": 2,
        "linear": 0,
        "loss": 1 + 4 + 8 + 16,
        "other": 32 + 64,
    }


def test_a_clock_adds_up_and_books_the_making_of_batches_as_data() -> None:
    clock = Clock()
    for _ in range(2):
        with clock.part("optimiser"):
            time.sleep(0.002)
    assert clock.seconds["optimiser"] >= 0.004
    assert list(clock.each(iter([1, 2]))) == [1, 2]
    assert clock.seconds["data"] > 0
    assert clock.found() is None
