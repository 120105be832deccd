"""Retraining starts from what an earlier run has learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import Fit, fit_network, seeded
from swipewise.training.runs import read_record
from swipewise.training.session import train_workspace
from swipewise.training.warm import started_from
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.training.tiny import tiny_config, tiny_split

DAY_MS = 86_400_000


def days(until: int) -> tuple[Dataset, Dataset]:
    """What happened until so many days after the training period ends, and all after it."""
    split = tiny_split()
    everything = split.train.followed_by(split.validation).followed_by(split.test)
    end = split.valid_start + until * DAY_MS
    return everything.before(end), everything.between(end, split.test_start + 10**12)


def fit(until: int, epochs: int, earlier: FittedModel | None = None) -> Fit:
    before, after = days(until)
    config = tiny_config(epochs=epochs, learning_rate=0.01, average=0.5)
    plain = replace(config, model=replace(config.model, themes=0, neighbours=0))
    return fit_network(before, after, plain, earlier=earlier)


def untrained(dataset: Dataset, **model: Any) -> FittedModel:
    with seeded(5):
        return FittedModel.untrained(replace(tiny_config().model, **model), dataset, {})


def test_a_day_more_starts_at_a_lower_loss_than_from_scratch() -> None:
    earlier = fit(0, 3).fitted
    scratch, warm = fit(1, 1), fit(1, 1, earlier)
    assert warm.epochs[0].loss < scratch.epochs[0].loss - 0.05
    assert warm.epochs[0].validation_ndcg != scratch.epochs[0].validation_ndcg


def test_known_ids_keep_their_rows_and_new_ones_get_fresh_ones() -> None:
    split = tiny_split()
    rows = split.train.interactions
    hidden = np.unique(rows.video_I)[::7]
    earlier = untrained(replace(split.train, interactions=rows.where(~np.isin(rows.video_I, hidden))))
    fresh = untrained(split.train)
    before = {name: value.clone() for name, value in fresh.network.state_dict().items()}
    found = started_from(earlier, fresh)
    name = "project.id_embedding.weight"
    row_V = earlier.vocabulary.video_rows(found.vocabulary.video_ids)
    assert (row_V < 0).sum() == len(hidden)
    table, was = found.network.state_dict()[name], earlier.network.state_dict()[name]
    for row, old in enumerate(row_V):
        assert torch.equal(table[row], was[old] if old >= 0 else before[name][row])
    tables = (name, "project.attribute_embedding.weight", "profile.embedding.weight")
    assert all(
        torch.equal(value, earlier.network.state_dict()[key])
        for key, value in found.network.state_dict().items()
        if key not in tables
    )
    assert np.array_equal(found.standards["visual"].mean_E, earlier.standards["visual"].mean_E)


def test_codes_keep_their_rows_where_others_come_between() -> None:
    dataset = tiny_split().train
    late = replace(
        dataset,
        profile_UP=np.where(dataset.profile_UP > 0, dataset.profile_UP + 1, 0),
        profile_values=("age=0-12", *dataset.profile_values),
    )
    late.profile_UP[dataset.interactions.viewer_I[0], 0] = 1
    earlier, fresh = untrained(dataset), untrained(late)
    own = fresh.network.profile.embedding.weight.clone()
    weight = started_from(earlier, fresh).network.profile.embedding.weight
    was = earlier.network.profile.embedding.weight
    assert fresh.vocabulary.profile_values[0] == "age=0-12"
    assert torch.equal(weight[0], was[0])
    assert torch.equal(weight[1], own[1])
    assert torch.equal(weight[2:], was[1:])


def test_another_encoder_has_a_fresh_adapter() -> None:
    dataset = tiny_split().train
    with seeded(5):
        earlier = FittedModel.untrained(tiny_config().model, dataset, {"visual": "a@1", "text": "b@1"})
    with seeded(6):
        fresh = FittedModel.untrained(tiny_config().model, dataset, {"visual": "a@1", "text": "c@1"})
    own = fresh.network.project.adapters["text"].weight.clone()
    adapters = started_from(earlier, fresh).network.project.adapters
    assert torch.equal(adapters["text"].weight, own)
    assert torch.equal(adapters["visual"].weight, earlier.network.project.adapters["visual"].weight)


def test_what_does_not_fit_is_named() -> None:
    dataset = tiny_split().train
    with pytest.raises(ArtifactError, match=r"model.width is 32, and the run to start from has 16: set it back"):
        started_from(untrained(dataset), untrained(dataset, width=32))
    with pytest.raises(
        ArtifactError, match=r"reads visual, id, and the run to start from visual, text, attributes, id"
    ):
        started_from(untrained(dataset), untrained(dataset, modalities=("visual", "id")))


@pytest.fixture
def quick(shop: Workspace) -> Workspace:
    """One that is trained for an epoch, without tastes and neighbours."""
    path = shop.root / CONFIG_NAME
    text = (
        path.read_text()
        .replace("epochs = 3", "epochs = 1")
        .replace("memory = 8", "memory = 8\nthemes = 0\nneighbours = 0")
    )
    path.write_text(text)
    return Workspace.open(shop.root)


def loss(shop: Workspace, **options: Any) -> tuple[str, float]:
    """The run that a training started from, and the loss of its epoch."""
    record = read_record(train_workspace(shop, **options).run_dir)
    return record["config"]["training"]["warm_start"], record["figures"]["epochs"][0]["loss"]


def test_a_workspace_is_trained_from_its_latest_run_or_a_named_one(quick: Workspace) -> None:
    training = replace(quick.config.training, warm_start="latest")
    nightly = replace(quick, config=replace(quick.config, training=training))
    name, first = loss(nightly)
    assert name == ""
    [run] = quick.runs_dir.iterdir()
    name, again = loss(nightly)
    assert name == run.name
    assert again < first
    assert loss(quick, start=run.name) == (name, again)


def test_the_command_starts_from_a_run_and_names_one_that_is_not_there(quick: Workspace) -> None:
    run = train_workspace(quick).run_dir.name
    told = CliRunner().invoke(cli, ["train", "-w", str(quick.root), "--from", "latest"], catch_exceptions=False)
    assert told.exit_code == 0
    newest = max(path for path in quick.runs_dir.iterdir())
    assert read_record(newest)["config"]["training"]["warm_start"] == run
    with pytest.raises(
        UnknownIdError, match=r"no finished run 'nothing' to start from in .*: name another, or latest"
    ):
        train_workspace(quick, start="nothing")
