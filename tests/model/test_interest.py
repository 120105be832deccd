"""The whole network on projected videos: what may influence what.

Legend of shape suffixes: B = viewers, L = events, L1 = L + 1 places, K = videos, M = modalities, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from swipewise.model.fusion import fuse, modality_attention
from swipewise.model.interest import HistoryInputs, InterestModel, Latest
from tests.model.networks import (
    LENGTH,
    MODALITIES,
    VECTORS,
    VIDEOS,
    VIEWERS,
    WIDTH,
    build,
    changed,
    filled,
    history,
    moved,
    padded,
    read,
    same,
    videos,
    viewer,
)


@pytest.fixture
def network() -> InterestModel:
    return build()


@pytest.mark.parametrize("older", [0, 3])
@pytest.mark.parametrize("field", ["video_BL", "watch_ratio_BL", "flags_BLF", "gap_BL"])
def test_places_before_an_event_are_blind_to_it_and_later_ones_are_not(
    network: InterestModel, field: str, older: int
) -> None:
    """Event number ``event`` is known from place ``event + 1`` on; a time gap tells nothing of preference."""
    seen = history(older=older)
    before = read(network, seen)
    for event in range(LENGTH):
        after = read(network, replace(seen, recent=changed(seen.recent, field, event)))
        for name in VECTORS:
            plain, other = getattr(before, name), getattr(after, name)
            assert torch.equal(plain[:, : event + 1], other[:, : event + 1])
            if name == "tokens_BL1D":
                assert bool(moved(plain, other)[:, event + 1].all())
            else:
                knows = field != "gap_BL" or name == "z_BL1D"
                assert bool((moved(plain, other)[:, event + 1 :] == knows).all()), name


def test_no_place_sends_a_gradient_to_events_after_it(network: InterestModel) -> None:
    inputs, seen = videos(), history()
    seen = replace(seen, recent=replace(seen.recent, video_BL=torch.arange(LENGTH).expand(VIEWERS, LENGTH)))
    for place in range(LENGTH + 1):
        p_KMD = network.project(inputs).detach().requires_grad_()
        reading = network(seen, p_KMD, inputs.present_KM)
        loss = reading.z_BL1D[:, place].sum() + reading.u_BL1D[:, place].sum()
        (gradient_KMD,) = torch.autograd.grad(loss, p_KMD)
        reached_K = gradient_KMD.abs().amax(dim=(1, 2)) > 0
        assert reached_K.tolist() == [video < place for video in range(VIDEOS)]


def test_interest_is_relu_of_its_linear_map_of_history_and_profile(network: InterestModel) -> None:
    """Equation 4: some values are cut at zero, and the others are the linear map's own."""
    seen: list[Tensor] = []
    network.combine.register_forward_hook(lambda module, args, output: seen.append(output))
    z_BL1D = read(network, history(older=2)).z_BL1D
    (linear_BL1D,) = seen
    assert bool((linear_BL1D < 0).any())
    assert torch.equal(z_BL1D, linear_BL1D.clamp(min=0))


def test_place_0_is_the_same_for_every_recent_history_and_another_for_another_profile(
    network: InterestModel,
) -> None:
    seen = replace(history(), profile_BP=torch.tensor([[1, 2]] * VIEWERS))
    elsewhere = replace(seen, profile_BP=torch.tensor([[3, 4]] * VIEWERS))
    for name in ("z_BL1D", "u_BL1D"):
        first_BD = getattr(read(network, seen), name)[:, 0]
        assert torch.allclose(first_BD, first_BD[:1].expand_as(first_BD), atol=1e-6)
        assert bool(moved(getattr(read(network, seen), name), getattr(read(network, elsewhere), name)).all())


def test_the_codes_of_missing_profile_fields_have_no_influence(network: InterestModel) -> None:
    longer_BP = torch.cat([history().profile_BP, torch.zeros(VIEWERS, 2, dtype=torch.long)], dim=1)
    assert same(read(network, history()), read(network, replace(history(), profile_BP=longer_BP)), atol=1e-6)


