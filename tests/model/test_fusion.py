"""Equations 1 and 2 by hand, what has no influence on them, and the norms and adapters of a modality.

Legend of shape suffixes: B = viewers, K = N = videos, M = modalities, D = model width, A = attribute places.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import exp, inf, nan, sqrt

import pytest
import torch
from torch import Tensor

from swipewise.model.fusion import (
    ADAPTERS,
    NORMS,
    GatedAdapter,
    ModalityProjection,
    RMSNorm,
    VideoInputs,
    fuse,
    fused_scores,
    masked_softmax,
    modality_attention,
)

MODALITIES = ("visual", "text", "attributes", "id")
WIDTH = 8
# Every pattern of presence, nothing at all (row 0) among them.
PRESENT_KM = torch.tensor(list(product([False, True], repeat=len(MODALITIES))))
VIDEOS = len(PRESENT_KM)


def build(*, norm: str = "layer", adapter: str = "linear", width: int = WIDTH) -> ModalityProjection:
    torch.manual_seed(0)
    projection = ModalityProjection(
        modalities=MODALITIES,
        content_dims={"visual": 3, "text": 2},
        videos=VIDEOS,
        attribute_values=4,
        width=width,
        norm=norm,
        adapter=adapter,
    )
    projection.part_modalities()
    return projection


@pytest.fixture(params=[("layer", "linear"), ("rms", "gated"), ("none", "linear")], ids="-".join)
def project(request: pytest.FixtureRequest) -> ModalityProjection:
    norm, adapter = request.param
    return build(norm=norm, adapter=adapter)


def videos() -> VideoInputs:
    generator = torch.Generator().manual_seed(1)
    return VideoInputs(
        content={
            "visual": torch.randn(VIDEOS, 3, generator=generator),
            "text": torch.randn(VIDEOS, 2, generator=generator),
        },
        id_K=torch.arange(VIDEOS),
        attributes_KA=torch.randint(1, 5, (VIDEOS, 2), generator=generator),
        present_KM=PRESENT_KM,
    )


def with_absent(inputs: VideoInputs, value: float) -> VideoInputs:
    """The same videos, with other things in every row that is not there."""
    absent_KM = ~inputs.present_KM
    content = {
        name: values.masked_fill(absent_KM[:, MODALITIES.index(name), None], value)
        for name, values in inputs.content.items()
    }
    return replace(
        inputs,
        content=content,
        attributes_KA=inputs.attributes_KA.masked_fill(absent_KM[:, 2, None], 4),
        id_K=inputs.id_K.masked_fill(absent_KM[:, 3], VIDEOS - 1),
    )


def viewers(count: int = 5) -> tuple[Tensor, Tensor]:
    z_BD, u_BD = torch.randn(2, count, WIDTH, generator=torch.Generator().manual_seed(3))
    return z_BD, u_BD


def test_the_weights_are_the_softmax_of_the_scaled_products_and_f_is_the_weighted_sum() -> None:
    u = torch.tensor([1.0, 0.0, 0.0, 0.0])
    p = torch.tensor([[2.0, 5.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    alpha = modality_attention(u, p, torch.tensor([True, True]))
    first = exp(2 / sqrt(4))
    assert alpha.tolist() == pytest.approx([first / (first + 1), 1 / (first + 1)])
    fused = [first / (first + 1) * a + 1 / (first + 1) * b for a, b in zip(p[0], p[1], strict=True)]
    assert fuse(u, p, torch.tensor([True, True])).tolist() == pytest.approx([float(x) for x in fused])


def test_equation_1_with_three_modalities_one_missing() -> None:
    u_D, p_MD = torch.tensor([1.0, -2.0]), torch.tensor([[3.0, 1.0], [100.0, 100.0], [0.5, -1.0]])
    alpha = modality_attention(u_D, p_MD, torch.tensor([True, False, True]))
    first, third = exp((3 * 1 - 2 * 1) / sqrt(2)), exp((0.5 + 2) / sqrt(2))
    assert alpha.tolist() == pytest.approx([first / (first + third), 0, third / (first + third)])
    assert alpha[1].item() == 0.0


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_weights_sum_to_one_over_what_is_present_and_are_zero_elsewhere(size: float) -> None:
    logits_KM = size * torch.randn(VIDEOS, len(MODALITIES), generator=torch.Generator().manual_seed(2))
    alpha_KM = masked_softmax(logits_KM, PRESENT_KM)
    assert bool((alpha_KM[~PRESENT_KM] == 0).all())
    assert alpha_KM.sum(dim=1).tolist() == pytest.approx(PRESENT_KM.any(dim=1).float().tolist(), abs=1e-6)


def test_a_present_modality_of_very_low_score_still_outranks_a_missing_one() -> None:
    alpha = masked_softmax(torch.tensor([-1e30, 0.0]), torch.tensor([True, False]))
    assert alpha.tolist() == [1.0, 0.0]


def test_no_candidates_have_no_scores() -> None:
    z_BD, u_BD = viewers()
    scores_BN, alpha_BNM = fused_scores(
        z_BD, u_BD, torch.zeros(0, 3, z_BD.shape[1]), torch.zeros(0, 3, dtype=torch.bool)
    )
    assert scores_BN.shape == (len(z_BD), 0)
    assert alpha_BNM.shape == (len(z_BD), 0, 3)


@pytest.mark.parametrize("value", [1e4, 1e10, 1e30, inf, nan])
def test_an_absent_row_has_no_influence_on_projection_fusion_scores_or_gradient(
    project: ModalityProjection, value: float
) -> None:
    def run(inputs: VideoInputs) -> list[Tensor]:
        p_KMD = project(inputs)
        scores_BK, alpha_BKM = fused_scores(*viewers(), p_KMD, PRESENT_KM)
        f_KD = fuse(viewers()[1][0], p_KMD, PRESENT_KM)
        loss = scores_BK.square().sum() + f_KD.square().sum()
        return [p_KMD, f_KD, scores_BK, alpha_BKM, *torch.autograd.grad(loss, list(project.parameters()))]

    for plain, other in zip(run(videos()), run(with_absent(videos(), value)), strict=True):
        assert torch.equal(plain, other)


def test_an_absent_modality_is_projected_to_zeros(project: ModalityProjection) -> None:
    p_KMD = project(videos())
    assert bool((p_KMD[~PRESENT_KM] == 0).all())
    assert bool((p_KMD[PRESENT_KM].abs().amax(dim=1) > 0).all())


def test_whatever_stands_in_an_absent_p_is_left_out_by_fusion() -> None:
    """Holds of the attention itself, not only because the projection writes zeros."""
    _, u_BD = viewers(VIDEOS)
    p_KMD = torch.randn(VIDEOS, len(MODALITIES), WIDTH, generator=torch.Generator().manual_seed(5))
    other_KMD = p_KMD.masked_fill(~PRESENT_KM.unsqueeze(-1), 1e6)
    assert torch.equal(fuse(u_BD, p_KMD, PRESENT_KM), fuse(u_BD, other_KMD, PRESENT_KM))


def test_a_video_with_nothing_scores_zero_and_teaches_nothing_that_is_not_finite(
    project: ModalityProjection,
) -> None:
    z_BD, u_BD = (vector.requires_grad_() for vector in viewers())
    inputs = replace(videos(), present_KM=torch.zeros_like(PRESENT_KM))
    scores_BK, alpha_BKM = fused_scores(z_BD, u_BD, project(inputs), inputs.present_KM)
    assert bool((scores_BK == 0).all())
    assert bool((alpha_BKM == 0).all())
    scores_BK.sum().backward()
    for parameter in (z_BD, u_BD, *project.parameters()):
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all())


def test_fast_scores_and_weights_equal_fusing_each_pair_alone(project: ModalityProjection) -> None:
    z_BD, u_BD = viewers()
    p_KMD = project(videos())
    scores_BK, alpha_BKM = fused_scores(z_BD, u_BD, p_KMD, PRESENT_KM)
    for viewer, video in product(range(len(z_BD)), range(VIDEOS)):
        pair = u_BD[viewer], p_KMD[video], PRESENT_KM[video]
        assert torch.allclose(alpha_BKM[viewer, video], modality_attention(*pair), atol=1e-6)
        score = z_BD[viewer] @ fuse(*pair) / WIDTH**0.5
        assert scores_BK[viewer, video].item() == pytest.approx(score.item(), abs=1e-5)


def test_factors_multiply_each_modalitys_part_of_a_score_and_leave_the_weights(
    project: ModalityProjection,
) -> None:
    z_BD, u_BD = viewers()
    p_KMD, factor_M = project(videos()), torch.tensor([0.0, 2.0, 1.0, 0.5])
    scores_BK, alpha_BKM = fused_scores(z_BD, u_BD, p_KMD, PRESENT_KM, factor_M)
    part_BKM = alpha_BKM * torch.einsum("bd,kmd->bkm", z_BD, p_KMD) / WIDTH**0.5
    assert torch.allclose(scores_BK, (part_BKM * factor_M).sum(dim=2), atol=1e-5)
    plain_BK, plain_BKM = fused_scores(z_BD, u_BD, p_KMD, PRESENT_KM)
    assert torch.equal(alpha_BKM, plain_BKM)
    assert torch.allclose(plain_BK, part_BKM.sum(dim=2), atol=1e-5)


def test_a_score_depends_on_no_other_candidate_and_no_other_viewer(project: ModalityProjection) -> None:
    z_BD, u_BD = viewers()
    p_KMD = project(videos())
    scores_BK, _ = fused_scores(z_BD, u_BD, p_KMD, PRESENT_KM)
    some_K, some_B = torch.tensor([9, 0, 14]), torch.tensor([4, 1])
    fewer_BK, _ = fused_scores(z_BD[some_B], u_BD[some_B], p_KMD[some_K], PRESENT_KM[some_K])
    assert torch.allclose(fewer_BK, scores_BK[some_B][:, some_K], atol=1e-6)


@pytest.mark.parametrize("width", [4, 8, 64])
def test_parted_shifts_are_orthogonal_and_half_the_root_of_the_width_long(width: int) -> None:
    shift_MD = build(width=width).shift_MD
    assert torch.allclose(shift_MD.norm(dim=1), torch.full((4,), sqrt(width) / 2), atol=1e-5)
    assert torch.allclose(shift_MD @ shift_MD.T, torch.diag(shift_MD.square().sum(dim=1)), atol=1e-4)


def test_the_shifts_are_those_of_the_modalities_in_their_order(project: ModalityProjection) -> None:
    shift_D = project.norms["text"].bias
    assert isinstance(shift_D, Tensor)
    shift_D.data.fill_(7.0)
    assert project.shift_MD[1].tolist() == [7.0] * WIDTH


def test_a_preference_along_a_shift_is_one_for_the_whole_modality() -> None:
    project = build()
    seen = replace(videos(), present_KM=torch.ones(VIDEOS, 4, dtype=torch.bool))
    p_KMD = project(seen)
    for column, shift_D in enumerate(project.shift_MD):
        alpha_M = modality_attention(8 * shift_D, p_KMD, seen.present_KM).mean(dim=0)
        assert int(alpha_M.argmax()) == column


def test_attributes_are_the_norm_of_the_mean_of_their_embeddings(project: ModalityProjection) -> None:
    assert project.attribute_embedding is not None
    embedded_VD = project.attribute_embedding.weight
    codes = torch.tensor([[1, 3, 0], [0, 2, 0], [0, 0, 0]])
    inputs = VideoInputs(
        content={"visual": torch.zeros(3, 3), "text": torch.zeros(3, 2)},
        id_K=torch.zeros(3, dtype=torch.long),
        attributes_KA=codes,
        present_KM=torch.ones(3, 4, dtype=torch.bool),
    )
    means = torch.stack([(embedded_VD[1] + embedded_VD[3]) / 2, embedded_VD[2], torch.zeros(WIDTH)])
    assert torch.allclose(project(inputs)[:, 2], project.norms["attributes"](means), atol=1e-6)


def test_the_embedding_of_the_padding_code_has_no_influence_and_learns_nothing(
    project: ModalityProjection,
) -> None:
    assert project.attribute_embedding is not None
    inputs = replace(videos(), attributes_KA=torch.tensor([[1, 0]] * VIDEOS))
    before = project(inputs).detach()
    project.attribute_embedding.weight.data[0] = 1e6
    after = project(inputs)
    assert torch.equal(before, after)
    after.square().sum().backward()
    assert project.attribute_embedding.weight.grad is not None
    assert bool((project.attribute_embedding.weight.grad[0] == 0).all())


def test_the_rms_norm_divides_by_the_root_mean_square_and_leaves_the_mean_in() -> None:
    norm = RMSNorm(2)
    norm.weight.data.copy_(torch.tensor([1.0, 2.0]))
    norm.bias.data.copy_(torch.tensor([0.0, 5.0]))
    rms = sqrt((3**2 + 1**2) / 2)
    assert norm(torch.tensor([3.0, 1.0])).tolist() == pytest.approx([3 / rms, 2 * 1 / rms + 5])
    assert torch.equal(norm(torch.zeros(2)), norm.bias)


@pytest.mark.parametrize(("norm", "keeps_scale"), [("layer", False), ("rms", False), ("none", True)])
def test_only_without_a_norm_does_a_louder_encoder_speak_louder(norm: str, keeps_scale: bool) -> None:
    """The scale of x must not decide a modality's weight, or it shifts when another encoder takes its place."""
    made = NORMS[norm](WIDTH)
    x_KD = torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(0))
    quiet, loud = made(x_KD), made(100 * x_KD)
    assert torch.allclose(loud, 100 * quiet, atol=1e-3) == keeps_scale
    assert torch.allclose(loud, quiet, atol=1e-3) != keeps_scale


