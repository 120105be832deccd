from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.feed import stock
from swipewise.workspace import Workspace
from tests.feed.fakes import FakeScorer


def test_models_are_listed_published_and_gone_back_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "swipewise.toml").write_text('[server]\npublish = "manual"\n')
    runs = Workspace.open(tmp_path).runs_dir
    monkeypatch.setattr(stock, "load_scorer", lambda *_: FakeScorer("ab", np.eye(2, dtype=np.float32)))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli, ["models", *arguments, "-w", str(tmp_path)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    assert run("list") == f"no finished run yet: 'swipewise train -w {tmp_path}'\n"
    for name in ("r1", "r2"):
        (runs / name).mkdir(parents=True)
        (runs / name / "model.safetensors").touch()
        (runs / name / "run.json").write_text(json.dumps({"figures": {"validation_ndcg@10": 0.125}}))
    assert run("publish", "r1") == "published r1\n"
    assert json.loads(run("publish", "r2", "--json"))["run"] == "r2"
    assert run("list").splitlines() == [
        "r2  validation NDCG@10 0.1250  published",
        "r1  validation NDCG@10 0.1250",
    ]
    assert run("rollback") == "published r1\n"
    assert [each["published"] for each in json.loads(run("list", "--json"))] == [False, True]
