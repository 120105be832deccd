"""The loop: a function of data, configuration and seed; stops in time, keeps the best, resumes to the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.errors import ArtifactError, DataError
from swipewise.schema import FLAG_ACTIONS
from swipewise.training import loop
from swipewise.training.calibration import Calibration
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.loop import Epoch, Fit, Step, choose_device, fit_network
from tests.training.hand_made import dataset_of
from tests.training.tiny import tiny_config, tiny_split


def fit(config: Any = None, **options: Any) -> Fit:
    split = tiny_split()
    return fit_network(split.train, split.validation, config or tiny_config(), **options)


def outcome(found: Fit) -> list[tuple[int, float, float | None]]:
    """All but how long it took."""
    return [(epoch.number, epoch.loss, epoch.validation_ndcg) for epoch in found.epochs]


def same_network(one: Fit, other: Fit) -> bool:
    tensors, expected = one.fitted.network.state_dict(), other.fitted.network.state_dict()
    return all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_the_same_seed_gives_the_same_losses_and_tensors_and_another_seed_others() -> None:
    first, again, other = fit(), fit(), fit(tiny_config(seed=1))
    assert outcome(first) == outcome(again)
    assert same_network(first, again)
    assert outcome(first) != outcome(other)
    assert not same_network(first, other)


def test_training_makes_the_loss_smaller_and_the_ranking_better() -> None:
    found = fit(tiny_config(epochs=12, patience=12, learning_rate=0.01, average=0.5))
    assert found.epochs[-1].loss < found.epochs[0].loss
    ndcgs = [epoch.validation_ndcg or 0.0 for epoch in found.epochs]
    assert ndcgs[found.best_epoch - 1] == max(ndcgs) > ndcgs[0]


def test_the_callers_random_state_and_the_mode_of_the_network() -> None:
    torch.manual_seed(3)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = fit(tiny_config(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002
    assert not found.fitted.network.training


def scripted(monkeypatch: pytest.MonkeyPatch, *ndcgs: float) -> None:
    """Validation finds these values, one an epoch."""
    values = iter(ndcgs)
    monkeypatch.setattr(loop, "mean_ndcg", lambda *_: next(values))


def test_stopping_early_keeps_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, 0.1)
    one = fit(tiny_config(epochs=1))
    scripted(monkeypatch, *[0.3] * 20)
    found = fit(tiny_config(epochs=20, patience=2))
    # The same figure again is no better one.
    assert found.best_epoch == 1
    assert same_network(found, one)
    assert len(found.epochs) < 20


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (9, 6)])
def test_patience_is_the_epochs_without_a_better_one(
    monkeypatch: pytest.MonkeyPatch, patience: int, epochs: int
) -> None:
    scripted(monkeypatch, 0.2, 0.5, 0.4, 0.5, 0.3, 0.1)
    found = fit(tiny_config(epochs=6, patience=patience))
    assert (found.best_epoch, len(found.epochs)) == (2, epochs)


@pytest.mark.parametrize("period", ["none", "empty", "nothing new"])
def test_with_nothing_to_validate_on_the_last_epoch_is_kept(period: str) -> None:
    train = tiny_split().train
    validation = {"none": None, "empty": train.before(0), "nothing new": train}[period]
    found = fit_network(train, validation, tiny_config())
    assert found.best_epoch == len(found.epochs) == 3
    assert {epoch.validation_ndcg for epoch in found.epochs} == {None}


def test_every_step_and_epoch_is_told() -> None:
    steps: list[Step] = []
    epochs: list[Epoch] = []
    found = fit(on_step=steps.append, on_epoch=epochs.append)
    total = steps[0].total
    assert total > 3
    assert [(step.epoch, step.done) for step in steps] == [(e, s + 1) for e in range(3) for s in range(total)]
    assert steps[0].best_ndcg is None
    assert steps[-1].best_ndcg == max(epoch.validation_ndcg or 0 for epoch in epochs[:2])
    assert tuple(epochs) == found.epochs


class Stop(Exception):
    """Stands for whatever ends a process."""


def stopped_at(step: int, checkpoint: Path, **training: Any) -> None:
    taken: list[Step] = []

    def count(now: Step) -> None:
        taken.append(now)
        if len(taken) == step:
            raise Stop

    with pytest.raises(Stop):
        fit(tiny_config(**training), checkpoint=checkpoint, on_step=count)


EVERYTHING = {
    "places": 6,
    "ahead": 3,
    "half_life_days": 10.0,
    "shown_weight": 0.2,
    "alignment_weight": 0.1,
}
"""Every part of the loss and everything random in what is asked."""


@pytest.mark.parametrize(
    ("training", "step"),
    [(EVERYTHING | {"checkpoint_seconds": 0.0}, 6), ({"checkpoint_seconds": 1e6}, 1)],
    ids=["everything, saved every step", "saved every epoch"],
)
def test_a_training_that_was_stopped_ends_as_if_it_never_was(
    tmp_path: Path, training: dict[str, Any], step: int
) -> None:
    told: list[Step] = []
    unbroken = fit(tiny_config(**training), on_step=told.append)
    path = tmp_path / "state.safetensors"
    for steps in (3, told[0].total + 2, 3):
        stopped_at(steps, path, **training)
    resumed: list[Step] = []
    found = fit(tiny_config(**training), checkpoint=path, on_step=resumed.append)
    assert found.resumed
    # A step is told before it is saved, so each of the three stops loses one.
    assert (resumed[0].epoch, resumed[0].done) == (1, step)
    assert outcome(found) == outcome(unbroken)
    assert found.best_epoch == unbroken.best_epoch
    assert same_network(found, unbroken)
    assert found.fitted.calibration.as_dict() == unbroken.fitted.calibration.as_dict()


def test_probabilities_are_calibrated_on_the_validation_period_where_there_is_one() -> None:
    split, settings = tiny_split(), tiny_config(epochs=1)
    calibrated = fit_network(split.train, split.validation, settings).fitted
    assert calibrated.calibration.as_dict() != Calibration.none(len(FLAG_ACTIONS)).as_dict()
    plain = fit_network(split.train, None, settings).fitted
    assert plain.calibration.as_dict() == Calibration.none(len(FLAG_ACTIONS)).as_dict()


def test_a_training_that_was_over_takes_no_step_at_all(tmp_path: Path) -> None:
    first = fit(checkpoint=tmp_path / "state.safetensors")
    steps: list[Step] = []
    again = fit(checkpoint=tmp_path / "state.safetensors", on_step=steps.append)
    assert not steps
    assert again.resumed
    assert again.epochs == first.epochs
    assert same_network(again, first)


def test_a_checkpoint_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    fit(tiny_config(epochs=1), checkpoint=path)
    wider = replace(tiny_config(), model=replace(tiny_config().model, width=24))
    with pytest.raises(
        ArtifactError, match=r"(?s)does not fit this training .*: start anew with 'swipewise train --fresh'"
    ):
        fit(wider, checkpoint=path)
    tensors, facts = load_tensors(path)
    save_tensors(path, {name: value for name, value in tensors.items() if "live/" not in name}, facts)
    with pytest.raises(ArtifactError, match="does not fit this training"):
        fit(checkpoint=path)
    path.write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="is damaged"):
        fit(checkpoint=path)


def test_a_loss_that_is_no_number_names_the_learning_rate() -> None:
    with pytest.raises(
        DataError, match=r"the loss became nan in epoch 1: make training.learning_rate = 1e\+30 smaller"
    ):
        fit(tiny_config(learning_rate=1e30))


def test_viewers_who_like_nothing_are_no_reason_to_stop() -> None:
    rows = [(0, video, video, True) for video in range(6)] + [(1, video, video, False) for video in range(3)]
    # Batches this small hold one viewer each.
    found = fit_network(dataset_of(rows, viewers=2, uploaded=[0] * 6), None, tiny_config(batch_events=8))
    assert np.isfinite([epoch.loss for epoch in found.epochs]).all()


def test_nothing_positive_to_learn_from_is_an_error() -> None:
    with pytest.raises(DataError, match="none of the 1 interactions in the training period is positive"):
        fit_network(dataset_of([(0, 0, 1, False)], viewers=1, uploaded=[0]), None, tiny_config())


def test_the_device_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(name).type for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [choose_device(name).type for name in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(
        DataError, match=r"training.device = 'cuda', but torch finds no GPU: set it to 'auto' or 'cpu'"
    ):
        fit(tiny_config(device="cuda"))
