"""``swipewise train``: what it says of a training; the training itself is held by tests/training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import DataError, WorkspaceError
from swipewise.training.loop import Epoch, Step
from swipewise.training.session import TrainingSummary, Watch
from swipewise.workspace import Workspace
from tests.training.conftest import _filled as _filled
from tests.training.conftest import _one_thread as _one_thread
from tests.training.conftest import shop as shop


def train(workspace: Workspace, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["train", "--workspace", str(workspace.root), *arguments])
    if result.exception and not isinstance(result.exception, SystemExit | KeyboardInterrupt):
        raise result.exception
    return result


class FakeTraining:
    """Stands for ``train_workspace``: two epochs, of which the first was better, unless it is said otherwise."""

    def __init__(self, ndcg: float | None = 0.25, *, resumes: bool = False, best_epoch: int = 1) -> None:
        self.ndcg, self.resumes, self.fresh, self.best_epoch = ndcg, resumes, None, best_epoch
        self.processes: int | None = 0
        self.executor: str | None = None

    def __call__(
        self,
        workspace: Workspace,
        *,
        fresh: bool,
        start: str,
        processes: int | None,
        executor: str | None,
        profile: bool,
        watch: Watch,
    ) -> TrainingSummary:
        self.fresh, self.processes, self.executor = fresh, processes, executor
        watch.on_fold(1, 1)
        run_dir = workspace.runs_dir / "20250102-abc"
        watch.on_plan(run_dir, self.resumes)
        watch.on_step(Step(epoch=0, done=1, total=7, best_ndcg=None))
        watch.on_epoch(Epoch(number=1, loss=3.5, validation_ndcg=self.ndcg, seconds=1.25))
        watch.on_step(Step(epoch=1, done=1, total=7, best_ndcg=self.ndcg))
        watch.on_epoch(Epoch(number=2, loss=2.5, validation_ndcg=self.ndcg and self.ndcg / 2, seconds=1.25))
        return TrainingSummary(
            run_dir=run_dir,
            resumed=self.resumes,
            viewers=1500,
            videos=900,
            interactions=12345,
            modalities=("visual", "id"),
            epochs=2,
            best_epoch=self.best_epoch,
            validation_ndcg=self.ndcg,
            seconds=2.5,
            profile={"data": 0.5, "linear": 1.5} if profile else None,
        )


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "empty")


def stand_in(monkeypatch: pytest.MonkeyPatch, fake: Any) -> None:
    monkeypatch.setattr("swipewise.training.session.train_workspace", fake)


def test_epochs_go_to_stderr_as_they_end_and_the_summary_to_stdout(
    empty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, FakeTraining())
    result = train(empty)
    assert result.stderr.splitlines() == [
        "training run 20250102-abc",
        "epoch   1  loss 3.5000  validation NDCG@10 0.2500  1.2 s",
        "epoch   2  loss 2.5000  validation NDCG@10 0.1250  1.2 s",
    ]
    assert result.stdout.splitlines() == [
        "trained on 12,345 interactions of 1,500 viewers with 900 videos, from visual, id",
        "kept epoch 1 of 2: validation NDCG@10 0.2500, 2 s of training",
        f"run recorded in {empty.runs_dir}/20250102-abc",
        f"next: swipewise evaluate -w {empty.root}, or swipewise feed VIEWER -w {empty.root}",
    ]


def test_without_a_validation_period_no_figure_is_made_up(
    empty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, FakeTraining(ndcg=None))
    result = train(empty)
    assert "validation NDCG@10 -  1.2 s" in result.stderr
    assert "validation NDCG@10 none, " in result.stdout


@pytest.mark.parametrize(("best_epoch", "noted"), [(1, False), (2, True)])
def test_it_is_told_when_training_ended_before_it_stopped_getting_better(
    empty: Workspace, monkeypatch: pytest.MonkeyPatch, best_epoch: int, noted: bool
) -> None:
    stand_in(monkeypatch, FakeTraining(best_epoch=best_epoch))
    assert ("note: the last epoch was the best" in train(empty).stdout) is noted


def test_json_is_all_that_is_on_stdout(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeTraining())
    assert json.loads(train(empty, "--json").stdout) == {
        "run_dir": str(empty.runs_dir / "20250102-abc"),
        "resumed": False,
        "viewers": 1500,
        "videos": 900,
        "interactions": 12345,
        "modalities": ["visual", "id"],
        "epochs": 2,
        "best_epoch": 1,
        "validation_ndcg": 0.25,
        "seconds": 2.5,
        "profile": None,
    }


def test_an_interrupted_training_is_taken_up_unless_a_fresh_one_is_asked_for(
    empty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeTraining(resumes=True)
    stand_in(monkeypatch, fake)
    assert train(empty).stderr.startswith("resuming run 20250102-abc\n")
    assert fake.fresh is False
    train(empty, "--fresh")
    assert fake.fresh is True


def test_a_profile_is_a_table_and_in_the_json(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, FakeTraining())
    assert train(empty, "--profile").stdout.splitlines()[3:6] == [
        "where the time of this sitting went:",
        "  data              0.50 s   25.0%",
        "  linear            1.50 s   75.0%",
    ]
    assert json.loads(train(empty, "--profile", "--json").stdout)["profile"] == {"data": 0.5, "linear": 1.5}
    assert "where the time" not in train(empty).stdout


def test_processes_are_as_many_as_asked_for(empty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTraining()
    stand_in(monkeypatch, fake)
    train(empty)
    assert (fake.processes, fake.executor) == (None, None)
    train(empty, "--processes", "3", "--on", "ray")
    assert (fake.processes, fake.executor) == (3, "ray")
    assert "'spark' is not one of 'processes', 'ray'" in train(empty, "--on", "spark").stderr
    assert "0 is not in the range" in train(empty, "--processes", "0").stderr


def test_a_real_training_records_a_run_and_the_next_starts_anew(shop: Workspace) -> None:
    result = train(shop)
    assert re.search(r"^kept epoch [123] of 3: validation NDCG@10 0\.\d{4}, ", result.stdout, re.MULTILINE)
    assert result.stderr.count("epoch ") == 3
    (run_dir,) = shop.runs_dir.iterdir()
    assert {path.name for path in run_dir.iterdir()} == {"plan.json", "model.safetensors", "run.json"}
    again = json.loads(train(shop, "--json").stdout)
    assert again["resumed"] is False
    assert Path(again["run_dir"]) != run_dir


def test_ctrl_c_ends_with_a_word_and_the_same_command_goes_on(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swipewise.training import progress

    save, saved = progress.save_tensors, []

    def interrupt(path: Path, *content: Any) -> None:
        save(path, *content)
        saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "save_tensors", interrupt)
    result = train(shop)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("\nAborted!\n")
    resumed = train(shop, "--json")
    assert resumed.stderr.startswith(f"resuming run {saved[0].parent.name}\n")
    assert json.loads(resumed.stdout)["resumed"] is True
    assert len(list(shop.runs_dir.iterdir())) == 1


def test_an_empty_workspace_says_what_to_do_first(empty: Workspace) -> None:
    with pytest.raises(
        DataError, match="the catalogue holds no videos: add some with 'swipewise videos add PATH "
    ):
        train(empty)
    assert not empty.runs_dir.exists()


def test_two_trainings_at_once_are_refused(empty: Workspace) -> None:
    with empty.lock("train"), pytest.raises(WorkspaceError, match="another process is running 'train'"):
        train(empty)
