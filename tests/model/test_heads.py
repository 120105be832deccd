"""The heads that predict how much of a video is watched and what is done with it.

Legend of shape suffixes: B = viewers, N = videos, Q = places of the history, A = actions, D = model width.
"""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import Tensor

from swipewise.model.heads import ActionHeads, TargetAttention, WatchHead


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


VIEWERS, VIDEOS, PLACES, WIDTH = 2, 3, 4, 4


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def passing(*, heads: int) -> TargetAttention:
    """Attention whose linear maps pass everything through."""
    attention = TargetAttention(width=WIDTH, heads=heads)
    attention.query.weight.data.copy_(torch.eye(WIDTH))
    attention.key_value.weight.data.copy_(torch.eye(WIDTH).repeat(2, 1))
    attention.query.bias.data.zero_()
    attention.key_value.bias.data.zero_()
    return attention


@pytest.mark.parametrize("heads", [1, 2])
def test_a_video_reads_the_mean_of_the_history_weighed_by_likeness_a_head_at_a_time(heads: int) -> None:
    f_BND, tokens_BQD = random(VIEWERS, VIDEOS, WIDTH), random(VIEWERS, PLACES, WIDTH, seed=1)
    visible_1NQ = torch.tensor([[[True, False, False, False], [True, True, False, True], [True] * 4]])
    read_BND = passing(heads=heads)(f_BND, tokens_BQD, visible_1NQ)
    for viewer in range(VIEWERS):
        for video in range(VIDEOS):
            seen_QD = tokens_BQD[viewer, visible_1NQ[0, video]]
            parts = []
            for head_D in torch.arange(WIDTH).split(WIDTH // heads):
                products_Q = seen_QD[:, head_D] @ f_BND[viewer, video, head_D] / sqrt(len(head_D))
                parts.append(torch.softmax(products_Q, dim=0) @ seen_QD[:, head_D])
            assert torch.allclose(read_BND[viewer, video], torch.cat(parts), atol=1e-5)


def test_what_a_video_may_not_read_has_no_influence_and_learns_nothing() -> None:
    torch.manual_seed(0)
    attention = TargetAttention(width=WIDTH, heads=2)
    visible_1NQ = torch.tensor([[[True, True, False, False]] * VIDEOS])
    f_BND, tokens_BQD = random(VIEWERS, VIDEOS, WIDTH), random(VIEWERS, PLACES, WIDTH, seed=1)
    other_BQD = tokens_BQD.clone()
    other_BQD[:, 2:] = 1e4
    other_BQD.requires_grad_()
    read_BND = attention(f_BND, other_BQD, visible_1NQ)
    assert torch.equal(read_BND, attention(f_BND, tokens_BQD, visible_1NQ))
    read_BND.sum().backward()
    assert other_BQD.grad is not None
    assert other_BQD.grad.abs().amax(dim=(0, 2)).gt(0).tolist() == [True, True, False, False]


def action_inputs() -> dict[str, Tensor]:
    return {
        "z_BND": random(VIEWERS, VIDEOS, WIDTH),
        "f_BND": random(VIEWERS, VIDEOS, WIDTH, seed=1),
        "s_B1D": random(VIEWERS, 1, WIDTH, seed=2),
        "statistics_BNS": random(VIEWERS, VIDEOS, 5, seed=3),
        "tokens_BQD": random(VIEWERS, PLACES, WIDTH, seed=4),
        "visible_BNQ": torch.ones(1, VIDEOS, PLACES, dtype=torch.bool),
    }


@pytest.mark.parametrize("name", ["z_BND", "f_BND", "statistics_BNS"])
def test_each_input_moves_every_action_of_its_own_exposure_and_of_no_other(name: str) -> None:
    torch.manual_seed(0)
    heads = ActionHeads(actions=3, statistics=5, width=WIDTH, heads=2, dropout=0.5).eval()
    inputs = action_inputs()
    changed = inputs[name].clone()
    changed[1, 2] += 1.0
    before_BNA, after_BNA = heads(**inputs), heads(**inputs | {name: changed})
    assert before_BNA.shape == (VIEWERS, VIDEOS, 3)
    moved_BNA = (before_BNA - after_BNA).abs() > 1e-6
    assert bool(moved_BNA[1, 2].all())
    assert int(moved_BNA.sum()) == 3


@pytest.mark.parametrize("name", ["s_B1D", "tokens_BQD"])
def test_profile_and_history_move_the_actions_of_their_own_viewer(name: str) -> None:
    torch.manual_seed(0)
    heads = ActionHeads(actions=3, statistics=5, width=WIDTH, heads=2, dropout=0.5).eval()
    inputs = action_inputs()
    changed = inputs[name].clone()
    changed[1, -1] += 1.0
    moved_BNA = (heads(**inputs) - heads(**inputs | {name: changed})).abs() > 1e-6
    assert moved_BNA.any(dim=2).tolist() == [[False] * VIDEOS, [True] * VIDEOS]