def test_a_gated_adapter_is_the_linear_map_with_every_output_let_through_or_shut() -> None:
    adapter = GatedAdapter(3, 2)
    x_KE = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    adapter.gate.weight.data.zero_()
    adapter.gate.bias.data.copy_(torch.tensor([50.0, -50.0]))
    linear_KD = adapter.value(x_KE)
    assert torch.allclose(adapter(x_KE), linear_KD * torch.tensor([1.0, 0.0]), atol=1e-6)
    adapter.gate.bias.data.zero_()
    assert torch.allclose(adapter(x_KE), linear_KD / 2)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_norm_and_adapter_gives_vectors_of_the_width_that_all_parameters_shape(
    norm: str, adapter: str
) -> None:
    project = build(norm=norm, adapter=adapter)
    p_KMD = project(videos())
    assert p_KMD.shape == (VIDEOS, len(MODALITIES), WIDTH)
    (p_KMD * torch.randn(p_KMD.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in project.parameters())


def test_a_single_modality_weighs_one_wherever_it_is_present() -> None:
    """What is left out then is a softmax of one: the formula and all its gradients stay the same."""
    generator = torch.Generator().manual_seed(0)
    p_N1D, u_BD, z_BD = (
        torch.randn(*shape, generator=generator) for shape in ((6, 1, WIDTH), (3, WIDTH), (3, WIDTH))
    )
    present_N1 = torch.tensor([[True], [False], [True], [True], [False], [True]])
    p_N1D = (p_N1D * present_N1.unsqueeze(-1)).requires_grad_()
    u_B1D = u_BD.unsqueeze(1)
    f_BND = fuse(u_B1D, p_N1D, present_N1)
    expected_BND = (modality_attention(u_B1D, p_N1D, present_N1).unsqueeze(-1) * p_N1D).sum(dim=-2)
    assert torch.equal(f_BND, expected_BND)
    weight_BND = torch.randn(3, 6, WIDTH, generator=generator)
    gradients = [torch.autograd.grad((each * weight_BND).sum(), p_N1D)[0] for each in (f_BND, expected_BND)]
    assert torch.allclose(*gradients, atol=1e-6)
    for factor_M in (None, torch.tensor([0.3])):
        scores_BN, alpha_BN1 = fused_scores(z_BD, u_BD, p_N1D, present_N1, factor_M)
        product_BN = (z_BD.unsqueeze(1) * expected_BND).sum(dim=-1) / WIDTH**0.5
        assert torch.allclose(scores_BN, product_BN if factor_M is None else 0.3 * product_BN, atol=1e-6)
        assert torch.equal(alpha_BN1, present_N1.float().expand(3, 6, 1))
