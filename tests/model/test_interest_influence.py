"""The whole network on projected videos: leaks, behaviour, hidden events and parameters that learn.

Legend of shape suffixes: B = viewers, L = events, L1 = L + 1 places, K = videos, M = modalities, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from swipewise.model.fusion import VideoInputs, fuse, fused_scores
from swipewise.model.interest import HistoryInputs, InterestModel
from swipewise.model.losses import sampled_softmax

MODALITIES = ("visual", "audio", "attributes", "id")
VIEWERS, LENGTH, VIDEOS, WIDTH = 3, 5, 9, 16


def build(*, event_dropout: float = 0.0) -> InterestModel:
    torch.manual_seed(0)
    return InterestModel(
        modalities=MODALITIES,
        content_dims={"visual": 4, "audio": 3},
        videos=VIDEOS,
        attribute_values=4,
        profile_values=4,
        flags=2,
        width=WIDTH,
        layers=2,
        heads=2,
        history=LENGTH,
        dropout=0.0,
        event_dropout=event_dropout,
    ).eval()


@pytest.fixture
def network() -> InterestModel:
    return build()


def videos() -> VideoInputs:
    generator = torch.Generator().manual_seed(1)
    present_KM = torch.ones(VIDEOS, len(MODALITIES), dtype=torch.bool)
    present_KM[1, 1] = present_KM[2, 3] = present_KM[7, 0] = False
    return VideoInputs(
        content={
            "visual": torch.randn(VIDEOS, 4, generator=generator),
            "audio": torch.randn(VIDEOS, 3, generator=generator),
        },
        id_K=torch.arange(VIDEOS),
        attributes_KA=torch.randint(1, 5, (VIDEOS, 2), generator=generator),
        present_KM=present_KM,
    )


def history() -> HistoryInputs:
    generator = torch.Generator().manual_seed(2)
    return HistoryInputs(
        video_BL=torch.randint(0, VIDEOS - 1, (VIEWERS, LENGTH), generator=generator),
        watch_ratio_BL=torch.rand(VIEWERS, LENGTH, generator=generator),
        flags_BLF=torch.rand(VIEWERS, LENGTH, 2, generator=generator) > 0.5,
        gap_BL=torch.rand(VIEWERS, LENGTH, generator=generator) * 60,
        valid_BL=torch.ones(VIEWERS, LENGTH, dtype=torch.bool),
        profile_BP=torch.tensor([[1, 3], [2, 0], [0, 4]]),
    )


def read(network: InterestModel, seen: HistoryInputs) -> tuple[Tensor, Tensor]:
    inputs = videos()
    z_BL1D, u_BL1D = network(seen, network.project(inputs), inputs.present_KM)
    return z_BL1D, u_BL1D


def with_event(seen: HistoryInputs, field: str, place: int) -> HistoryInputs:
    """The same histories but for one field of one event of every viewer."""
    values = getattr(seen, field).clone()
    changes = {"watch_ratio_BL": 1.9, "gap_BL": 1e5}
    if field == "flags_BLF":
        values[:, place] = ~values[:, place]
    elif field == "video_BL":
        values[:, place] = (values[:, place] + 4) % VIDEOS
    else:
        values[:, place] = changes[field]
    return replace(seen, **{field: values})


def rows(seen: HistoryInputs, chosen: slice) -> HistoryInputs:
    return HistoryInputs(**{name: getattr(seen, name)[chosen] for name in HistoryInputs.__slots__})


def moved(before: Tensor, after: Tensor) -> Tensor:
    return (before - after).abs().amax(dim=-1) > 1e-6


@pytest.mark.parametrize("event", range(LENGTH))
@pytest.mark.parametrize("field", ["video_BL", "watch_ratio_BL", "flags_BLF", "gap_BL"])
def test_places_before_an_event_are_blind_to_it_and_later_ones_are_not(
    network: InterestModel, field: str, event: int
) -> None:
    """Event number ``event`` is known from place ``event + 1`` on; a time gap tells nothing of preference."""
    before, after = read(network, history()), read(network, with_event(history(), field, event))
    for vector, (plain, other) in zip("zu", zip(before, after, strict=True), strict=True):
        assert torch.equal(plain[:, : event + 1], other[:, : event + 1])
        knows = field != "gap_BL" or vector == "z"
        assert bool((moved(plain, other)[:, event + 1 :] == knows).all()), vector


def test_no_place_sends_a_gradient_to_events_after_it(network: InterestModel) -> None:
    inputs, seen = videos(), replace(history(), video_BL=torch.arange(LENGTH).expand(VIEWERS, LENGTH))
    for place in range(LENGTH + 1):
        p_KMD = network.project(inputs).detach().requires_grad_()
        z_BL1D, u_BL1D = network(seen, p_KMD, inputs.present_KM)
        loss = z_BL1D[:, place].sum() + u_BL1D[:, place].sum()
        (gradient_KMD,) = torch.autograd.grad(loss, p_KMD)
        reached_K = gradient_KMD.abs().amax(dim=(1, 2)) > 0
        assert reached_K.tolist() == [video < place for video in range(VIDEOS)]


def test_interest_is_relu_of_its_linear_map_of_history_and_profile(network: InterestModel) -> None:
    """Equation 4: some values are cut at zero, and the others are the linear map's own."""
    seen: list[Tensor] = []
    network.combine.register_forward_hook(lambda module, args, output: seen.append(output))
    z_BL1D, _ = read(network, history())
    (linear_BL1D,) = seen
    assert bool((linear_BL1D < 0).any())
    assert torch.equal(z_BL1D, linear_BL1D.clamp(min=0))