def test_a_viewer_without_profile_and_history_has_finite_vectors_and_gradients(network: InterestModel) -> None:
    nobody = replace(history(recent=0), profile_BP=torch.zeros(VIEWERS, 2, dtype=torch.long))
    reading = read(network, nobody)
    assert reading.z_BL1D.shape == reading.u_BL1D.shape == (VIEWERS, 1, WIDTH)
    assert bool(torch.isfinite(torch.cat([reading.z_BL1D, reading.u_BL1D])).all())
    (reading.z_BL1D.sum() + reading.u_BL1D.sum()).backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_a_history_of_videos_with_nothing_present_stays_finite(network: InterestModel) -> None:
    inputs = replace(videos(), present_KM=torch.zeros(VIDEOS, len(MODALITIES), dtype=torch.bool))
    reading = network(history(older=2), network.project(inputs), inputs.present_KM)
    (reading.z_BL1D.sum() + reading.u_BL1D.sum()).backward()
    assert bool(torch.isfinite(torch.cat([reading.z_BL1D, reading.u_BL1D])).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_the_same_videos_watched_or_skipped_make_another_viewer(network: InterestModel) -> None:
    """Flag 1 stands for a skip here."""
    seen = history()
    skip_BLF = torch.tensor([False, True]).expand(VIEWERS, LENGTH, 2)
    ratio_BL = torch.ones(VIEWERS, LENGTH)
    watched = replace(seen.recent, watch_ratio_BL=ratio_BL, flags_BLF=torch.zeros_like(skip_BLF))
    skipped = replace(seen.recent, watch_ratio_BL=0.05 * ratio_BL, flags_BLF=skip_BLF)
    before, after = (read(network, replace(seen, recent=recent)) for recent in (watched, skipped))
    for name in ("z_BL1D", "u_BL1D"):
        expected = [[False] + [True] * LENGTH] * VIEWERS
        assert moved(getattr(before, name), getattr(after, name)).tolist() == expected


@pytest.mark.parametrize("part", ["recent", "older"])
def test_an_unknown_watch_ratio_is_a_fact_of_its_own_and_no_number_that_spreads(
    network: InterestModel, part: str
) -> None:
    seen = history(older=LENGTH)
    known = getattr(seen, part)
    readings = []
    for ratio in (torch.nan, 0.0):
        ratio_BL = known.watch_ratio_BL.clone()
        ratio_BL[:, 2] = ratio
        readings.append(read(network, replace(seen, **{part: replace(known, watch_ratio_BL=ratio_BL)})))
    unknown, zero = readings
    assert all(bool(torch.isfinite(getattr(unknown, name)).all()) for name in VECTORS)
    assert bool(moved(unknown.z_BL1D, zero.z_BL1D)[:, -1].all())
    unknown.z_BL1D.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def evidence(network: InterestModel, seen: object) -> Tensor:
    """What the linear map of the evidence is given: (B, L1, M * (D + 1))."""
    taken: list[Tensor] = []
    hook = network.evidence.register_forward_pre_hook(lambda module, args: taken.append(args[0]))
    read(network, seen)  # type: ignore[arg-type]
    hook.remove()
    return taken[0]


@pytest.mark.parametrize("older", [0, 3])
def test_evidence_is_the_running_mean_of_p_less_its_shift_signed_by_strength(
    network: InterestModel, older: int
) -> None:
    """Whether an event is recent or an older one makes no difference to it."""
    seen, inputs = history(older=older), videos()
    network.behavior.weigh.weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, -1.5, 0.5]]))
    own_KMD = network.project(inputs) - network.project.shift_MD
    evidence_BL1E = evidence(network, seen)
    for row in range(VIEWERS):
        total_MD, amount_M = torch.zeros(len(MODALITIES), WIDTH), torch.zeros(len(MODALITIES))
        for part, length in ((seen.older, older), (seen.recent, LENGTH)):
            _, strength_BL = network.behavior(part.watch_ratio_BL, part.flags_BLF, part.gap_BL)
            assert length == 0 or strength_BL.min() < 0 < strength_BL.max()
            for place in range(length):
                video, strength = part.video_BL[row, place], strength_BL[row, place]
                here_M = inputs.present_KM[video]
                total_MD = total_MD + strength * own_KMD[video] * here_M[:, None]
                amount_M = amount_M + strength.abs() * here_M
        mean_MD = total_MD / (1 + amount_M)[:, None]
        expected_E = torch.cat([mean_MD.flatten(), mean_MD.square().mean(dim=1)])
        assert torch.allclose(evidence_BL1E[row, -1], expected_E, atol=1e-6)
    assert bool((evidence_BL1E[:, 0] == 0).all()) == (older == 0)


def test_what_padding_holds_has_no_influence(network: InterestModel) -> None:
    seen = history()
    short = padded(seen.recent, 2, LENGTH, 0)
    one, other = (read(network, replace(seen, recent=recent)) for recent in (short, filled(short)))
    assert same(one, other)


