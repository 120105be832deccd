"""The loss of a batch: every part by hand or by its own influence, and what each part teaches.

Legend of shape suffixes: T = targets, N = negatives, B = windows, L = events, K = videos of the batch, D = model width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from swipewise.config import TrainingConfig
from swipewise.model.fusion import VideoInputs, fuse
from swipewise.schema import Modality
from swipewise.training.batches import Batch, Batches, Targets
from swipewise.training.fitted import FittedModel
from swipewise.training.objective import batch_loss
from swipewise.training.trends import Trends
from tests.training.tiny import tiny_config, tiny_split

NOTHING_ELSE = {
    "hidden_weight": 0.0,
    "retrieval_weight": 0.0,
    "watch_weight": 0.0,
    "action_weight": 0.0,
    "shown_weight": 0.0,
    "alignment_weight": 0.0,
}
ALL = {
    "hidden_weight": 0.7,
    "retrieval_weight": 0.3,
    "watch_weight": 1.0,
    "action_weight": 1.0,
    "shown_weight": 0.5,
    "alignment_weight": 0.1,
}


class Bench:
    """A network without dropout and one batch for it."""

    def __init__(self, **model: Any) -> None:
        self.dataset = tiny_split().train
        settings = {"history": 5, "memory": 20, "dropout": 0.0, "id_dropout": 0.0, "attribute_dropout": 0.0}
        self.model = replace(tiny_config().model, **settings | model)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.fitted = FittedModel.untrained(self.model, self.dataset, {})
            nn.init.normal_(self.fitted.network.trend.weight, std=0.3)
        self.network = self.fitted.network.train()
        self.table = self.fitted.table(self.dataset)
        self.trends = Trends.of(self.dataset.interactions, self.dataset.uploaded_at_V)
        self.trends_GVS = torch.from_numpy(self.trends.values_GVS)
        profile_UP = self.fitted.vocabulary.profile_codes(self.dataset.profile_values)[self.dataset.profile_UP]
        reader = self.fitted.taste_reader(self.dataset)
        batches = Batches(self.dataset, profile_UP, self.trends, self.model, tiny_config().training, reader)
        # One whose windows go on from others.
        self.batch = next(b for b in batches.steps(0) if b.history.older.valid_BL.sum() > 50)

    def loss(self, *, batch: Batch | None = None, **weights: float) -> tuple[Tensor, float]:
        training = replace(TrainingConfig(), **NOTHING_ELSE | weights)
        torch.manual_seed(0)
        return batch_loss(self.network, self.table, self.trends_GVS, batch or self.batch, self.model, training)

    def part(self, **weights: float) -> float:
        """What the weights add to the ranking part."""
        with torch.no_grad():
            return (self.loss(**weights)[0] - self.loss()[0]).item()

    def reading(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Any]:
        inputs = self.table.inputs(self.batch.videos_K)
        p_KMD = self.network.project(inputs)
        reading = self.network(self.batch.history, p_KMD, inputs.present_KM)
        return p_KMD, inputs.present_KM, reading.z_BL1D.flatten(0, 1), reading.u_BL1D.flatten(0, 1), reading


@pytest.fixture
def bench() -> Bench:
    return Bench()


def softmax_by_hand(bench: Bench, targets: Targets, *, kind: str = "own") -> float:
    """Target by target and negative by negative."""
    p_KMD, present_KM, z_PD, u_PD, _ = bench.reading()
    if kind == "shown":
        z_PD = bench.network.shown(z_PD)
    total = 0.0
    for row, weight in enumerate(targets.weight_T.tolist()):
        place, video, moment = (
            int(values[row]) for values in (targets.place_T, targets.video_T, targets.moment_T)
        )
        z_D, u_D = z_PD[place], bench.network.common_preference if kind == "common" else u_PD[place]
        say_S = bench.network.trend(z_D)

        def score(
            k: int, z_D: Tensor = z_D, u_D: Tensor = u_D, say_S: Tensor = say_S, moment: int = moment
        ) -> Tensor:
            product = z_D @ fuse(u_D, p_KMD[k], present_KM[k]) / len(z_D) ** 0.5
            return product + say_S @ bench.trends_GVS[moment, bench.batch.videos_K[k]]

        logits = [score(video) - targets.logq_T[row]]
        for column, k in enumerate(bench.batch.negative_N.tolist()):
            if not targets.excluded_TN[row, column]:
                logits.append(score(k) - bench.batch.negative_logq_N[column])
        total -= weight * torch.log_softmax(torch.stack(logits), dim=0)[0].item()
    return total / float(targets.weight_T.sum())


def few(targets: Targets, count: int = 12) -> Targets:
    """Some of the targets, of many moments and of many weights."""
    chosen = torch.linspace(0, len(targets) - 1, count).long()
    some = Targets(**{name: getattr(targets, name)[chosen] for name in Targets.__slots__})
    return replace(some, weight_T=torch.linspace(0.1, 1.0, count))


def test_the_softmax_parts_by_hand(bench: Bench) -> None:
    """Each target in its weight and with the trends of its own moment, however those of a moment are gathered."""
    liked, shown, hidden = (
        replace(one, weight_T=torch.linspace(0.1, 1.0, len(one)))
        for one in map(few, (bench.batch.liked, bench.batch.shown, bench.batch.hidden))
    )
    batch = replace(bench.batch, liked=liked, shown=shown, hidden=hidden)
    bench.batch = batch
    assert len(set(batch.liked.moment_T.tolist())) > 4
    with torch.no_grad():
        loss, ranking = bench.loss()
        assert loss.item() == pytest.approx(ranking)
        assert ranking == pytest.approx(softmax_by_hand(bench, batch.liked), rel=1e-4)
        index = softmax_by_hand(bench, batch.liked, kind="common")
        assert bench.part(retrieval_weight=2.0) == pytest.approx(2 * index, rel=1e-3)
        found = softmax_by_hand(bench, batch.hidden)
        assert bench.part(hidden_weight=2.0) == pytest.approx(2 * found, rel=1e-3)
        platform = softmax_by_hand(bench, batch.shown, kind="shown")
        assert bench.part(shown_weight=3.0) == pytest.approx(3 * platform, rel=1e-3)


def with_ratios(batch: Batch, ratio_BL: Tensor) -> Batch:
    recent = replace(batch.history.recent, watch_ratio_BL=ratio_BL)
    return replace(batch, history=replace(batch.history, recent=recent))


def test_the_share_watched_teaches_where_it_is_known_and_the_event_is_fresh(bench: Bench) -> None:
    recent, learn_BL = bench.batch.history.recent, bench.batch.learn_BL
    assert bool((recent.valid_BL & ~learn_BL).any())
    unknown_BL = torch.rand(learn_BL.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    bench.batch = with_ratios(bench.batch, recent.watch_ratio_BL.masked_fill(unknown_BL, torch.nan))
    with torch.no_grad():
        p_KMD, present_KM, _, _, reading = bench.reading()
        losses = []
        for row, place in torch.nonzero(learn_BL & ~unknown_BL).tolist():
            video = recent.video_BL[row, place]
            f_D = fuse(reading.u_BL1D[row, place], p_KMD[video], present_KM[video])
            share = recent.watch_ratio_BL[row, place].clamp(0, 1)
            logit = bench.network.watch(reading.z_BL1D[row, place], f_D)
            losses.append(functional.binary_cross_entropy_with_logits(logit, share).item())
        assert bench.part(watch_weight=1.0) == pytest.approx(np.mean(losses), rel=1e-3)
        bench.batch = with_ratios(bench.batch, torch.full_like(recent.watch_ratio_BL, torch.nan))
        assert bench.part(watch_weight=10.0) == 0.0


def test_every_action_of_every_fresh_event_teaches(bench: Bench) -> None:
    recent, learn_BL = bench.batch.history.recent, bench.batch.learn_BL
    with torch.no_grad():
        p_KMD, present_KM, _, _, reading = bench.reading()
        f_BLD = fuse(reading.u_BL1D[:, :-1], p_KMD[recent.video_BL], present_KM[recent.video_BL])
        video_BL = bench.batch.videos_K[recent.video_BL]
        known_BLS = bench.trends_GVS[bench.batch.moment_BL, video_BL]
        logits_BLF = bench.network.action_logits(reading, f_BLD, known_BLS)
        cross_BLF = functional.binary_cross_entropy_with_logits(
            logits_BLF, recent.flags_BLF.float(), reduction="none"
        )
        expected = cross_BLF.sum(dim=-1)[learn_BL].mean().item()
        assert bench.part(action_weight=1.0) == pytest.approx(expected, rel=1e-3)


def silent(bench: Bench, **weights: float) -> set[str]:
    """Modules of the network that learn nothing."""
    bench.network.zero_grad(set_to_none=True)
    bench.loss(**weights)[0].backward()
    taught: dict[str, bool] = {}
    for name, parameter in bench.network.named_parameters():
        module = name.split(".")[0]
        assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all())
        taught[module] = taught.get(module, False) or (parameter.grad is not None and bool(parameter.grad.any()))
    return {module for module, learns in taught.items() if not learns}


def test_with_every_part_on_every_parameter_learns(bench: Bench) -> None:
    bench.loss(**ALL)[0].backward()
    idle = [name for name, p in bench.network.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert idle == []


@pytest.mark.parametrize(
    ("weights", "idle"),
    [
        (ALL, set()),
        (ALL | {"shown_weight": 0.0}, {"shown"}),
        (ALL | {"retrieval_weight": 0.0}, {"common_preference"}),
        (ALL | {"action_weight": 0.0}, {"acts"}),
        (ALL | {"watch_weight": 0.0}, {"watch"}),
        (NOTHING_ELSE, {"shown", "common_preference", "acts", "watch"}),
    ],
    ids=["all", "shown", "retrieval", "action", "watch", "ranking alone"],
)
def test_a_part_of_weight_zero_teaches_nothing(bench: Bench, weights: dict[str, float], idle: set[str]) -> None:
    assert silent(bench, **weights) == idle


def test_without_trends_they_have_no_say_and_learn_nothing() -> None:
    bench = Bench(trends=False)
    assert silent(bench, **ALL) == {"trend"}
    before = bench.loss(**ALL)
    bench.trends_GVS = torch.randn_like(bench.trends_GVS)
    assert bench.loss(**ALL)[1] == before[1]
    assert torch.equal(bench.loss(**ALL)[0], before[0])


def test_the_modalities_that_agree_are_those_of_content(bench: Bench) -> None:
    """Neither ids nor attributes are pulled towards what a video looks like."""
    assert bench.part(alignment_weight=1.0) > 0
    named = dict(bench.network.project.norms.named_parameters())
    agreement = bench.loss(alignment_weight=1.0)[0] - bench.loss()[0]
    gradients = dict(zip(named, torch.autograd.grad(agreement, list(named.values())), strict=True))
    assert {name.split(".")[0] for name in named} == set(bench.table.modalities)
    assert {name.split(".")[0] for name, grad in gradients.items() if grad.abs().max() > 1e-4} == {
        "visual",
        "text",
    }


@pytest.mark.parametrize(
    ("name", "share"), [(Modality.ID, "id_dropout"), (Modality.ATTRIBUTES, "attribute_dropout")]
)
def test_what_tells_videos_apart_is_hidden_in_the_share_asked_for_but_never_if_there_is_nothing_else(
    name: str, share: str
) -> None:
    bench = Bench(**{share: 0.5})
    column = bench.table.modalities.index(name)
    lonely = int(bench.batch.videos_K[bench.batch.negative_N[0]])
    bench.table.present_VM[lonely] = False
    bench.table.present_VM[lonely, column] = True
    seen: list[VideoInputs] = []
    bench.network.project.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    for _ in range(40):
        training = TrainingConfig()
        batch_loss(bench.network, bench.table, bench.trends_GVS, bench.batch, bench.model, training)
    present_EKM = torch.stack([videos.present_KM for videos in seen])
    is_lonely_K = bench.batch.videos_K == lonely
    assert bool(present_EKM[:, is_lonely_K, column].all())
    assert present_EKM[:, ~is_lonely_K, column].float().mean().item() == pytest.approx(0.5, abs=0.05)
    others = [place for place in range(len(bench.table.modalities)) if place != column]
    assert bool((present_EKM[:, :, others] == present_EKM[:1, :, others]).all())


def test_a_few_steps_lower_the_loss(bench: Bench) -> None:
    optimizer = torch.optim.Adam(bench.network.parameters(), lr=1e-2)
    first = bench.loss(**ALL)[0].item()
    for _ in range(8):
        optimizer.zero_grad()
        bench.loss(**ALL)[0].backward()
        optimizer.step()
    assert bench.loss(**ALL)[0].item() < 0.8 * first


def test_what_is_shown_of_the_loss_is_the_ranking_part(bench: Bench) -> None:
    alone = bench.loss()
    assert bench.loss(**ALL)[1] == pytest.approx(alone[1]) == pytest.approx(alone[0].item())
    assert bench.loss(**ALL)[0].item() > alone[1]


def test_with_one_modality_the_vectors_of_the_index_rank_as_the_viewers_own_do() -> None:
    bench = Bench(modalities=(Modality.ID,))
    bench.batch = replace(bench.batch, liked=few(bench.batch.liked))
    with torch.no_grad():
        index = softmax_by_hand(bench, bench.batch.liked, kind="common")
        assert bench.loss()[1] == pytest.approx(index, rel=1e-4)
        assert bench.part(retrieval_weight=2.0) == pytest.approx(2 * index, rel=1e-3)
