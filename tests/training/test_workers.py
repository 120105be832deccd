"""Two processes take the steps of one that computes the same parts, and go on from one another's checkpoints."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from swipewise.errors import ClusterError
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import Fit, Step, fit_network
from swipewise.training.runs import MODEL_NAME, read_record
from swipewise.training.session import TrainingSummary, Watch, train_workspace
from swipewise.training.split import split_by_time
from swipewise.training.workers import ALONE, Workers, leading
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

ROWS = {
    "whole tables": "",
    "tables by rows": "sparse_rows = 1\n",
    "tables in shards": "sparse_rows = 1\nshard_rows = 1\n",
}


def with_tables(shop: Workspace, how: str) -> Workspace:
    with (shop.root / "swipewise.toml").open("a") as file:
        file.write(ROWS[how])
    return Workspace.open(shop.root)


_FITS: dict[str, Fit] = {}


def fitted_by_one(workspace: Workspace) -> Fit:
    """What a process makes of the shop that computes two parts of each batch."""
    settings = (workspace.root / "swipewise.toml").read_text()
    if settings not in _FITS:
        split = split_by_time(load_dataset(workspace), workspace.config.split)
        _FITS[settings] = fit_network(split.train, split.validation, workspace.config, parts=2)
    return _FITS[settings]


def losses(fit: Fit) -> list[Any]:
    return [number for epoch in fit.epochs for number in (epoch.loss, epoch.validation_ndcg)]


def by_one(workspace: Workspace) -> list[Any]:
    return losses(fitted_by_one(workspace))


def curve(summary: TrainingSummary) -> list[Any]:
    epochs = read_record(summary.run_dir)["figures"]["epochs"]
    return [number for epoch in epochs for number in (epoch["loss"], epoch["validation_ndcg"])]


# Before the others, which would wait in vain if it left anything behind.
def test_nobody_to_join_is_an_error(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ClusterError, match="cannot join the 2 processes of this training"):
        train_workspace(shop)


def test_two_processes_have_the_losses_of_one(shop: Workspace) -> None:
    shop = with_tables(shop, "tables by rows")
    summary = train_workspace(shop, processes=2)
    assert curve(summary) == pytest.approx(by_one(shop), rel=1e-4)


class Stop(Exception):
    """Stands for whatever ends a process."""


def stopped(workspace: Workspace, processes: int, steps: int) -> None:
    taken: list[Step] = []

    def count(step: Step) -> None:
        taken.append(step)
        if len(taken) == steps:
            raise Stop

    with pytest.raises(Stop):
        train_workspace(workspace, processes=processes, watch=Watch(on_step=count))


@pytest.mark.parametrize(
    ("tables", "steps"),
    # The latter into the next epoch, when there is a best one to go on from.
    [("whole tables", 5), ("tables in shards", 20)],
)
@pytest.mark.slow
def test_one_process_goes_on_where_two_were_stopped_and_from_there_two(
    shop: Workspace, tables: str, steps: int
) -> None:
    shop = with_tables(shop, tables)
    stopped(shop, processes=2, steps=steps)
    stopped(shop, processes=1, steps=3)
    summary = train_workspace(shop, processes=2)
    assert summary.resumed
    expected = fitted_by_one(shop)
    assert curve(summary) == pytest.approx(losses(expected), rel=1e-4)
    found = FittedModel.load(summary.run_dir / MODEL_NAME).network.state_dict()
    for name, tensor in expected.fitted.network.state_dict().items():
        assert torch.allclose(found[name], tensor, atol=1e-4), name


def test_a_part_without_windows_takes_part_all_the_same(shop: Workspace) -> None:
    """Batches of a single window."""
    split = split_by_time(load_dataset(shop), shop.config.split)
    some = replace(split.train, interactions=split.train.interactions.where(split.train.interactions.viewer_I < 3))
    settings = replace(shop.config, training=replace(shop.config.training, batch_events=1, epochs=1))
    found = fit_network(some, None, settings, parts=3)
    assert 0 < found.epochs[0].loss < 20


def test_a_process_that_is_gone_is_an_error_that_says_how_to_go_on() -> None:
    leaves = "from swipewise.training.workers import joined\nwith joined('cpu') as workers: workers.tell('')"
    with leading((sys.executable, "-c", leaves), 2, "cpu") as workers:
        assert workers.tell("hello") == "hello"
        with pytest.raises(ClusterError, match=r"process 1 of 2 has lost the others .*: the same command goes on"):
            add_for_ever(workers)


def add_for_ever(workers: Workers) -> None:
    while True:
        workers.add(torch.zeros(1))


def test_alone_everything_stays_as_it_is() -> None:
    tensor = torch.arange(3)
    ALONE.add(tensor)
    ALONE.follow(tensor)
    assert torch.equal(ALONE.together(tensor), torch.arange(3))
    assert ALONE.tell("words") == "words"
