"""What training computes in few passes agrees with the plain formulas, to the gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from swipewise.model.attention import fast_attention, plain_attention, torch_attention
from swipewise.model.dropout import Dropout
from swipewise.model.fusion import fused_scores
from swipewise.model.losses import plain_negative_log_likelihood
from swipewise.model.scoring import negative_log_likelihood, training_scores
from swipewise.model.softmax import softmax

T, N, D = 7, 11, 6


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def agree(one: Callable[..., Tensor], other: Callable[..., Tensor], inputs: list[Tensor]) -> None:
    """Both give the same values, and the same gradients of a weighed sum of them."""
    found = []
    for function in (one, other):
        value = function(*inputs)
        weights = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view(value.shape)
        found.append([value, *torch.autograd.grad((value * weights).sum(), inputs, allow_unused=True)])
    for mine, plain in zip(*found, strict=True):
        if mine is None or plain is None:
            assert mine is plain or (mine if plain is None else plain).abs().max() < 1e-12
        else:
            assert torch.allclose(mine, plain)


@pytest.mark.parametrize("modalities", [1, 2, 5])
def test_scores_of_shared_candidates(modalities: int) -> None:
    lots_NM = torch.rand(N, modalities, generator=torch.Generator().manual_seed(3))
    present_NM = lots_NM < 0.7
    present_NM[0] = False  # nothing at all is known of this one

    def plain(z_TD: Tensor, u_TD: Tensor, p_NMD: Tensor) -> Tensor:
        return fused_scores(z_TD, u_TD, p_NMD * present_NM.unsqueeze(-1), present_NM)[0]

    def fast(z_TD: Tensor, u_TD: Tensor, p_NMD: Tensor) -> Tensor:
        return training_scores(z_TD, u_TD, p_NMD * present_NM.unsqueeze(-1), present_NM)

    agree(fast, plain, [numbers(T, D), numbers(T, D, seed=1), numbers(N, modalities, D, seed=2)])


@pytest.mark.parametrize("candidates", [0, 1, N])
def test_the_loss_of_targets_against_candidates(candidates: int) -> None:
    excluded_TN = torch.rand(T, candidates, generator=torch.Generator().manual_seed(3)) < 0.3
    excluded_TN[2] = True
    logq_N = numbers(candidates, seed=4).detach()

    def fast(target_T: Tensor, scores_TN: Tensor) -> Tensor:
        return negative_log_likelihood(target_T, scores_TN, logq_N, excluded_TN)

    def plain(target_T: Tensor, scores_TN: Tensor) -> Tensor:
        return plain_negative_log_likelihood(target_T, scores_TN, logq_N, excluded_TN)

    agree(fast, plain, [numbers(T), numbers(T, candidates, seed=1)])


def test_no_target_has_no_loss_and_no_gradient() -> None:
    scores_TN = torch.zeros(0, N, requires_grad=True)
    negative_log_likelihood(
        torch.zeros(0), scores_TN, torch.zeros(N), torch.zeros(0, N, dtype=torch.bool)
    ).sum().backward()
    assert scores_TN.grad is not None


@pytest.mark.parametrize("way", [fast_attention, torch_attention])
@pytest.mark.parametrize("seen", ["causal", "what came before", "valid", "each its own"])
def test_attention(seen: str, way: Callable[..., Tensor]) -> None:
    """torch's own is what a GPU takes."""
    B, H, L, E = 3, 2, 5, 4
    causal_11LL = torch.ones(1, 1, L, L, dtype=torch.bool).tril()
    seen_B1LL = {
        "causal": causal_11LL,
        "what came before": None,
        "valid": (torch.arange(L) < torch.tensor([[5], [3], [1]]))[:, None, None, :],
        "each its own": torch.rand(B, 1, L, L, generator=torch.Generator().manual_seed(5)) < 0.6,
    }[seen]
    if seen_B1LL is not None:
        seen_B1LL[..., 0] = True
    whole = Dropout(0.0)
    agree(
        lambda q, k, v: way(q, k, v, seen_B1LL, whole),
        lambda q, k, v: plain_attention(q, k, v, causal_11LL if seen_B1LL is None else seen_B1LL, whole),
        [numbers(B, H, L, E), numbers(B, H, L, E, seed=1), numbers(B, H, L, E, seed=2)],
    )


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_dropout_zeroes_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(300, 401, requires_grad=True)
    dropped = Dropout(share)(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(dropped.unique()) == 2
    dropped.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, dropped.detach())


def test_dropout_draws_anew_each_time_as_the_seed_says_and_rests_outside_of_training() -> None:
    x = torch.ones(1000)
    drop = Dropout(0.5)
    torch.manual_seed(1)
    one, other = drop(x), drop(x)
    torch.manual_seed(1)
    assert torch.equal(drop(x), one)
    assert not torch.equal(one, other)
    assert torch.equal(drop.eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


@pytest.mark.parametrize("shape", [(7, 1), (3, 4, 5), (6, 24), (6, 25), (0, 5)])
def test_softmax_of_rows_of_every_length(shape: tuple[int, ...]) -> None:
    agree(softmax, lambda x: torch.softmax(x, dim=-1), [numbers(*shape)])
    with torch.no_grad():
        x = numbers(*shape) * 100
        kept = x.clone()
        assert torch.allclose(softmax(x), torch.softmax(x, dim=-1))
        assert torch.equal(x, kept)


def test_attention_drops_the_same_weights_on_the_way_back() -> None:
    """Its gradient, which is written out, is that of the product with the very mask that was drawn."""
    q, k, v = (numbers(2, 2, 5, 4, seed=seed) for seed in range(3))
    seen_11LL = torch.ones(1, 1, 5, 5, dtype=torch.bool).tril()
    outcomes = []
    for way in (fast_attention, plain_attention):
        torch.manual_seed(3)
        mixed = way(q, k, v, seen_11LL, Dropout(0.5))
        outcomes.append((mixed, *torch.autograd.grad((mixed * numbers(2, 2, 5, 4, seed=7)).sum(), (q, k, v))))
    for one, other in zip(*outcomes, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