def test_place_0_is_the_same_for_every_history_and_another_for_another_profile(network: InterestModel) -> None:
    seen = replace(history(), profile_BP=torch.tensor([[1, 2]] * VIEWERS))
    for vector_BL1D in read(network, seen):
        first_BD = vector_BL1D[:, 0]
        assert torch.allclose(first_BD, first_BD[:1].expand_as(first_BD), atol=1e-6)
    elsewhere = replace(seen, profile_BP=torch.tensor([[3, 4]] * VIEWERS))
    for before, after in zip(read(network, seen), read(network, elsewhere), strict=True):
        assert bool(moved(before, after).all())


def test_the_codes_of_missing_profile_fields_have_no_influence(network: InterestModel) -> None:
    padded = torch.cat([history().profile_BP, torch.zeros(VIEWERS, 2, dtype=torch.long)], dim=1)
    for plain, other in zip(
        read(network, history()), read(network, replace(history(), profile_BP=padded)), strict=True
    ):
        assert torch.allclose(plain, other, atol=1e-6)


def test_a_viewer_without_profile_and_history_has_finite_vectors_and_gradients(network: InterestModel) -> None:
    nobody = HistoryInputs(
        video_BL=torch.zeros(1, 0, dtype=torch.long),
        watch_ratio_BL=torch.zeros(1, 0),
        flags_BLF=torch.zeros(1, 0, 2, dtype=torch.bool),
        gap_BL=torch.zeros(1, 0),
        valid_BL=torch.zeros(1, 0, dtype=torch.bool),
        profile_BP=torch.zeros(1, 2, dtype=torch.long),
    )
    z_BL1D, u_BL1D = read(network, nobody)
    assert z_BL1D.shape == u_BL1D.shape == (1, 1, WIDTH)
    assert bool(torch.isfinite(torch.cat([z_BL1D, u_BL1D])).all())
    (z_BL1D.sum() + u_BL1D.sum()).backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_a_history_of_videos_with_nothing_present_stays_finite(network: InterestModel) -> None:
    inputs = replace(videos(), present_KM=torch.zeros(VIDEOS, len(MODALITIES), dtype=torch.bool))
    z_BL1D, u_BL1D = network(history(), network.project(inputs), inputs.present_KM)
    (z_BL1D.sum() + u_BL1D.sum()).backward()
    assert bool(torch.isfinite(torch.cat([z_BL1D, u_BL1D])).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None)


