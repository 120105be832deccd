"""``swipewise behavior segments`` and ``map`` on a small workspace with a real run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import ArtifactError, DataError, UnknownIdError
from swipewise.training.session import train_workspace
from swipewise.workspace import Workspace
from tests.training.conftest import _filled as _filled
from tests.training.conftest import _one_thread as _one_thread


@pytest.fixture(scope="module")
def trained(_filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("crowd") / "shop"
    shutil.copytree(_filled, root)
    workspace = Workspace.open(root)
    training = replace(workspace.config.training, epochs=1)
    train_workspace(replace(workspace, config=replace(workspace.config, training=training)))
    return workspace


def invoke(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["behavior", *arguments, "-w", str(workspace.root)], catch_exceptions=False)


def test_segments_viewers_and_trend_agree(trained: Workspace) -> None:
    table = json.loads(invoke(trained, "segments", "--json").stdout)
    viewers = json.loads(invoke(trained, "segments", "--viewers", "--json").stdout)
    trend = json.loads(invoke(trained, "segments", "--trend", "week", "--json").stdout)
    assert [row["segment"] for row in table] == list(range(1, len(table) + 1))
    for row in table:
        assert row["viewers"] == sum(viewer["segment"] == row["segment"] for viewer in viewers)
        assert len(row["topics"]) == len(row["lifts"]) <= 3
        assert all(lift > 1 for lift in row["lifts"])
    assert all((viewer["segment"] > 0) == (viewer["interactions"] >= 10) for viewer in viewers)
    assert {row["segment"] for row in trend} == {row["segment"] for row in table}
    lines = invoke(trained, "segments").stdout.splitlines()
    known = sum(row["viewers"] for row in table)
    assert lines[-1].startswith(f"{len(table)} segment")
    assert f"of {known} viewers; too little is known of {len(viewers) - known} more" in lines[-1]
    assert len(json.loads(invoke(trained, "segments", "--count", "3", "--json").stdout)) == 3
    assert "ask for one at a time" in invoke(trained, "segments", "--viewers", "--trend", "day").stderr


def test_the_map_holds_every_video_and_viewer(trained: Workspace, tmp_path: Path) -> None:
    result = invoke(trained, "map", "-o", str(tmp_path / "map.parquet"))
    assert "60 videos and 60 viewers in one plane" in result.stdout
    table = pl.read_parquet(tmp_path / "map.parquet")
    assert table.columns == ["kind", "id", "x", "y", "modality", "segment"]
    assert table["kind"].value_counts().sort("kind").rows() == [("video", 60), ("viewer", 60)]
    assert table.select(pl.col("x", "y").abs().max()).row(0) <= (1.0, 1.0)
    assert table.filter(kind="video")["segment"].null_count() == 60
    assert table.filter(kind="viewer")["segment"].null_count() == 0


def test_without_what_it_takes_the_way_out_is_named(trained: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match="fit a model with 'swipewise train "):
        invoke(Workspace.create(tmp_path / "new"), "segments")
    with pytest.raises(DataError, match="are too few to tell segments, 20 are needed: wait for more behaviour"):
        invoke(trained, "segments", "--least", "1000")


def test_a_model_that_knows_no_tastes_says_so(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from swipewise.training.fitted import FittedModel

    monkeypatch.setattr(FittedModel, "taste_reader", lambda self, catalogue: None)
    with pytest.raises(ArtifactError, match="this model knows none: train again with 500 interactions or more"):
        invoke(trained, "segments")
    drawn = invoke(trained, "map")
    assert "60 videos and 60 viewers in one plane" in drawn.stdout
    assert drawn.stderr.startswith(
        "note: segments are told by tastes, and this model knows none: train again with"
    )
