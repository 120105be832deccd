"""The behaviour Transformer, who sees whom, and the summary of what lies before it.

Legend of shape suffixes: B = viewers in the batch, L = places of the sequence, C = tokens of the summary,
D = model width.
"""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import Tensor

from swipewise.model.sequence import SUMMARY_TOKENS, CausalAttention, CausalTransformer, HistorySummary

VIEWERS, PLACES, WIDTH = 3, 6, 8


@pytest.fixture
def transformer() -> CausalTransformer:
    torch.manual_seed(0)
    return CausalTransformer(width=WIDTH, layers=2, heads=2, places=PLACES, dropout=0.5).eval()


def tokens() -> Tensor:
    return torch.randn(VIEWERS, PLACES, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("place", range(PLACES))
def test_a_token_changes_its_own_place_and_every_later_one_but_none_before(
    transformer: CausalTransformer, place: int
) -> None:
    x_BLD = tokens()
    other_BLD = x_BLD.clone()
    other_BLD[:, place] += torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
    before_BLD, after_BLD = transformer(x_BLD), transformer(other_BLD)
    assert torch.equal(before_BLD[:, :place], after_BLD[:, :place])
    moved_BL = (before_BLD - after_BLD).abs().amax(dim=-1) > 1e-6
    assert bool(moved_BL[:, place:].all())


def test_attention_is_the_softmax_of_scaled_products_of_what_came_before() -> None:
    """One head of width 1 that passes everything through: weights exp(q k) over the places seen."""
    attention = CausalAttention(width=1, heads=1, dropout=0.0)
    for linear, weight in ((attention.qkv, torch.ones(3, 1)), (attention.out, torch.ones(1, 1))):
        linear.weight.data.copy_(weight)
        linear.bias.data.zero_()
    x_L = torch.tensor([0.5, -1.0, 2.0])
    weights_LL = torch.exp(x_L[:, None] * x_L[None, :]).tril()
    expected_L = (weights_LL * x_L).sum(dim=1) / weights_LL.sum(dim=1)
    assert torch.allclose(attention(x_L.view(1, 3, 1)).flatten(), expected_L)


def test_products_are_divided_by_the_root_of_the_width_of_a_head() -> None:
    """Two heads, each of width 2, that pass everything through."""
    attention = CausalAttention(width=4, heads=2, dropout=0.0)
    attention.qkv.weight.data.copy_(torch.eye(4).repeat(3, 1))
    attention.out.weight.data.copy_(torch.eye(4))
    attention.qkv.bias.data.zero_()
    attention.out.bias.data.zero_()
    x_LD = torch.tensor([[1.0, 0.0, 0.0, 1.0], [2.0, 1.0, 1.0, -1.0]])
    expected = []
    for head_LE in (x_LD[:, :2], x_LD[:, 2:]):
        weights_L = torch.softmax(head_LE @ head_LE[1] / sqrt(2), dim=0)
        expected.append(weights_L @ head_LE)
    assert torch.allclose(attention(x_LD[None])[0, 1], torch.cat(expected))


@pytest.mark.parametrize("before", [None, 2])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_of_one_place_is_that_of_the_place_among_all(
    causal: bool, padded: bool, before: int | None
) -> None:
    torch.manual_seed(2)
    attention = CausalAttention(width=WIDTH, heads=2, dropout=0.0, causal=causal)
    torch.nn.init.normal_(attention.qkv.bias)
    place_B = torch.tensor([0, 3, PLACES - 1])
    valid_BL = torch.arange(PLACES) <= place_B.unsqueeze(1) if padded else None
    before_1CD = None if before is None else torch.randn(1, before, WIDTH)
    whole_BLD = attention(tokens(), valid_BL, before_1CD)
    alone_BD = attention.at(tokens(), place_B, valid_BL, before_1CD)
    assert torch.allclose(alone_BD, whole_BLD[torch.arange(VIEWERS), place_B], atol=1e-6)


def test_the_order_of_what_came_before_is_told_by_the_positions() -> None:
    """One layer, whose last place sees the same set both times; a second layer would tell order by itself."""
    torch.manual_seed(0)
    transformer = CausalTransformer(width=WIDTH, layers=1, heads=2, places=PLACES, dropout=0.0)
    x_BLD = tokens()
    turned_BLD = x_BLD[:, [2, 0, 1, 4, 3, 5]]
    assert not torch.allclose(transformer(x_BLD)[:, -1], transformer(turned_BLD)[:, -1], atol=1e-3)
    untold, untold_turned = (transformer(x, positions=False)[:, -1] for x in (x_BLD, turned_BLD))
    assert torch.allclose(untold, untold_turned, atol=1e-5)
    assert not torch.allclose(untold, transformer(x_BLD)[:, -1], atol=1e-3)


@pytest.mark.parametrize("padding", [0.0, 1e4])
def test_padding_at_the_end_has_no_influence_on_what_precedes_it(
    transformer: CausalTransformer, padding: float
) -> None:
    x_BLD = tokens()
    padded_BLD = x_BLD.clone()
    padded_BLD[:, 4:] = padding
    assert torch.allclose(transformer(padded_BLD)[:, :4], transformer(x_BLD[:, :4]), atol=1e-6)


def test_a_viewer_alone_is_read_as_in_a_batch(transformer: CausalTransformer) -> None:
    x_BLD = tokens()
    together_BLD = transformer(x_BLD)
    for row in range(VIEWERS):
        assert torch.allclose(transformer(x_BLD[row : row + 1]), together_BLD[row : row + 1], atol=1e-6)


def test_one_token_is_a_sequence(transformer: CausalTransformer) -> None:
    assert transformer(tokens()[:, :1]).shape == (VIEWERS, 1, WIDTH)


def test_dropout_acts_in_training_alone(transformer: CausalTransformer) -> None:
    x_BLD = tokens()
    assert torch.equal(transformer(x_BLD), transformer(x_BLD))
    transformer.train()
    assert not torch.equal(transformer(x_BLD), transformer(x_BLD))


def test_without_the_causal_mask_every_place_sees_every_valid_one(transformer: CausalTransformer) -> None:
    torch.manual_seed(0)
    both_ways = CausalTransformer(width=WIDTH, layers=1, heads=2, places=PLACES, dropout=0.0, causal=False).eval()
    x_BLD = tokens()
    valid_BL = torch.arange(PLACES) < torch.tensor([[PLACES], [4], [1]])
    before_BLD = both_ways(x_BLD, valid_BL)
    for place in range(PLACES):
        other_BLD = x_BLD.clone()
        other_BLD[:, place] += torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
        moved_BL = (before_BLD - both_ways(other_BLD, valid_BL)).abs().amax(dim=-1) > 1e-6
        for row in range(VIEWERS):
            seen = bool(valid_BL[row, place])
            assert all(bool(moved) == seen for at, moved in enumerate(moved_BL[row]) if at != place)


@pytest.fixture
def summary() -> HistorySummary:
    torch.manual_seed(0)
    made = HistorySummary(width=WIDTH)
    torch.nn.init.normal_(made.base_CD)
    return made


def test_each_token_of_the_summary_is_its_base_and_a_weighted_mean_of_the_events(summary: HistorySummary) -> None:
    x_BLD = tokens()
    found_BCD = summary(x_BLD, torch.ones(VIEWERS, PLACES, dtype=torch.bool))
    assert found_BCD.shape == (VIEWERS, SUMMARY_TOKENS, WIDTH)
    for row in range(VIEWERS):
        for token in range(SUMMARY_TOKENS):
            logits_L = x_BLD[row] @ summary.weigh.weight[token] + summary.weigh.bias[token]
            mean_D = torch.softmax(logits_L, dim=0) @ summary.value(x_BLD[row])
            assert torch.allclose(found_BCD[row, token], mean_D + summary.base_CD[token], atol=1e-6)


@pytest.mark.parametrize("padding", [0.0, 1e4])
def test_the_summary_ignores_padding(summary: HistorySummary, padding: float) -> None:
    x_BLD, lengths = tokens(), (2, PLACES, 0)
    kept_BL = torch.arange(PLACES) < torch.tensor(lengths)[:, None]
    found_BCD = summary(x_BLD.masked_fill(~kept_BL[..., None], padding), kept_BL)
    for row, length in enumerate(lengths):
        alone_CD = summary(x_BLD[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))[0]
        assert torch.allclose(found_BCD[row], alone_CD, atol=1e-6)


def test_the_summary_of_nothing_is_its_base(summary: HistorySummary) -> None:
    found_BCD = summary(torch.zeros(2, 0, WIDTH), torch.zeros(2, 0, dtype=torch.bool))
    assert torch.equal(found_BCD, summary.base_CD.expand(2, -1, -1))
    found_BCD.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in summary.parameters() if p.grad is not None)
