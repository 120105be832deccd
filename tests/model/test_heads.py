"""The head that predicts how much of a video is watched."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from swipewise.model.heads import WatchHead


def test_the_logit_is_the_scaled_product_that_ranks_stretched_and_shifted() -> None:
    head = WatchHead()
    head.scale.data.fill_(3.0)
    head.shift.data.fill_(-0.5)
    logit = head(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([4.0, -1.0, 7.0]))
    assert logit.item() == pytest.approx(3 * (1 * 4 - 2 * 1) / sqrt(3) - 0.5)


def test_at_first_the_logit_is_the_ranking_score_itself() -> None:
    assert WatchHead()(torch.tensor([2.0, 2.0]), torch.tensor([1.0, 3.0])).item() == pytest.approx(8 / sqrt(2))


def test_leading_dimensions_pair_up_and_are_kept() -> None:
    z_D, f_D = torch.randn(2, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    logits = WatchHead()(z_D, f_D)
    assert logits.shape == (2, 5)
    assert logits[1, 3].item() == pytest.approx((z_D[1, 3] @ f_D[1, 3]).item() / 2, abs=1e-6)


def test_both_vectors_learn_from_an_exposure() -> None:
    z_D, f_D = torch.ones(4, requires_grad=True), torch.full((4,), 2.0, requires_grad=True)
    WatchHead()(z_D, f_D).backward()
    assert z_D.grad is not None
    assert f_D.grad is not None
    assert (z_D.grad.tolist(), f_D.grad.tolist()) == ([1.0] * 4, [0.5] * 4)
