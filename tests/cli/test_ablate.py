"""``swipewise ablate`` on a small workspace."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import DataError, WorkspaceError
from swipewise.workspace import Workspace
from tests.training.conftest import _filled as _filled
from tests.training.conftest import _one_thread as _one_thread
from tests.training.conftest import shop as shop


def run_ablate(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ablate", "-w", str(workspace.root), "--epochs", "1", *arguments])


def test_prints_the_variants_writes_the_page_and_goes_on_where_it_was(shop: Workspace) -> None:
    result = run_ablate(shop, "--parts", "text")
    assert result.exit_code == 0, result.output
    for word in ("full model", "without text", "Cold viewers"):
        assert word in result.stdout
    assert result.stderr.splitlines() == [
        "  1 of 2  full, seed 0: training",
        "  2 of 2  text, seed 0: training",
    ]
    directory = shop.root / "ablations"
    assert str(directory / "index.html") in result.stdout.replace("\n", "")
    first = json.loads((directory / "report.json").read_bytes())
    assert {path.name for path in (directory / "variants").iterdir()} == {"full-seed0.json", "text-seed0.json"}

    again = run_ablate(shop, "--only", "text, trends", "--json")
    assert again.stderr.splitlines() == [
        "  1 of 3  full, seed 0: finished earlier",
        "  2 of 3  text, seed 0: finished earlier",
        "  3 of 3  trends, seed 0: training",
    ]
    report = json.loads(again.stdout)
    assert report == json.loads((directory / "report.json").read_bytes())
    assert report["segments"] == first["segments"]
    assert [variant["name"] for variant in report["variants"]] == ["text", "trends"]

    fresh = run_ablate(shop, "--parts", "text", "--fresh", "--json")
    assert "finished earlier" not in fresh.stderr
    assert json.loads(fresh.stdout)["segments"] == first["segments"]  # the very same figures


def test_an_unknown_part_lists_those_there_are(shop: Workspace) -> None:
    result = run_ablate(shop, "--parts", "sond")
    assert isinstance(result.exception, DataError)
    assert "choose among visual, text, attributes, id, sequence" in str(result.exception)


def test_two_ablations_at_once_are_refused(shop: Workspace) -> None:
    with shop.lock("ablate"):
        result = run_ablate(shop)
    with pytest.raises(WorkspaceError, match="another process is running 'ablate'"):
        raise result.exception or AssertionError
