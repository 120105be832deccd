"""The whole network: what may influence what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from swipewise.model.interest import HistoryInputs, InterestModel

MODALITIES = ("visual", "audio", "id")
WIDTH, LENGTH, VIDEOS = 16, 5, 7


@pytest.fixture
def network() -> InterestModel:
    torch.manual_seed(0)
    return InterestModel(
        modalities=MODALITIES,
        content_dims={"visual": 4, "audio": 4},
        videos=VIDEOS,
        attribute_values=0,
        profile_values=4,
        flags=3,
        width=WIDTH,
        layers=2,
        heads=2,
        history=LENGTH,
        dropout=0.0,
        event_dropout=0.5,
    ).eval()


def projected() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(VIDEOS, len(MODALITIES), WIDTH), torch.ones(VIDEOS, len(MODALITIES), dtype=torch.bool)


def history(viewers: int = 2) -> HistoryInputs:
    torch.manual_seed(2)
    return HistoryInputs(
        video_BL=torch.randint(0, VIDEOS, (viewers, LENGTH)),
        watch_ratio_BL=torch.rand(viewers, LENGTH),
        flags_BLF=torch.rand(viewers, LENGTH, 3) > 0.5,
        gap_BL=torch.full((viewers, LENGTH), 30.0),
        valid_BL=torch.ones(viewers, LENGTH, dtype=torch.bool),
        profile_BP=torch.tensor([[1, 2]] * viewers),
    )


def changed(values: Tensor, place: int, value: float) -> Tensor:
    copy = values.clone()
    copy[:, place] = value
    return copy


@pytest.mark.parametrize("field", ["video_BL", "watch_ratio_BL", "flags_BLF", "gap_BL"])
def test_an_event_is_seen_from_its_own_place_on_and_never_before(network: InterestModel, field: str) -> None:
    plain = history()
    values = getattr(plain, field)
    new = ~values[:, 3] if values.dtype == torch.bool else (values[:, 3] + 3) % VIDEOS
    other_values = values.clone()
    other_values[:, 3] = new
    before, after = network(plain, *projected()), network(replace(plain, **{field: other_values}), *projected())
    assert all(torch.equal(a[:, :4], b[:, :4]) for a, b in zip(before, after, strict=True))
    assert not torch.allclose(before[0][:, 4:], after[0][:, 4:])


def test_interest_is_never_negative(network: InterestModel) -> None:
    assert bool((network(history(), *projected())[0] >= 0).all())


def test_before_the_first_event_the_profile_speaks_alone(network: InterestModel) -> None:
    plain = history()
    other = replace(plain, video_BL=(plain.video_BL + 1) % VIDEOS, watch_ratio_BL=1 - plain.watch_ratio_BL)
    elsewhere = replace(plain, profile_BP=torch.tensor([[3, 4]] * 2))
    z, u = (vector[:, 0] for vector in network(plain, *projected()))
    assert torch.equal(z, network(other, *projected())[0][:, 0])
    assert not torch.allclose(u, network(elsewhere, *projected())[1][:, 0])


def test_a_viewer_of_whom_nothing_is_known_has_an_interest_too(network: InterestModel) -> None:
    nothing = replace(
        history(),
        valid_BL=torch.zeros(2, LENGTH, dtype=torch.bool),
        profile_BP=torch.zeros(2, 2, dtype=torch.long),
    )
    assert all(bool(torch.isfinite(vector).all()) for vector in network(nothing, *projected()))


def test_padding_and_other_viewers_have_no_influence(network: InterestModel) -> None:
    valid_BL = torch.ones(2, LENGTH, dtype=torch.bool)
    valid_BL[0, 3:] = False
    padded = replace(history(), valid_BL=valid_BL)
    other = replace(
        padded, video_BL=torch.cat([(padded.video_BL[:1, :3]), (padded.video_BL[:1, 3:] + 1) % VIDEOS], 1)
    )
    alone = HistoryInputs(**{name: getattr(other, name)[:1] for name in HistoryInputs.__slots__})
    for both, one in zip(network(padded, *projected()), network(alone, *projected()), strict=True):
        assert torch.allclose(both[:1, :4], one[:, :4], atol=1e-6)


def test_the_order_of_events_matters(network: InterestModel) -> None:
    plain = history()
    turned = replace(
        plain,
        video_BL=plain.video_BL.flip(1),
        watch_ratio_BL=plain.watch_ratio_BL.flip(1),
        flags_BLF=plain.flags_BLF.flip(1),
    )
    assert not torch.allclose(network(plain, *projected())[0][:, -1], network(turned, *projected())[0][:, -1])


def test_events_are_hidden_in_training_alone(network: InterestModel) -> None:
    seen, videos = history(), projected()
    plain = network(seen, *videos)[0]
    assert torch.equal(network(seen, *videos)[0], plain)
    network.train()
    assert not torch.equal(network(seen, *videos)[0], network(seen, *videos)[0])
    network.event_dropout = 0.0
    assert torch.equal(network(seen, *videos)[0], plain)


def test_every_parameter_learns(network: InterestModel) -> None:
    p_KMD, present_KM = projected()
    z_BL1D, u_BL1D = network(history(), p_KMD + network.project.shift_MD, present_KM)
    f_KD = network.index_vectors(p_KMD, present_KM)
    watched = network.watch(z_BL1D[:, -1], f_KD[:2])
    (z_BL1D.sum() + u_BL1D.square().sum() + f_KD.square().sum() + watched.square().sum()).backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None]
    # Adapters and embeddings of videos are learned through p_KMD, which is made up here.
    assert all(name.startswith("project.") for name in silent), silent
