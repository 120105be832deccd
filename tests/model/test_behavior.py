"""What a viewer did, as a vector: bucket edges, limits and what has influence."""

from __future__ import annotations

from math import nan, tanh

import pytest
import torch
from torch import Tensor

from swipewise.model.behavior import GAP_BUCKETS, BehaviorEmbedding, gap_bucket


def embedding() -> BehaviorEmbedding:
    torch.manual_seed(0)
    return BehaviorEmbedding(flags=2, width=4)


def event(ratio: float = 0.5, flags: tuple[bool, bool] = (False, False), gap: float = 0.0) -> tuple[Tensor, ...]:
    return torch.tensor([[ratio]]), torch.tensor([[flags]]), torch.tensor([[gap]])


@pytest.mark.parametrize("bucket", range(1, GAP_BUCKETS))
def test_a_bucket_begins_at_a_power_of_two_less_one(bucket: int) -> None:
    edge = 2.0**bucket - 1
    assert gap_bucket(torch.tensor([edge - 0.5, edge])).tolist() == [bucket - 1, bucket]


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(-5.0, 0), (0.0, 0), (1e9, GAP_BUCKETS - 1), (3e38, GAP_BUCKETS - 1)]
)
def test_gaps_beyond_the_ends_fall_into_the_outer_buckets(seconds: float, bucket: int) -> None:
    assert gap_bucket(torch.tensor([seconds])).tolist() == [bucket]


def test_a_ratio_above_two_counts_as_two() -> None:
    embed = embedding()
    for most, more in zip(embed(*event(2.0)), embed(*event(9.0)), strict=True):
        assert torch.equal(most, more)


def test_the_strength_is_the_tanh_of_the_weighted_acts() -> None:
    embed = embedding()
    embed.weigh.weight.data.copy_(torch.tensor([[0.1, 0.2, 0.6, 0.3, -0.4]]))
    embed.weigh.bias.data.fill_(0.05)
    _, strength_BL = embed(*event(1.5, (True, True)))
    assert strength_BL.item() == pytest.approx(tanh(0.1 * 1.5 + 0.2 * 1.5**2 + 0.6 + 0.3 - 0.4 + 0.05))


def test_an_unknown_ratio_is_none_at_all_and_neither_zero_nor_no_number() -> None:
    embed = embedding()
    embed.weigh.weight.data.copy_(torch.tensor([[0.1, 0.2, 0.6, 0.3, -0.4]]))
    embed.weigh.bias.data.fill_(0.05)
    b_BLD, strength_BL = embed(*event(nan, (True, True)))
    assert strength_BL.item() == pytest.approx(tanh(0.3 - 0.4 + 0.05))
    (b_BLD.sum() + strength_BL.sum()).backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in embed.parameters() if p.grad is not None)
    for unknown, zero in zip(embed(*event(nan)), embed(*event(0.0)), strict=True):
        assert bool(torch.isfinite(unknown).all())
        assert not torch.allclose(unknown, zero)


@pytest.mark.parametrize("other", [event(1.0), event(0.5, (True, False)), event(0.5, (False, True))])
def test_ratio_and_each_action_move_vector_and_strength(other: tuple[Tensor, ...]) -> None:
    embed = embedding()
    for plain, moved in zip(embed(*event()), embed(*other), strict=True):
        assert not torch.allclose(plain, moved)


def test_the_gap_moves_the_vector_but_not_the_strength() -> None:
    embed = embedding()
    (plain, strength), (later, same) = embed(*event()), embed(*event(gap=3600.0))
    assert not torch.allclose(plain, later)
    assert torch.equal(strength, same)
