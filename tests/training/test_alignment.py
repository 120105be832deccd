"""Pre-training: the modalities of a video come to agree, deterministically, and only where it was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from swipewise.config import TrainingConfig
from swipewise.model.losses import alignment_loss
from swipewise.training.alignment import align_modalities
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.fitted import FittedModel
from tests.training.tiny import tiny_config, tiny_dataset


def two_sided() -> Dataset:
    """Words and pictures tell the same of every video, in different coordinates."""
    dataset = tiny_dataset()
    rng = np.random.default_rng(0)
    hidden_VD = rng.standard_normal((len(dataset.video_ids), 4))
    present_V = np.ones(len(dataset.video_ids), bool)
    content = {
        name: ContentFeature(
            values_VD=(hidden_VD @ rng.standard_normal((4, 6))).astype(np.float32), present_V=present_V
        )
        for name in ("visual", "text")
    }
    return replace(dataset, content=content)


def untrained(dataset: Dataset) -> FittedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = replace(tiny_config().model, modalities=("visual", "text", "id"))
        return FittedModel.untrained(model, dataset, {})


def disagreement(fitted: FittedModel, dataset: Dataset) -> float:
    inputs = fitted.table(dataset).inputs(torch.arange(len(dataset.video_ids)))
    with torch.no_grad():
        return float(alignment_loss(fitted.network.project(inputs)[:, :2], inputs.present_KM[:, :2]))


def test_modalities_agree_better_afterwards() -> None:
    dataset = two_sided()
    fitted = untrained(dataset)
    before = disagreement(fitted, dataset)
    align_modalities(fitted, dataset, TrainingConfig(alignment_epochs=30, learning_rate=1e-2))
    assert disagreement(fitted, dataset) < 0.5 * before


def test_the_same_seed_aligns_alike() -> None:
    dataset = two_sided()
    found = []
    for _ in range(2):
        fitted = untrained(dataset)
        align_modalities(fitted, dataset, TrainingConfig(alignment_epochs=2))
        found.append(fitted.network.project.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_nothing_moves_unless_asked_for_and_nothing_can_agree_with_itself() -> None:
    dataset = two_sided()
    fitted, fresh = untrained(dataset), untrained(dataset)
    align_modalities(fitted, dataset, TrainingConfig())
    alone = replace(dataset, content={"visual": dataset.content["visual"]})
    single, single_fresh = untrained(alone), untrained(alone)
    align_modalities(single, alone, TrainingConfig(alignment_epochs=2))
    for one, other in ((fitted, fresh), (single, single_fresh)):
        after, before = one.network.state_dict(), other.network.state_dict()
        assert all(torch.equal(value, before[name]) for name, value in after.items())
