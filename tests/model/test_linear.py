"""Linear maps of every kind are torch's own, with its gradients.

Legend of shape suffixes: B = viewers, L = places, O = outputs.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from swipewise.model import linear as module
from swipewise.model.linear import Linear, LinearOfParts, feed_forward, linear


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of every size go the fast way, where there is one."""
    monkeypatch.setattr(module, "_LEAST_PRODUCTS", 0)
    monkeypatch.setattr(module, "_LANES", 1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(1, 5), (70, 5), (3, 9, 5), (2, 3, 1, 5)])
def test_the_fast_way_gives_what_torch_gives_and_its_gradients(shape: tuple[int, ...], biased: bool) -> None:
    outcomes = []
    for way in (linear, functional.linear):
        x, weight, bias = (
            random(*size, seed=seed).requires_grad_() for seed, size in enumerate((shape, (7, 5), (7,)))
        )
        asked = (x, weight, bias) if biased else (x, weight)
        mapped = way(*asked)
        towards = random(*mapped.shape, seed=9)
        outcomes.append((mapped, *torch.autograd.grad((mapped * towards).sum(), asked)))
    for one, other in zip(*outcomes, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_what_is_given_in_another_order_of_memory_is_read_right() -> None:
    x, weight = random(6, 70).T, random(6, 8).T
    assert torch.allclose(linear(x, weight), x @ weight.T, atol=1e-5)
    assert torch.allclose(linear(x, random(8, 20)[:, 3:9]), x @ random(8, 20)[:, 3:9].T, atol=1e-5)
    slow = linear(x.double(), weight.double())
    assert torch.allclose(slow, x.double() @ weight.double().T)


def test_without_gradients_it_is_the_same() -> None:
    made = Linear(5, 7)
    x = random(70, 5)
    with torch.no_grad():
        assert torch.equal(made(x), made(x.clone().requires_grad_()).detach())
        assert torch.allclose(made(x), functional.linear(x, made.weight, made.bias), atol=1e-6)


@pytest.mark.parametrize("least", [0, 1 << 40])
@pytest.mark.parametrize("shape", [(70, 6), (3, 9, 6)])
def test_two_maps_with_gelu_between_are_what_torch_makes_of_them(
    shape: tuple[int, ...], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST_PRODUCTS", least)
    widen, narrow, x = Linear(6, 24), Linear(24, 6), random(*shape)
    with torch.no_grad():
        expected = functional.linear(
            functional.gelu(functional.linear(x, widen.weight, widen.bias)), narrow.weight, narrow.bias
        )
        assert torch.allclose(feed_forward(x, widen, narrow), expected, atol=1e-5)


def test_parts_are_mapped_as_if_side_by_side_with_the_same_gradients() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(3, 4, 5), torch.randn(3, 1, 6), torch.randn(3, 4, 2)]
    own, plain = LinearOfParts(13, 7), nn.Linear(13, 7)
    plain.load_state_dict(own.state_dict())
    found_BLO = own(*parts)
    expected_BLO = plain(torch.cat([part.expand(3, 4, -1) for part in parts], dim=-1))
    assert torch.allclose(found_BLO, expected_BLO, atol=1e-6)
    found_BLO.square().sum().backward()
    expected_BLO.square().sum().backward()
    for one, other in zip(own.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-4)