def test_the_same_videos_watched_or_skipped_make_another_viewer(network: InterestModel) -> None:
    """Flag 1 stands for a skip here."""
    skip_BLF = torch.tensor([False, True]).expand(VIEWERS, LENGTH, 2)
    watched = replace(history(), watch_ratio_BL=torch.ones(VIEWERS, LENGTH), flags_BLF=torch.zeros_like(skip_BLF))
    skipped = replace(history(), watch_ratio_BL=torch.full((VIEWERS, LENGTH), 0.05), flags_BLF=skip_BLF)
    for before, after in zip(read(network, watched), read(network, skipped), strict=True):
        assert moved(before, after).tolist() == [[False] + [True] * LENGTH] * VIEWERS


def test_evidence_is_the_running_mean_of_p_less_its_shift_signed_by_strength(network: InterestModel) -> None:
    """Two events of strengths 1/2 and -1/4, the second without its last modality."""
    p_BLMD = torch.randn(1, 2, len(MODALITIES), WIDTH, generator=torch.Generator().manual_seed(4))
    present_BLM = torch.ones(1, 2, len(MODALITIES), dtype=torch.bool)
    present_BLM[0, 1, -1] = False
    evidence_BL1E = network._evidence(p_BLMD, present_BLM, torch.tensor([[0.5, -0.25]]))
    first_MD, second_MD = p_BLMD[0] - network.project.shift_MD
    mean_MD = (0.5 * first_MD - 0.25 * second_MD) / (1 + 0.75)
    mean_MD[-1] = 0.5 * first_MD[-1] / (1 + 0.5)
    expected_E = torch.cat([mean_MD.flatten(), mean_MD.square().mean(dim=1)])
    assert torch.allclose(evidence_BL1E[0, 2], expected_E, atol=1e-6)
    assert bool((evidence_BL1E[0, 0] == 0).all())


def test_what_padding_holds_has_no_influence_on_any_place_before_it(network: InterestModel) -> None:
    valid_BL = torch.arange(LENGTH).expand(VIEWERS, LENGTH) < torch.tensor([[2], [5], [0]])
    padded = replace(history(), valid_BL=valid_BL)
    filled = replace(
        padded,
        video_BL=padded.video_BL.where(valid_BL, VIDEOS - 1),
        watch_ratio_BL=padded.watch_ratio_BL.where(valid_BL, 2.0),
        flags_BLF=padded.flags_BLF | ~valid_BL[..., None],
        gap_BL=padded.gap_BL.where(valid_BL, 1e6),
    )
    for plain, other in zip(read(network, padded), read(network, filled), strict=True):
        assert torch.equal(plain, other)


def test_a_viewer_alone_and_unpadded_is_read_as_in_a_padded_batch(network: InterestModel) -> None:
    lengths = (2, LENGTH, 3)
    valid_BL = torch.arange(LENGTH).expand(VIEWERS, LENGTH) < torch.tensor(lengths)[:, None]
    together = read(network, replace(history(), valid_BL=valid_BL))
    for viewer, length in enumerate(lengths):
        one = rows(history(), slice(viewer, viewer + 1))
        events = ("video_BL", "watch_ratio_BL", "flags_BLF", "gap_BL", "valid_BL")
        short = replace(one, **{name: getattr(one, name)[:, :length] for name in events})
        for both, alone in zip(together, read(network, short), strict=True):
            assert torch.allclose(both[viewer, : length + 1], alone[0], atol=1e-5)


def test_a_score_depends_on_no_other_candidate_and_no_other_viewer(network: InterestModel) -> None:
    inputs = videos()
    p_KMD = network.project(inputs)
    z_BL1D, u_BL1D = read(network, history())
    scores_BK, _ = fused_scores(z_BL1D[:, -1], u_BL1D[:, -1], p_KMD, inputs.present_KM)
    z_BL1D, u_BL1D = read(network, rows(history(), slice(1, 2)))
    some_K = torch.tensor([8, 2])
    fewer_BK, _ = fused_scores(z_BL1D[:, -1], u_BL1D[:, -1], p_KMD[some_K], inputs.present_KM[some_K])
    assert torch.allclose(fewer_BK[0], scores_BK[1, some_K], atol=1e-5)