def test_a_viewer_alone_and_unpadded_is_read_as_in_a_padded_batch(network: InterestModel) -> None:
    seen, lengths = history(), (2, LENGTH, 3)
    together = read(network, replace(seen, recent=padded(seen.recent, *lengths)))
    for row, length in enumerate(lengths):
        alone = read(network, viewer(seen, row, recent=length))
        for name in VECTORS:
            both, one = getattr(together, name)[row, : length + 1], getattr(alone, name)[0]
            assert torch.allclose(both, one, atol=1e-5)


def test_the_index_holds_one_vector_a_video_under_the_common_preference(network: InterestModel) -> None:
    inputs = videos()
    p_KMD = network.project(inputs)
    f_KD = network.index_vectors(p_KMD, inputs.present_KM)
    for video in range(VIDEOS):
        expected_D = fuse(network.common_preference, p_KMD[video], inputs.present_KM[video])
        assert torch.allclose(f_KD[video], expected_D, atol=1e-6)


def with_strengths(*strength_M: float) -> HistoryInputs:
    strength_BL1M = torch.tensor(strength_M).expand(VIEWERS, LENGTH + 1, len(strength_M))
    return replace(history(), strength_BL1M=strength_BL1M)


def test_where_tastes_are_strong_fusion_listens_and_by_as_much_as_is_learned(network: InterestModel) -> None:
    """The logit of every modality's shift rises by its strength, and that of modalities without content by nothing."""
    shift_MD = network.project.shift_MD

    def logits(seen: HistoryInputs) -> Tensor:
        return (read(network, seen).u_BL1D @ shift_MD.T / WIDTH**0.5).detach()

    plain, told = logits(history()), logits(with_strengths(1.5, -1.5))
    assert torch.allclose(told - plain, torch.tensor([1.5, -1.5, 0.0, 0.0]), atol=1e-4)
    network.heed.data.fill_(0.5)
    assert torch.allclose(logits(with_strengths(1.5, -1.5)) - plain, (told - plain) / 2, atol=1e-4)
    p_KMD, present_KM = network.project(videos()), videos().present_KM
    whole_K = present_KM.all(dim=1)
    weights = [
        modality_attention(read(network, seen).u_BL1D[:, -1:], p_KMD[whole_K], present_KM[whole_K]).mean(
            dim=(0, 1)
        )
        for seen in (with_strengths(1.5, -1.5), with_strengths(-1.5, 1.5))
    ]
    assert weights[0][0] > weights[1][0] + 0.1
    assert weights[0][1] < weights[1][1] - 0.1


def test_with_uniform_weights_strengths_have_no_say() -> None:
    blind = build(without="attention")
    assert same(read(blind, with_strengths(1.5, -1.5)), read(blind, history()))


def test_strengths_move_with_the_history() -> None:
    moved_there = with_strengths(1.0, -1.0).to(torch.device("cpu"))
    assert moved_there.strength_BL1M is not None
    assert history().to(torch.device("cpu")).strength_BL1M is None


@pytest.mark.parametrize("modalities", [MODALITIES, ("id",)])
@pytest.mark.parametrize("older", [(0, 0, 0), (2, 0, 4), (1, 3, 2)])
def test_the_place_asked_for_alone_is_read_as_among_all(
    modalities: tuple[str, ...], older: tuple[int, ...]
) -> None:
    dims = {"visual": 4, "audio": 3} if len(modalities) > 1 else {}
    network = build(modalities=modalities, content_dims=dims)
    seen = history(older=4)
    seen = replace(seen, older=padded(seen.older, *older), recent=padded(seen.recent, 2, LENGTH, 0))
    inputs, last_B = videos(), torch.tensor([2, LENGTH, 0])
    if len(modalities) == 1:
        inputs = replace(inputs, present_KM=inputs.present_KM[:, -1:])
    p_KMD = network.project(inputs)
    whole = network(seen, p_KMD, inputs.present_KM).at(last_B)
    latest = network.latest(seen, p_KMD, inputs.present_KM, last_B)
    for name in Latest.__slots__:
        assert torch.allclose(getattr(latest, name), getattr(whole, name), atol=1e-5), name


def test_with_one_modality_there_is_nothing_to_prefer() -> None:
    network = build(modalities=("id",), content_dims={})
    inputs = replace(videos(), present_KM=videos().present_KM[:, -1:])
    reading = network(history(), network.project(inputs), inputs.present_KM)
    assert not bool(reading.u_BL1D.any())
    assert bool(moved(reading.z_BL1D[:, 0], reading.z_BL1D[:, -1]).all())
