"""A training of a workspace from its stores to a recorded run, killed or not."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from swipewise.errors import DataError, WorkspaceError
from swipewise.training.checkpoint import load_tensors
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import Step
from swipewise.training.runs import CHECKPOINT_NAME, MODEL_NAME, fingerprint, latest_run, read_record
from swipewise.training.session import Watch, train_workspace
from swipewise.training.split import split_by_time
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace
from tests.killing import finish, start


def epochs_of(run_dir: Path) -> list[dict[str, Any]]:
    epochs = read_record(run_dir)["figures"]["epochs"]
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def same_model(one: Path, other: Path) -> bool:
    tensors, expected = (load_tensors(run_dir / MODEL_NAME)[0] for run_dir in (one, other))
    return tensors.keys() == expected.keys() and all(
        torch.equal(tensors[name], expected[name]) for name in expected
    )


def test_a_run_records_what_it_was_trained_on_and_what_came_of_it(shop: Workspace) -> None:
    told: list[tuple[Path, bool]] = []
    summary = train_workspace(shop, watch=Watch(on_plan=lambda *plan: told.append(plan)))
    dataset = load_dataset(shop)
    split = split_by_time(dataset, shop.config.split)
    assert told == [(summary.run_dir, False)]
    assert summary.run_dir == latest_run(shop.runs_dir)
    assert (summary.resumed, summary.viewers, summary.videos) == (False, 60, 60)
    assert summary.interactions == len(split.train.interactions)
    assert set(summary.modalities) == {"visual", "text", "attributes", "id"}
    assert summary.epochs == 3

    record = read_record(summary.run_dir)
    assert record["config"]["model"]["width"] == 16
    assert record["seed"] == 0
    assert record["data_fingerprint"] == fingerprint(dataset)
    assert record["split"] == {"valid_start": split.valid_start, "test_start": split.test_start}
    assert record["versions"]["torch"] == torch.__version__
    assert record["sizes"] == {"viewers": 60, "videos": 60, "interactions": summary.interactions}
    assert record["modalities"] == list(summary.modalities)
    figures = record["figures"]
    assert [epoch["number"] for epoch in figures["epochs"]] == [1, 2, 3]
    assert figures["validation_ndcg@10"] == summary.validation_ndcg
    assert figures["epochs"][summary.best_epoch - 1]["validation_ndcg"] == summary.validation_ndcg

    fitted = FittedModel.load(summary.run_dir / MODEL_NAME)
    assert fitted.encoders == {"visual": "fake@1", "text": "fake@1"}
    assert sorted(path.name for path in summary.run_dir.iterdir()) == [
        "model.safetensors",
        "plan.json",
        "run.json",
    ]


def test_the_test_period_is_never_looked_at(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training in which the last weeks went otherwise is the same training."""
    first = train_workspace(shop)
    dataset = load_dataset(shop)
    split = split_by_time(dataset, shop.config.split)
    rows = dataset.interactions
    late_I = rows.at_I >= split.test_start
    turned = replace(rows, positive_I=rows.positive_I ^ late_I, watch_ratio_I=rows.watch_ratio_I * ~late_I)
    monkeypatch.setattr(
        "swipewise.training.session.load_dataset", lambda *_, **__: replace(dataset, interactions=turned)
    )
    second = train_workspace(shop)
    assert second.run_dir != first.run_dir
    assert epochs_of(second.run_dir) == epochs_of(first.run_dir)
    assert same_model(second.run_dir, first.run_dir)


class Stop(Exception):
    """Stands for whatever ends a process."""


def stop(_: Step) -> None:
    raise Stop


def with_training(shop: Workspace, **changes: Any) -> Workspace:
    return replace(shop, config=replace(shop.config, training=replace(shop.config.training, **changes)))


def begun(shop: Workspace) -> Path:
    """The run of a training that was stopped at its first step."""
    told: list[Path] = []
    with pytest.raises(Stop):
        train_workspace(shop, watch=Watch(on_plan=lambda run_dir, _: told.append(run_dir), on_step=stop))
    return told[0]


def test_a_changed_configuration_starts_a_new_run(shop: Workspace) -> None:
    run_dir = begun(shop)
    changed = with_training(shop, learning_rate=1e-4, epochs=1)
    assert train_workspace(changed).run_dir != run_dir
    assert train_workspace(with_training(shop)).run_dir == run_dir


def test_fresh_leaves_the_interrupted_run_alone(shop: Workspace) -> None:
    run_dir = begun(shop)
    summary = train_workspace(with_training(shop), fresh=True)
    assert summary.run_dir != run_dir
    assert not summary.resumed


def test_two_trainings_of_one_workspace_at_a_time_are_refused(shop: Workspace) -> None:
    with (
        shop.lock("train"),
        pytest.raises(WorkspaceError, match=r"another process is running 'train' in .*: wait for it to end"),
    ):
        train_workspace(shop)
    assert not shop.runs_dir.exists()


def test_an_empty_workspace_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="the catalogue holds no videos: add some with 'swipewise videos add PATH'"
    ):
        train_workspace(Workspace.create(tmp_path / "empty"))


# Dies after so many steps, amid so many writes of a checkpoint, or when all that is missing is the record.
KILLED = """
import itertools, os, signal, sys
from swipewise.training import session
from swipewise.workspace import Workspace

place, number = sys.argv[2], int(sys.argv[3])
calls = itertools.count(1)

def die_in_time(*_):
    if next(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)

on_step = die_in_time if place == "step" else lambda _: None
if place == "write":
    os.fsync = die_in_time
if place == "record":
    session.close_run = die_in_time
session.train_workspace(Workspace.open(sys.argv[1]), watch=session.Watch(on_step=on_step))
"""


def test_a_killed_training_ends_with_the_losses_and_tensors_of_an_unbroken_one(
    shop: Workspace, tmp_path: Path
) -> None:
    for place, number in (("step", 9), ("write", 23), ("record", 1)):
        killed = finish(start(sys.executable, "-c", KILLED, shop.root, place, number))
        assert killed.status == -signal.SIGKILL, killed.err
        assert list(shop.runs_dir.glob("*/run.json")) == []
        assert len(list(shop.runs_dir.glob(f"*/{CHECKPOINT_NAME}"))) == 1
    summary = train_workspace(shop)
    unbroken = train_workspace(shop, fresh=True)
    assert (summary.resumed, unbroken.resumed) == (True, False)
    assert len(list(shop.runs_dir.iterdir())) == 2
    assert epochs_of(summary.run_dir) == epochs_of(unbroken.run_dir)
    assert summary.best_epoch == unbroken.best_epoch
    assert same_model(summary.run_dir, unbroken.run_dir)