def test_a_hidden_event_is_as_one_that_was_padded() -> None:
    """With every event hidden the whole history is gone, which evaluation never does."""
    network = build(event_dropout=1.0)
    plain = read(network, history())
    padded = read(network, replace(history(), valid_BL=torch.zeros(VIEWERS, LENGTH, dtype=torch.bool)))
    hidden = read(network.train(), history())
    for shown, gone, none in zip(plain, hidden, padded, strict=True):
        assert torch.equal(gone, none)
        assert bool(moved(shown, gone)[:, 1:].all())


def test_the_share_of_events_hidden_is_the_one_asked_for_and_padding_stays_hidden() -> None:
    network = build(event_dropout=0.3).train()
    valid_BL = torch.arange(100).expand(100, 100) < 80
    kept_BL = network._drop_events(valid_BL)
    assert not bool((kept_BL & ~valid_BL).any())
    assert kept_BL[valid_BL].float().mean().item() == pytest.approx(0.7, abs=0.03)


def test_the_index_holds_one_vector_a_video_under_the_common_preference(network: InterestModel) -> None:
    inputs = videos()
    p_KMD = network.project(inputs)
    f_KD = network.index_vectors(p_KMD, inputs.present_KM)
    for video in range(VIDEOS):
        expected_D = fuse(network.common_preference, p_KMD[video], inputs.present_KM[video])
        assert torch.allclose(f_KD[video], expected_D, atol=1e-6)


def training_loss(network: InterestModel) -> Tensor:
    """The three parts of training: the next video, the same for the index, and the share watched."""
    inputs, seen = videos(), history()
    p_KMD, present_KM = network.project(inputs), inputs.present_KM
    z_BL1D, u_BL1D = network(seen, p_KMD, present_KM)
    z_TD, u_TD = z_BL1D[:, :-1].flatten(0, 1), u_BL1D[:, :-1].flatten(0, 1)
    target_T = seen.video_BL.flatten()
    personal_TK, _ = fused_scores(z_TD, u_TD, p_KMD, present_KM)
    common_TK = z_TD @ network.index_vectors(p_KMD, present_KM).T / WIDTH**0.5
    total = torch.zeros(())
    for scores_TK in (personal_TK, common_TK):
        total = total + sampled_softmax(
            scores_TK.gather(1, target_T[:, None]).squeeze(1),
            scores_TK,
            target_logq_T=torch.zeros(len(target_T)),
            negative_logq_N=torch.zeros(VIDEOS),
            excluded_TN=torch.arange(VIDEOS) == target_T[:, None],
        )
    logits_T = network.watch(z_TD, fuse(u_TD, p_KMD[target_T], present_KM[target_T]))
    return total + functional.binary_cross_entropy_with_logits(logits_T, seen.watch_ratio_BL.flatten())


def test_every_parameter_of_every_part_learns_from_one_step(network: InterestModel) -> None:
    training_loss(network).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    dead = [name for name, grad in gradients.items() if grad is None or not bool((grad != 0).any())]
    assert dead == []
    assert all(bool(torch.isfinite(grad).all()) for grad in gradients.values() if grad is not None)
    assert {name.split(".")[0] for name in gradients} == {
        "project", "behavior", "profile", "opening", "transformer", "preference", "evidence", "combine", "watch",
        "common_preference",
    }  # fmt: skip


def test_only_what_a_viewer_has_in_the_profile_and_videos_have_as_attributes_learns(
    network: InterestModel,
) -> None:
    """Row 0 of both embeddings stands for what is missing."""
    training_loss(network).backward()
    assert network.project.attribute_embedding is not None
    for embedding in (network.profile.embedding, network.project.attribute_embedding):
        assert embedding.weight.grad is not None
        assert embedding.weight.grad.abs().amax(dim=1).gt(0).tolist() == [False, True, True, True, True]


def test_a_few_steps_lower_the_loss(network: InterestModel) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    first = training_loss(network).item()
    for _ in range(20):
        optimizer.zero_grad()
        training_loss(network).backward()
        optimizer.step()
    assert training_loss(network).item() < 0.7 * first
