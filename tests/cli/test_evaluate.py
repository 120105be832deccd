"""``swipewise evaluate`` on a small simulated world; the model is a table, the run and the truth are real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.config import SplitConfig
from swipewise.errors import DataError, InputFileError, UnknownIdError
from swipewise.simulate.truth import TRUTH_NAME, WORLD_NAME, truth_table
from swipewise.simulate.world import World
from swipewise.training.dataset import Dataset
from swipewise.training.recommender import InterestRecommender
from swipewise.training.runs import close_run
from swipewise.training.split import split_by_time
from swipewise.workspace import Workspace
from tests.evaluation.worlds import WorldTruth, small_world
from tests.training.hand_made import TableRecommender


@pytest.fixture(scope="module")
def drawn() -> tuple[World, Dataset]:
    return small_world()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: tuple[World, Dataset]) -> Workspace:
    world, dataset = drawn
    at_U = np.zeros(len(dataset.viewer_ids), np.int64)
    utility = WorldTruth(world).utilities(dataset.viewer_ids, dataset.video_ids, at_U)
    model = TableRecommender(utility, name="swipewise")
    monkeypatch.setattr("swipewise.evaluation.session.load_dataset", lambda _: dataset)
    monkeypatch.setattr(InterestRecommender, "load", lambda _run_dir, _dataset: model)
    workspace = Workspace.create(tmp_path / "shop")
    split = split_by_time(dataset, SplitConfig())
    add_run(workspace, split.valid_start, split.test_start)
    return workspace


def add_run(workspace: Workspace, valid_start: int, test_start: int) -> None:
    run_dir = workspace.runs_dir / f"20250301-{len(list(workspace.runs_dir.glob('*')))}"
    run_dir.mkdir(parents=True)
    split = {"valid_start": valid_start, "test_start": test_start}
    close_run(run_dir, {"split": split, "seed": 3, "versions": {}, "data_fingerprint": "f1", "figures": {}})


def write_truth(world: World, directory: Path) -> None:
    directory.mkdir()
    (directory / WORLD_NAME).write_text(json.dumps(world.config.as_dict()), encoding="utf-8")
    truth_table(world).write_parquet(directory / TRUTH_NAME)


def evaluate(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["evaluate", "-w", str(workspace.root), *arguments])


def test_prints_the_tables_and_writes_the_report(workspace: Workspace) -> None:
    result = evaluate(workspace)
    assert result.exit_code == 0, result.output
    for word in ("NDCG@10", "Swipewise", "ItemCF", "Popularity", "cold videos", "The model ranks"):
        assert word in result.stdout
    assert "Oracle" not in result.stdout
    report = json.loads((workspace.report_dir / "report.json").read_text(encoding="utf-8"))
    assert f"{report['segments']['all']['figures']['swipewise']['mrr']['value']:.3f}" in result.stdout
    assert (workspace.report_dir / "index.html").is_file()
    assert str(workspace.report_dir / "index.html") in result.stdout.replace("\n", "")


def test_json_is_printed_alone(workspace: Workspace) -> None:
    result = evaluate(workspace, "--json")
    assert json.loads(result.stdout)["run"]["seed"] == 3


def test_the_truth_of_a_world_beside_the_workspace_is_found(
    workspace: Workspace, drawn: tuple[World, Dataset]
) -> None:
    write_truth(drawn[0], workspace.root / "world")
    assert "Oracle" in evaluate(workspace).stdout


def test_the_truth_can_lie_elsewhere(workspace: Workspace, drawn: tuple[World, Dataset], tmp_path: Path) -> None:
    write_truth(drawn[0], tmp_path / "elsewhere")
    assert "Oracle" in evaluate(workspace, "--truth", str(tmp_path / "elsewhere")).stdout


def test_a_folder_without_a_truth_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    assert isinstance(evaluate(workspace, "--truth", str(tmp_path)).exception, InputFileError)


def test_nothing_after_the_cut_is_refused_and_the_earlier_report_stays(workspace: Workspace) -> None:
    evaluate(workspace)
    page = (workspace.report_dir / "index.html").read_bytes()
    add_run(workspace, 1, 2**60)
    result = evaluate(workspace)
    assert isinstance(result.exception, DataError)
    assert "nothing to predict" in str(result.exception)
    assert (workspace.report_dir / "index.html").read_bytes() == page


def test_without_a_run_the_way_out_is_named(tmp_path: Path) -> None:
    result = evaluate(Workspace.create(tmp_path / "empty"))
    assert isinstance(result.exception, UnknownIdError)
    assert "swipewise train" in str(result.exception)


def test_the_baselines_are_those_asked_for(workspace: Workspace) -> None:
    result = evaluate(workspace, "--against", "popularity, recent,popularity", "--trials", "2", "--json")
    assert result.exit_code == 0, result.output
    models = json.loads(result.stdout)["models"]
    assert [model["name"] for model in models] == ["swipewise", "popularity", "recent"]
    assert [model["title"] for model in models] == ["Swipewise", "Popularity", "Recent popularity"]
    assert [model["tried"] for model in models[1:]] == [1, 2]


@pytest.mark.parametrize(
    ("against", "reason"), [("itemfc", "'itemfc' is no baseline: valid are popularity"), (",", "at least one")]
)
def test_unknown_baselines_are_refused(workspace: Workspace, against: str, reason: str) -> None:
    result = evaluate(workspace, "--against", against)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_settings_that_were_found_are_kept_and_used_again(workspace: Workspace, tmp_path: Path) -> None:
    kept = tmp_path / "found.json"
    options = ["--against", "recent", "--trials", "3", "--settings", str(kept), "--json"]
    first = json.loads(evaluate(workspace, *options).stdout)["models"][1]
    found = json.loads(kept.read_text(encoding="utf-8"))
    assert found["found"]["recent"]["settings"] == first["settings"]
    found["found"]["recent"] |= {"settings": {"days": 11}, "tried": 99}
    kept.write_text(json.dumps(found), encoding="utf-8")
    again = json.loads(evaluate(workspace, *options).stdout)["models"][1]
    assert (again["settings"], again["tried"]) == ({"days": 11}, 99)
    # What is not in the file is searched for and added to it.
    assert evaluate(workspace, "--against", "popularity", "--settings", str(kept)).exit_code == 0
    assert set(json.loads(kept.read_text(encoding="utf-8"))["found"]) == {"recent", "popularity"}
