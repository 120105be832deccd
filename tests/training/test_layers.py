"""Layers in bfloat16 and compiled ones learn what plain ones do, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from swipewise.config import TrainingConfig
from swipewise.errors import DataError
from swipewise.model.sequence import Block, CausalTransformer
from swipewise.training.layers import computed
from swipewise.training.loop import fit_network
from tests.training.tiny import tiny_config, tiny_split

CPU = torch.device("cpu")


def gradients(transformer: CausalTransformer, x_BLD: Tensor) -> list[Tensor]:
    h_BLD = transformer(x_BLD)
    assert h_BLD.dtype == torch.float32
    weights = torch.linspace(-1, 1, h_BLD.numel()).view(h_BLD.shape)
    parameters = [each for each in transformer.parameters() if each.requires_grad]
    return [h_BLD.detach(), *torch.autograd.grad((h_BLD * weights).sum(), parameters)]


def made() -> CausalTransformer:
    torch.manual_seed(0)
    return CausalTransformer(width=16, layers=2, heads=2, places=9, dropout=0.0).train()


def apart(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).norm() / b.norm().clamp(min=1e-6)) for a, b in zip(one, other, strict=True))


def test_bfloat16_is_near_and_not_the_same() -> None:
    transformer, x_BLD = made(), torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(1))
    exact = gradients(transformer, x_BLD)
    with computed(transformer, TrainingConfig(precision="bfloat16"), CPU):
        short = gradients(transformer, x_BLD)
        ranked = transformer.eval()(x_BLD)
    assert 1e-4 < apart(short, exact) < 0.05
    # The validation period is ranked as a feed is, in single precision.
    assert torch.equal(ranked, exact[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_compiled_layers_are_the_same_at_every_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch reads out of the code, forward and backward; C++ is made of it in benchmarks/train.py alone."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    transformer = made()
    with computed(transformer, TrainingConfig(compile=True), CPU):
        for places in (7, 4, 9):
            x_BLD = torch.randn(3, places, 16, generator=torch.Generator().manual_seed(places))
            compiled = gradients(transformer, x_BLD)
            assert apart(compiled, gradients(made(), x_BLD)) < 1e-5


def test_a_training_in_bfloat16_learns_as_much() -> None:
    split = tiny_split()
    found = fit_network(split.train, split.validation, tiny_config(precision="bfloat16"))
    plain = fit_network(split.train, split.validation, tiny_config())
    assert [epoch.loss for epoch in found.epochs] != [epoch.loss for epoch in plain.epochs]
    for epoch, other in zip(found.epochs, plain.epochs, strict=True):
        assert epoch.loss == pytest.approx(other.loss, rel=0.02)
    layers = [module for module in found.fitted.network.modules() if isinstance(module, Block)]
    assert layers
    for layer in layers:
        assert "forward" not in vars(layer)


def test_layers_are_plain_again_after_an_error() -> None:
    transformer = made()
    with pytest.raises(KeyError), computed(transformer, TrainingConfig(precision="bfloat16"), CPU):
        raise KeyError
    assert not any("forward" in vars(layer) for layer in transformer.blocks)


def test_compiled_layers_are_not_profiled() -> None:
    with pytest.raises(DataError, match=r"set training.compile = false, or train without --profile"):
        fit_network(tiny_split().train, None, tiny_config(compile=True), profile=True)


def test_where_torch_cannot_compile_an_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def run(x: Tensor) -> Tensor:
            raise RuntimeError("\nno compiler\nat all")

        return run

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(
        DataError,
        match=r"training.compile = true, but torch cannot compile here \(no compiler\): install a C\+\+ compiler",
    ):
        fit_network(tiny_split().train, None, tiny_config(compile=True))
