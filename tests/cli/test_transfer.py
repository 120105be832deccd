"""``swipewise transfer`` between two small workspaces."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.training.runs import latest_run
from swipewise.training.session import train_workspace
from swipewise.workspace import Workspace
from tests.training.conftest import _filled as _filled
from tests.training.conftest import _one_thread as _one_thread
from tests.training.conftest import shop as shop


@pytest.fixture(scope="module")
def trained(_filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("source") / "trained"
    shutil.copytree(_filled, root)
    workspace = Workspace.open(root)
    training = replace(workspace.config.training, epochs=1)
    train_workspace(replace(workspace, config=replace(workspace.config, training=training)))
    return workspace


def run_transfer(source: Workspace, target: Workspace, *arguments: str) -> Result:
    words = ["transfer", "--from", str(source.root), "-w", str(target.root), "--trials", "2", *arguments]
    return CliRunner().invoke(cli, words)


def test_without_a_run_of_its_own_a_platform_has_its_baselines(trained: Workspace, shop: Workspace) -> None:
    result = run_transfer(trained, shop, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["source"] == {"workspace": str(trained.root), "run": latest_run(trained.runs_dir).name}
    assert report["target"] == {"workspace": str(shop.root), "run": None}
    assert [model["name"] for model in report["models"]] == ["transferred", "itemcf", "popularity"]
    assert json.loads((shop.report_dir / "transfers" / f"{report['source']['run']}.json").read_text()) == report


def test_the_platforms_own_run_is_compared_and_knows_more(trained: Workspace) -> None:
    # The same data on both sides: all that differs is that the transferred model knows no id.
    run_name = latest_run(trained.runs_dir).name
    result = run_transfer(trained, trained, "--run", run_name)
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    for word in ("Transferred model", "Own model", "ItemCF", "the platform's own model", "knows no video"):
        assert word in words
    report = json.loads(run_transfer(trained, trained, "--json").stdout)
    figures = report["segments"]["all"]["figures"]
    assert figures["transferred"] != figures["own"]
    assert report["target"]["run"] == run_name


def test_other_encoders_are_refused(trained: Workspace, shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "swipewise.evaluation.transfer_session.chosen_encoders",
        lambda *_: {"visual": "descriptor@1", "text": "fake@1"},
    )
    result = run_transfer(trained, shop)
    assert isinstance(result.exception, ArtifactError)
    assert "was trained with visual vectors by fake@1" in str(result.exception)
    assert 'set visual = "fake" in [encoders]' in str(result.exception)


def test_an_untrained_source_and_an_unknown_run_are_refused(trained: Workspace, shop: Workspace) -> None:
    assert isinstance(run_transfer(shop, trained).exception, UnknownIdError)
    assert "no finished run 'r9'" in str(run_transfer(trained, shop, "--run", "r9").exception)


def test_the_source_has_to_be_named(shop: Workspace) -> None:
    result = CliRunner().invoke(cli, ["transfer", "-w", str(shop.root)])
    assert result.exit_code == 2
    assert "--from" in result.stderr
