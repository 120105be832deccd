"""Equations 1 and 2 by hand, and what a video lacks."""

from __future__ import annotations

from dataclasses import replace
from math import exp, sqrt

import pytest
import torch
from torch import Tensor

from swipewise.model.fusion import ModalityProjection, VideoInputs, fuse, fused_scores, modality_attention

MODALITIES = ("visual", "text", "attributes", "id")
WIDTH = 8


@pytest.fixture
def project() -> ModalityProjection:
    torch.manual_seed(0)
    projection = ModalityProjection(
        modalities=MODALITIES, content_dims={"visual": 3, "text": 2}, videos=5, attribute_values=4, width=WIDTH
    )
    projection.part_modalities()
    return projection


def videos(count: int = 3) -> VideoInputs:
    torch.manual_seed(1)
    return VideoInputs(
        content={"visual": torch.randn(count, 3), "text": torch.randn(count, 2)},
        id_K=torch.arange(count),
        attributes_KA=torch.tensor([[1, 2], [3, 0], [4, 1]])[:count],
        present_KM=torch.tensor(
            [[True, True, True, True], [True, False, True, False], [False, True, False, True]]
        )[:count],
    )


def test_the_weights_are_the_softmax_of_the_scaled_products() -> None:
    u = torch.tensor([1.0, 0.0, 0.0, 0.0])
    p = torch.tensor([[2.0, 5.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    alpha = modality_attention(u, p, torch.tensor([True, True]))
    first = exp(2 / sqrt(4))
    assert alpha.tolist() == pytest.approx([first / (first + 1), 1 / (first + 1)])
    fused = [first / (first + 1) * a + 1 / (first + 1) * b for a, b in zip(p[0], p[1], strict=True)]
    assert fuse(u, p, torch.tensor([True, True])).tolist() == pytest.approx([float(x) for x in fused])


def test_a_missing_modality_gets_no_weight_and_the_others_share_it() -> None:
    u, p = torch.ones(2), torch.tensor([[9.0, 9.0], [1.0, 1.0], [1.0, 1.0]])
    alpha = modality_attention(u, p, torch.tensor([False, True, True]))
    assert alpha.tolist() == [0.0, 0.5, 0.5]


def test_a_video_with_nothing_is_a_vector_of_zeros() -> None:
    fused = fuse(torch.ones(2), torch.ones(3, 2), torch.zeros(3, dtype=torch.bool))
    assert fused.tolist() == [0.0, 0.0]


def test_what_stands_for_a_missing_modality_has_no_influence(project: ModalityProjection) -> None:
    plain = videos()
    content = {name: values.clone() for name, values in plain.content.items()}
    content["visual"][2], content["text"][1] = 1e4, -1e4
    other = replace(plain, content=content, id_K=torch.tensor([0, 4, 2]))
    assert torch.equal(project(plain), project(other))


def test_attributes_are_the_mean_of_their_values_and_padding_is_none(project: ModalityProjection) -> None:
    once = replace(videos(), attributes_KA=torch.tensor([[1, 0], [3, 0], [4, 1]]))
    twice = replace(videos(), attributes_KA=torch.tensor([[1, 1], [3, 3], [4, 1]]))
    assert torch.allclose(project(once), project(twice), atol=1e-6)


def test_a_preference_along_a_shift_is_one_for_the_whole_modality(project: ModalityProjection) -> None:
    shifts = project.shift_MD
    assert torch.allclose(shifts @ shifts.T, torch.eye(len(MODALITIES)) * WIDTH / 4, atol=1e-5)
    seen = replace(videos(), present_KM=torch.ones(3, 4, dtype=torch.bool))
    p_KMD = project(seen)
    for column in range(len(MODALITIES)):
        alpha = modality_attention(8 * shifts[column], p_KMD, seen.present_KM).mean(dim=0)
        assert int(alpha.argmax()) == column


def test_fast_scores_agree_with_fusing_every_pair(project: ModalityProjection) -> None:
    torch.manual_seed(2)
    inputs = videos()
    p_NMD, present_NM = project(inputs), inputs.present_KM
    z_BD, u_BD = torch.randn(4, WIDTH), torch.randn(4, WIDTH)
    scores_BN, alpha_BNM = fused_scores(z_BD, u_BD, p_NMD, present_NM)

    def plain(z: Tensor, u: Tensor) -> Tensor:
        return fuse(u, p_NMD, present_NM) @ z / WIDTH**0.5

    expected = torch.stack([plain(z, u) for z, u in zip(z_BD, u_BD, strict=True)])
    assert torch.allclose(scores_BN, expected, atol=1e-5)
    assert torch.allclose(alpha_BNM.sum(dim=-1), torch.ones(4, 3))
