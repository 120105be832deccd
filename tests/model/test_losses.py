"""Sampled softmax by hand, and its logQ correction exactly: every possible draw is written out with its probability.

Legend of shape suffixes: V = videos, T = targets, N = drawn negatives.
"""

from __future__ import annotations

from itertools import product
from math import exp, log, prod

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from swipewise.model.losses import sampled_softmax

SCORES_V = torch.tensor([0.3, -1.2, 1.0, 0.5], dtype=torch.float64)
CHANCE = (0.6, 0.2, 0.15, 0.05)


def test_a_target_against_two_negatives() -> None:
    loss = sampled_softmax(
        torch.tensor([1.0]),
        torch.tensor([[0.0, 2.0]]),
        target_logq_T=torch.tensor([0.5]),
        negative_logq_N=torch.tensor([-1.0, 0.0]),
        excluded_TN=torch.tensor([[False, False]]),
    )
    assert loss.item() == pytest.approx(-log(exp(0.5) / (exp(0.5) + exp(1.0) + exp(2.0))))


def test_with_every_other_video_as_a_negative_it_is_the_full_softmax() -> None:
    scores_TV = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    target_T = torch.tensor([0, 2, 5, 2])
    loss = sampled_softmax(
        scores_TV[torch.arange(4), target_T],
        scores_TV,
        target_logq_T=torch.zeros(4),
        negative_logq_N=torch.zeros(6),
        excluded_TN=torch.arange(6) == target_T[:, None],
    )
    assert loss.item() == pytest.approx(functional.cross_entropy(scores_TV, target_T).item(), rel=1e-5)


def test_no_targets_are_no_loss() -> None:
    loss = sampled_softmax(
        torch.zeros(0),
        torch.zeros(0, 3),
        target_logq_T=torch.zeros(0),
        negative_logq_N=torch.zeros(3),
        excluded_TN=torch.zeros(0, 3, dtype=torch.bool),
    )
    assert loss.item() == 0.0


def loss_of(scores_V: Tensor, target: int, drawn: tuple[int, ...], *, counts: Tensor, own_logq: float) -> Tensor:
    """The loss of one target against the negatives drawn; ``counts`` are the expected numbers of draws."""
    drawn_N = torch.tensor(drawn, dtype=torch.long)
    return sampled_softmax(
        scores_V[[target]],
        scores_V[drawn_N][None],
        target_logq_T=torch.tensor([own_logq], dtype=torch.float64),
        negative_logq_N=torch.log(counts)[drawn_N],
        excluded_TN=(drawn_N == target)[None],
    )


@pytest.mark.parametrize("target", range(4))
def test_the_mean_over_all_draws_of_the_partition_is_that_of_the_full_softmax(target: int) -> None:
    draws = 3
    counts = draws * torch.tensor(CHANCE, dtype=torch.float64)
    own = exp(SCORES_V[target].item())
    partition = 0.0
    for drawn in product(range(4), repeat=draws):
        loss = loss_of(SCORES_V, target, drawn, counts=counts, own_logq=0.0)
        partition += prod(CHANCE[video] for video in drawn) * own * exp(loss.item())
    assert partition == pytest.approx(SCORES_V.exp().sum().item())


