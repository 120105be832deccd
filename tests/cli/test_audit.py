"""``swipewise audit`` on a small workspace with a real run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import UnknownIdError
from swipewise.training.runs import latest_run
from swipewise.training.session import train_workspace
from swipewise.workspace import Workspace
from tests.training.conftest import _filled as _filled
from tests.training.conftest import _one_thread as _one_thread


@pytest.fixture(scope="module")
def trained(_filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("audited") / "shop"
    shutil.copytree(_filled, root)
    workspace = Workspace.open(root)
    training = replace(workspace.config.training, epochs=1)
    train_workspace(replace(workspace, config=replace(workspace.config, training=training)))
    return workspace


def run_audit(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", "-w", str(workspace.root), *arguments])


def test_prints_findings_writes_the_page_and_is_strict_when_asked(trained: Workspace) -> None:
    result = run_audit(trained)
    assert result.exit_code == 0, result.output
    for word in ("Modality weights are not uniform", "checks", "Attention by segment"):
        assert word in result.stdout
    page = trained.report_dir / "audit.html"
    assert str(page) in result.stdout.replace("\n", "")
    assert page.is_file()
    report = json.loads((trained.report_dir / "audit.json").read_bytes())
    warns = any(finding["verdict"] == "warn" for finding in report["findings"])
    assert warns  # one epoch on sixty viewers
    strict = run_audit(trained, "--strict", "--json", "--run", latest_run(trained.runs_dir).name)
    assert strict.exit_code == 1
    again = json.loads(strict.stdout)
    assert {**again, "audited_at": ""} == {**report, "audited_at": ""}


def test_an_unknown_run_is_named(trained: Workspace) -> None:
    result = run_audit(trained, "--run", "r7")
    assert isinstance(result.exception, UnknownIdError)
    assert "no finished run 'r7'" in str(result.exception)


def test_without_a_run_the_way_out_is_named(tmp_path: Path) -> None:
    result = run_audit(Workspace.create(tmp_path / "empty"))
    assert isinstance(result.exception, UnknownIdError)
    assert "swipewise train" in str(result.exception)
