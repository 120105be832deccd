"""The workers of a Ray cluster make the feeds that an engine here makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import swipewise
from swipewise.errors import ConfigError
from swipewise.feed.batch import feeds_in_blocks
from swipewise.feed.engine import FeedEngine
from swipewise.feed.on_ray import FeedMaker, _by_number, feeds_on_ray
from swipewise.schema import Col
from swipewise.workspace import Workspace
from tests.clusters import ray_cluster

# Settings of Ray Data that Ray itself still reads.
pytestmark = pytest.mark.filterwarnings("ignore:`use_.*` is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster on this machine, as one that was there before."""
    with ray_cluster():
        yield


@pytest.mark.slow
def test_feeds_are_those_of_an_engine_here_in_the_order_of_the_viewers(
    workspace: Workspace, cluster: None
) -> None:
    (workspace.root / "swipewise.toml").write_text("[feed]\nexplore = 0.0\n")
    shop = Workspace.open(workspace.root)
    viewers = [f"viewer{number}" for number in (3, 1, 2, 5, 4)]
    with FeedEngine.open(shop) as engine:
        expected = list(feeds_in_blocks(engine, viewers, size=3, block=2))
    found = list(feeds_on_ray(shop, viewers, size=3, block=2, workers=2))
    assert [frame[Col.VIEWER_ID].unique(maintain_order=True).to_list() for frame in found] == [
        ["viewer3", "viewer1"],
        ["viewer2", "viewer5"],
        ["viewer4"],
    ]
    for one, other in zip(expected, found, strict=True):
        assert_frame_equal(one, other, abs_tol=1e-6)


def test_nobody_has_no_feeds(workspace: Workspace) -> None:
    assert list(feeds_on_ray(workspace, [])) == []


def test_a_block_without_a_feed_is_an_empty_frame() -> None:
    row = {Col.VIEWER_ID: "ann", Col.POSITION: 1, Col.VIDEO_ID: "a", Col.SCORE: 1.0, Col.SOURCE: "popular"}
    made = pl.DataFrame([{**row, Col.PROPENSITY: 1.0, Col.LEVEL: "popular", "block": 1}]).to_arrow()
    assert [len(frame) for frame in _by_number(iter([made]), 3)] == [0, 1, 0]


def test_a_machine_without_the_workspace_or_with_another_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"has no .*nowhere: put the workspace into a folder that all of its machines"
    ):
        FeedMaker(str(tmp_path / "nowhere"), None, swipewise.__version__)
    with pytest.raises(ConfigError, match=r"runs Swipewise .*, the command 0\.0\.1: install the same"):
        FeedMaker(str(tmp_path), None, "0.0.1")


@pytest.mark.slow
def test_an_error_of_a_worker_is_the_commands(workspace: Workspace, cluster: None, tmp_path: Path) -> None:
    gone = replace(workspace, root=tmp_path / "gone")
    with pytest.raises(
        ConfigError, match=r"^[^\n]*a machine of the Ray cluster, has no .*gone: put the workspace"
    ):
        list(feeds_on_ray(gone, ["ann"]))