def expected_gradient(*, corrected: bool) -> Tensor:
    """Of true scores, over targets drawn by their softmax and negatives each in the sample with its own chance."""
    scores_V = SCORES_V.clone().requires_grad_()
    counts = torch.tensor(CHANCE, dtype=torch.float64) if corrected else torch.ones(4, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for target, truth in enumerate(SCORES_V.softmax(0).tolist()):
        for inside in product([False, True], repeat=4):
            chance = prod(q if drawn else 1 - q for q, drawn in zip(CHANCE, inside, strict=True))
            drawn = tuple(video for video, is_drawn in enumerate(inside) if is_drawn)
            own = float(torch.log(counts[target]))
            total = total + truth * chance * loss_of(scores_V, target, drawn, counts=counts, own_logq=own)
    (gradient_V,) = torch.autograd.grad(total, scores_V)
    return gradient_V


def test_the_true_scores_are_at_rest_however_skewed_the_drawing_is() -> None:
    assert expected_gradient(corrected=True).abs().max().item() == pytest.approx(0.0, abs=1e-9)
    assert expected_gradient(corrected=False).abs().max().item() > 0.01


def test_with_every_negative_excluded_the_loss_is_zero_and_nothing_moves() -> None:
    target_T = torch.tensor([3.0, -2.0], requires_grad=True)
    negative_TN = torch.tensor([[1.0, 50.0, 0.0], [2.0, -7.0, 1.0]], requires_grad=True)
    loss = sampled_softmax(
        target_T,
        negative_TN,
        target_logq_T=torch.tensor([-3.0, 0.5]),
        negative_logq_N=torch.tensor([0.1, -4.0, 0.0]),
        excluded_TN=torch.ones(2, 3, dtype=torch.bool),
    )
    loss.backward()
    assert loss.item() == 0.0
    assert target_T.grad is not None
    assert negative_TN.grad is not None
    assert bool((target_T.grad == 0).all())
    assert bool((negative_TN.grad == 0).all())


def test_an_excluded_negative_has_no_influence_on_loss_or_gradient() -> None:
    negative_TN = torch.tensor([[0.5, 1e30, -1.0], [1e30, 0.2, 0.3]], requires_grad=True)
    excluded_TN = torch.tensor([[False, True, False], [True, False, False]])
    loss = sampled_softmax(
        torch.tensor([1.0, 2.0]),
        negative_TN,
        target_logq_T=torch.zeros(2),
        negative_logq_N=torch.zeros(3),
        excluded_TN=excluded_TN,
    )
    rows = (torch.tensor([[1.0, 0.5, -1.0]]), torch.tensor([[2.0, 0.2, 0.3]]))
    expected = sum(functional.cross_entropy(row, torch.tensor([0])).item() for row in rows) / 2
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert negative_TN.grad is not None
    assert torch.equal(negative_TN.grad == 0, excluded_TN)


def test_the_loss_is_the_mean_over_targets() -> None:
    scores, negatives_TN = torch.tensor([1.0, -0.5]), torch.tensor([[0.2, 0.4], [0.1, -0.3]])
    logq_N = torch.tensor([0.3, -0.2])

    def of(rows: slice) -> float:
        return sampled_softmax(
            scores[rows],
            negatives_TN[rows],
            target_logq_T=torch.zeros(2)[rows],
            negative_logq_N=logq_N,
            excluded_TN=torch.zeros(2, 2, dtype=torch.bool)[rows],
        ).item()

    assert of(slice(0, 2)) == pytest.approx((of(slice(0, 1)) + of(slice(1, 2))) / 2)


def test_a_target_counts_as_much_as_its_weight() -> None:
    scores, negatives_TN = torch.tensor([1.0, -0.5, 3.0]), torch.tensor([[0.2, 0.4], [0.1, -0.3], [9.0, 9.0]])

    def of(rows: slice, weight_T: Tensor | None) -> float:
        return sampled_softmax(
            scores[rows],
            negatives_TN[rows],
            target_logq_T=torch.zeros(3)[rows],
            negative_logq_N=torch.tensor([0.3, -0.2]),
            excluded_TN=torch.zeros(3, 2, dtype=torch.bool)[rows],
            weight_T=weight_T,
        ).item()

    first, second = of(slice(0, 1), None), of(slice(1, 2), None)
    assert of(slice(0, 3), torch.tensor([3.0, 1.0, 0.0])) == pytest.approx((3 * first + second) / 4)
    assert of(slice(0, 2), torch.full((2,), 0.25)) == pytest.approx(of(slice(0, 2), None))
    assert of(slice(0, 0), torch.zeros(0)) == 0.0
