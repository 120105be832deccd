"""Models over HTTP: listed, published and gone back from while the feed is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from swipewise.feed import stock
from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.feed.conftest import VECTORS
from tests.feed.fakes import FakeScorer


@pytest.fixture
def two_runs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    vectors_VD = np.array(list(VECTORS.values()), np.float32)
    monkeypatch.setattr(stock, "load_scorer", lambda *_: FakeScorer(tuple(VECTORS), vectors_VD))
    for name in ("r1", "r2"):
        folder = workspace.runs_dir / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
        (folder / "run.json").write_text(json.dumps({}))
    return workspace


@pytest.fixture
def manual(two_runs: Workspace) -> Iterator[TestClient]:
    server = replace(two_runs.config.server, publish="manual")
    opened = replace(two_runs, config=replace(two_runs.config, server=server))
    with TestClient(create_app(opened), raise_server_exceptions=False) as client:
        yield client


def test_models_are_published_and_gone_back_from(manual: TestClient, two_runs: Workspace) -> None:
    listed = manual.get("/v1/models").json()
    plain = {"validation_ndcg": None, "published": False, "serving": False}
    assert listed == {"publish": "manual", "models": [{"run": "r2"} | plain, {"run": "r1"} | plain]}
    first = manual.post("/v1/models/r1/publish")
    assert first.status_code == 200
    assert (first.json()["run"], first.json()["serving"], first.json()["width"]) == ("r1", True, 2)
    assert manual.get("/healthz").json()["run"] == "r1"
    assert manual.post("/v1/models/r2/publish").json()["serving"]
    assert [each["serving"] for each in manual.get("/v1/models").json()["models"]] == [True, False]
    back = manual.post("/v1/models/rollback").json()
    assert (back["run"], back["serving"]) == ("r1", True)
    assert manual.post("/v1/models/rollback").status_code == 404
    missing = manual.post("/v1/models/r9/publish")
    assert missing.status_code == 404
    assert missing.json()["error"].startswith("no finished run 'r9'")


def test_a_run_that_does_not_hold_together_is_refused(manual: TestClient, two_runs: Workspace) -> None:
    manual.post("/v1/models/r1/publish")
    manual.post("/v1/models/r2/publish")
    Path(two_runs.runs_dir / "r1" / "model.safetensors").write_text("other")
    refused = manual.post("/v1/models/rollback")
    assert refused.status_code == 409
    assert "model.safetensors is not what was published: its digest differs" in refused.json()["error"]
    assert manual.get("/healthz").json()["run"] == "r2"


def test_the_newest_is_served_by_default(two_runs: Workspace) -> None:
    with TestClient(create_app(two_runs)) as client:
        assert client.get("/healthz").json()["run"] == "r2"
        refused = client.post("/v1/models/r1/publish")
        assert refused.status_code == 409
        assert 'set publish = "manual" in [server]' in refused.json()["error"]
