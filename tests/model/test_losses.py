"""Sampled softmax by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch.nn import functional

from swipewise.model.losses import sampled_softmax


def test_a_target_against_two_negatives() -> None:
    loss = sampled_softmax(
        torch.tensor([1.0]),
        torch.tensor([[0.0, 2.0]]),
        target_logq_T=torch.tensor([0.5]),
        negative_logq_N=torch.tensor([-1.0, 0.0]),
        excluded_TN=torch.tensor([[False, False]]),
    )
    assert loss.item() == pytest.approx(-log(exp(0.5) / (exp(0.5) + exp(1.0) + exp(2.0))))


def test_an_excluded_negative_does_not_count() -> None:
    loss = sampled_softmax(
        torch.tensor([1.0]),
        torch.tensor([[0.0, 50.0]]),
        target_logq_T=torch.zeros(1),
        negative_logq_N=torch.zeros(2),
        excluded_TN=torch.tensor([[False, True]]),
    )
    assert loss.item() == pytest.approx(-log(exp(1) / (exp(1) + 1)))


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


def test_the_correction_undoes_a_skewed_drawing() -> None:
    """Drawn often in proportion to Q, the negatives stand for the full softmax."""
    generator = torch.Generator().manual_seed(0)
    scores_V, chance_V = torch.tensor([0.3, -0.2, 1.0, 0.5]), torch.tensor([0.7, 0.1, 0.1, 0.1])
    drawn_N = torch.multinomial(chance_V, 20_000, replacement=True, generator=generator)
    loss = sampled_softmax(
        torch.tensor([0.8]),
        scores_V[drawn_N][None],
        target_logq_T=torch.zeros(1),
        negative_logq_N=torch.log(20_000 * chance_V)[drawn_N],
        excluded_TN=torch.zeros(1, 20_000, dtype=torch.bool),
    )
    full = functional.cross_entropy(torch.cat([torch.tensor([0.8]), scores_V])[None], torch.tensor([0]))
    assert loss.item() == pytest.approx(full.item(), abs=0.02)


def test_no_targets_are_no_loss() -> None:
    loss = sampled_softmax(
        torch.zeros(0),
        torch.zeros(0, 3),
        target_logq_T=torch.zeros(0),
        negative_logq_N=torch.zeros(3),
        excluded_TN=torch.zeros(0, 3, dtype=torch.bool),
    )
    assert loss.item() == 0.0
