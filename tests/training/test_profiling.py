"""A profile tells the parts of a training apart, and changes nothing of it."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from swipewise.model.sequence import CausalAttention
from swipewise.model.spans import spanned
from swipewise.training.loop import fit_network
from swipewise.training.profiling import PARTS, STEP, STEP_PARTS, Clock, Profile
from tests.training.tiny import tiny_config, tiny_split


def test_every_part_of_a_training_is_told_and_all_of_them_are_its_time() -> None:
    split = tiny_split()
    plain = fit_network(split.train, split.validation, tiny_config())
    began = time.perf_counter()
    found = fit_network(split.train, split.validation, tiny_config(), profile=True)
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


def test_a_gradient_belongs_to_the_part_whose_gradient_it_is() -> None:
    x = torch.randn(300, 300, requires_grad=True)

    @spanned("loss")
    def loss() -> torch.Tensor:
        return (x @ x).sum()

    found = looked_into(nn.Identity(), lambda: loss().backward())
    assert found["loss"] > 0.8 * sum(found.values())


def test_a_clock_adds_up_and_books_the_making_of_batches_as_data() -> None:
    clock = Clock()
    for _ in range(2):
        with clock.part("optimiser"):
            time.sleep(0.002)
    assert clock.seconds["optimiser"] == pytest.approx(0.004, abs=0.1)
    assert list(clock.each(iter([1, 2]))) == [1, 2]
    assert clock.seconds["data"] > 0
    assert clock.found() is None
