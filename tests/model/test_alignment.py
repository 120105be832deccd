"""The contrastive loss between the modalities of a video.

Legend of shape suffixes: K = videos, M = modalities, D = model width.
"""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor

from swipewise.model.losses import alignment_loss

VIDEOS, WIDTH = 6, 4


def projected(modalities: int = 2, *, seed: int = 0) -> Tensor:
    return torch.randn(VIDEOS, modalities, WIDTH, generator=torch.Generator().manual_seed(seed))


def everything(p_KMD: Tensor) -> Tensor:
    return torch.ones(p_KMD.shape[:2], dtype=torch.bool)


def test_two_videos_by_hand() -> None:
    """Cosines: 1 and 0 for the first modality's own and other video, 0.6 and 0.8 for the second's."""
    p_KMD = torch.tensor([[[2.0, 0.0], [5.0, 0.0]], [[0.6, 0.8], [0.0, 3.0]]])
    loss = alignment_loss(p_KMD, everything(p_KMD), temperature=0.5)

    def cross(own: float, other: float) -> float:
        return -log(exp(own / 0.5) / (exp(own / 0.5) + exp(other / 0.5)))

    there = (cross(1, 0) + cross(0.8, 0.6)) / 2
    back = (cross(1, 0.6) + cross(0.8, 0)) / 2
    assert loss.item() == pytest.approx((there + back) / 2)


def test_it_falls_as_the_modalities_of_a_video_come_to_agree() -> None:
    p_KMD = projected()
    losses = []
    for agreement in (0.0, 0.3, 0.6):
        other_KD = agreement * p_KMD[:, 0] + (1 - agreement) * p_KMD[:, 1]
        losses.append(alignment_loss(torch.stack([p_KMD[:, 0], other_KD], dim=1), everything(p_KMD)).item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2 * losses[0]
    # The right vectors at the wrong videos are worse than chance.
    swapped_KMD = torch.stack([p_KMD[:, 0], p_KMD[:, 0].roll(1, dims=0)], dim=1)
    assert alignment_loss(swapped_KMD, everything(p_KMD)).item() > losses[0]


def test_descending_it_brings_a_videos_own_modalities_together() -> None:
    p_KMD = projected().requires_grad_()
    (gradient_KMD,) = torch.autograd.grad(alignment_loss(p_KMD, everything(p_KMD)), p_KMD)
    stepped_KMD = p_KMD - 0.1 * gradient_KMD
    assert alignment_loss(stepped_KMD, everything(p_KMD)) < alignment_loss(p_KMD, everything(p_KMD))


def test_the_length_of_a_vector_does_not_matter() -> None:
    p_KMD = projected()
    scale_KM1 = torch.rand(VIDEOS, 2, 1, generator=torch.Generator().manual_seed(1)) + 0.5
    one, other = (alignment_loss(p, everything(p)).item() for p in (p_KMD, p_KMD * scale_KM1))
    assert one == pytest.approx(other, rel=1e-5)


def test_a_video_that_lacks_one_of_the_pair_takes_no_part() -> None:
    p_KMD = projected()
    present_KM = everything(p_KMD)
    present_KM[2, 1] = present_KM[4, 0] = False
    other_KMD = p_KMD.clone()
    other_KMD[2], other_KMD[4] = 1e3, -1e3
    loss = alignment_loss(p_KMD, present_KM)
    assert torch.equal(loss, alignment_loss(other_KMD, present_KM))
    both_K = present_KM.all(dim=1)
    assert loss.item() == pytest.approx(alignment_loss(p_KMD[both_K], present_KM[both_K]).item())


def test_it_is_the_mean_over_the_pairs_that_two_videos_share() -> None:
    """Nobody has the fourth modality, and only one video the third beside another."""
    p_KMD = projected(4)
    present_KM = everything(p_KMD)
    present_KM[:, 3] = False
    whole = alignment_loss(p_KMD, present_KM).item()
    pairs = [alignment_loss(p_KMD[:, pair], present_KM[:, pair]).item() for pair in ([0, 1], [0, 2], [1, 2])]
    assert whole == pytest.approx(sum(pairs) / 3)
    present_KM[1:, 2] = False
    assert alignment_loss(p_KMD, present_KM).item() == pytest.approx(pairs[0])


@pytest.mark.parametrize("modalities", [0, 1, 2])
def test_where_no_pair_is_shared_there_is_no_loss_and_nothing_moves(modalities: int) -> None:
    p_KMD = projected(modalities).requires_grad_()
    present_KM = torch.zeros(VIDEOS, modalities, dtype=torch.bool)
    present_KM[:, :1] = True
    loss = alignment_loss(p_KMD, present_KM)
    loss.backward()
    assert loss.item() == 0.0
    assert p_KMD.grad is not None
    assert not bool(p_KMD.grad.any())
