"""What a part that was left out no longer does, held against the whole network, where it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from swipewise.model.fusion import modality_attention
from swipewise.model.interest import HistoryInputs, Parts
from tests.model.networks import LENGTH, VECTORS, build, changed, each, history, read, same, videos


def other_profiles(seen: HistoryInputs) -> HistoryInputs:
    return replace(seen, profile_BP=seen.profile_BP.flip(0))


def other_acts(seen: HistoryInputs) -> HistoryInputs:
    for field in ("watch_ratio_BL", "flags_BLF", "gap_BL"):
        recent, older = (changed(part, field, 1) for part in (seen.recent, seen.older))
        seen = replace(seen, recent=recent, older=older)
    return seen


def other_gaps(seen: HistoryInputs) -> HistoryInputs:
    return replace(seen, recent=changed(seen.recent, "gap_BL", 1), older=changed(seen.older, "gap_BL", 1))


@pytest.mark.parametrize(
    ("part", "change"),
    [("profile", other_profiles), ("behavior", other_acts), ("sequence", other_gaps)],
    ids=["profile", "behavior", "sequence"],
)
def test_what_the_part_reads_has_no_influence_without_it(part: str, change: object) -> None:
    """Time gaps reach the interest through the Transformer alone."""
    seen = history(older=3)
    other = change(seen)  # type: ignore[operator]
    whole, left = build(), build(without=part)
    assert not torch.allclose(read(whole, seen).z_BL1D, read(whole, other).z_BL1D, atol=1e-4)
    names = [name for name in VECTORS if part != "sequence" or name != "tokens_BL1D"]
    for name in names:
        assert torch.equal(getattr(read(left, seen), name), getattr(read(left, other), name)), name


def test_without_attention_every_modality_present_weighs_the_same_for_everybody() -> None:
    inputs = videos()
    for without, even in ((None, False), ("attention", True)):
        network = build(without=without)
        u_BD = read(network, history(older=3)).u_BL1D[:, -1]
        alpha_BKM = modality_attention(u_BD.unsqueeze(1), network.project(inputs), inputs.present_KM)
        expected_KM = inputs.present_KM / inputs.present_KM.sum(dim=1, keepdim=True)
        assert torch.allclose(alpha_BKM, expected_KM.expand_as(alpha_BKM)) == even


@pytest.mark.parametrize("part", ["positions", "sequence"])
def test_without_positions_or_sequence_the_order_of_past_events_does_not_matter(part: str) -> None:
    """With one layer; the causal mask of a second one tells something of the order by itself."""
    seen, order = history(), [2, 0, 3, 1, 4]
    turned = replace(seen, recent=each(seen.recent, lambda values: values[:, order]))
    for without, blind in ((None, False), (part, True)):
        network = build(without=without, layers=1, history=LENGTH)
        if without == "positions":
            # What an event says of itself depends on the preference of its time, which knows the order as well.
            with torch.no_grad():
                network.preference[-1].weight.zero_()
        last, other = (read(network, one).z_BL1D[:, -1] for one in (seen, turned))
        assert torch.allclose(last, other, atol=1e-5) == blind


@pytest.mark.parametrize("part", Parts.__slots__)
def test_a_part_that_is_left_out_changes_the_interest_and_learns_nothing(part: str) -> None:
    seen = history(older=3)
    left = build(without=part)
    assert not same(read(build(), seen), read(left, seen), atol=1e-4)
    read(left, seen).z_BL1D.sum().backward()
    owned = {
        "sequence": "transformer.",
        "positions": "transformer.positions.",
        "behavior": "behavior.",
        "profile": "profile.",
        "attention": "preference.",
    }[part]
    own = {name: parameter.grad for name, parameter in left.named_parameters() if name.startswith(owned)}
    assert own
    assert all(grad is None or not bool(grad.any()) for grad in own.values())
