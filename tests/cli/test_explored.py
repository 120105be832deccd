"""``swipewise explored`` judges policies by what was drawn."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import DataError
from swipewise.workspace import Workspace
from tests.evaluation.test_off_policy import shop as shop


def invoke(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["explored", *arguments, "-w", str(workspace.root)], catch_exceptions=False)


def test_policies_are_judged(shop: Workspace, tmp_path: Path) -> None:
    told = invoke(shop, "--export", str(tmp_path / "places.parquet")).stdout.splitlines()
    assert told[0] == "4 places drawn, 2 of them met; long_view:"
    assert [line[2:25].strip() for line in told[1:]] == [
        "softmax temperature=0.5",
        "softmax temperature=1",
        "softmax temperature=2",
        "uniform",
        "greedy",
    ]
    assert pl.read_parquet(tmp_path / "places.parquet")["reward"].to_list() == [0.0, 1.0, 0.0, 0.0]


def test_json(shop: Workspace) -> None:
    found = json.loads(invoke(shop, "--metric", "like", "--temperature", "3", "--met-only", "--json").stdout)
    assert (found["metric"], found["places"]) == ("like", 4)
    assert [each["policy"] for each in found["policies"]] == ["softmax temperature=3", "uniform", "greedy"]
    uniform = found["policies"][1]
    # Of the two that were met b was drawn of three with a half, a of two; just b was liked.
    assert uniform["places"] == 2
    assert uniform["ips"]["value"] == pytest.approx((1 / 3 / 0.5 * 1 + 1 / 2 / 0.5 * 0) / 2)


def test_nothing_was_drawn_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no drawn place to tell from"):
        invoke(Workspace.create(tmp_path / "new"))
