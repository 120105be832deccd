"""What holds of every conversion: a workspace is whole or not there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.config import Config
from swipewise.datasets.convert import convert
from swipewise.datasets.layouts import LAYOUTS
from swipewise.errors import WorkspaceError
from swipewise.training.workspace_data import chosen_encoders
from swipewise.workspace import Workspace
from tests.datasets.folders import array, interactions, into, kuairand, log_row, write


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "baby/baby.inter", "userID\titemID", "0\t1", "0\t0", "1\t1")
    array(tmp_path / "baby/image_feat.npy", [[1.0, 0.0], [0.0, 1.0]])
    return tmp_path / "baby"


def test_vectors_are_found_under_the_encoder_of_data_sets(tmp_path: Path, source: Path) -> None:
    into("mmrec", source, tmp_path / "shop")
    workspace = Workspace.open(tmp_path / "shop")
    catalog = Catalog(workspace.catalog_dir)
    assert chosen_encoders(workspace, catalog) == {"visual": "dataset@1"}
    assert catalog.encoded()["0"] == {"visual:dataset@1"}


def test_the_configuration_differs_from_the_defaults_only_where_it_must(tmp_path: Path) -> None:
    into("kuairand", kuairand(tmp_path / "kuai", log_row()), tmp_path / "shop")
    text = (tmp_path / "shop/swipewise.toml").read_text()
    assert text.startswith("# Made by 'swipewise datasets kuairand'")
    config, default = Config.load(tmp_path / "shop/swipewise.toml"), Config()
    assert (config.events.positive, config.events.positive_watch_ratio) == (("finish",), 1e6)
    assert {config.encoders.visual, config.encoders.audio, config.encoders.text} == {"none"}
    assert (config.model, config.training, config.split, config.feed) == (
        default.model, default.training, default.split, default.feed,
    )  # fmt: skip


@pytest.mark.parametrize("there", ["notes.txt", "swipewise.toml"])
def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, source: Path, there: str) -> None:
    write(tmp_path / "shop" / there, "mine")
    with pytest.raises(WorkspaceError, match=rf"shop holds '{there}': a data set needs a workspace of its own"):
        into("mmrec", source, tmp_path / "shop")
    assert (tmp_path / "shop" / there).read_text() == "mine\n"
    write(tmp_path / "file", "mine")
    with pytest.raises(WorkspaceError, match="file is a file"):
        into("mmrec", source, tmp_path / "file")


def test_an_empty_folder_and_folders_that_do_not_exist_will_do(tmp_path: Path, source: Path) -> None:
    (tmp_path / "empty").mkdir()
    into("mmrec", source, tmp_path / "empty")
    into("mmrec", source, tmp_path / "new/deep/shop")
    assert len(interactions(tmp_path / "empty")) == len(interactions(tmp_path / "new/deep/shop")) == 3


@pytest.mark.parametrize("stage", ["interactions", "videos and vectors", "profiles"])
def test_an_interrupted_conversion_leaves_nothing_and_can_be_rerun(
    tmp_path: Path, source: Path, stage: str
) -> None:
    def interrupt(doing: str, done: int, total: int | None) -> None:
        if doing == stage:
            raise KeyboardInterrupt

    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        convert(LAYOUTS["mmrec"], source, tmp_path / "shop", on_progress=interrupt)
    assert set(tmp_path.iterdir()) == before
    assert into("mmrec", source, tmp_path / "shop").interactions == 3


def test_what_a_killed_conversion_left_is_cleared_away(tmp_path: Path, source: Path) -> None:
    write(tmp_path / ".shop.converting/events/history/part", "half")
    write(tmp_path / ".shop.converting/swipewise.toml", "half")
    into("mmrec", source, tmp_path / "shop")
    assert not (tmp_path / ".shop.converting").exists()
    assert not (tmp_path / "shop/events/history/part").exists()


def test_two_conversions_into_one_place_do_not_meet(tmp_path: Path, source: Path) -> None:
    (tmp_path / ".shop.converting").mkdir()
    descriptor = os.open(tmp_path / ".shop.converting", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(WorkspaceError, match=r"another process is converting into .*shop: wait for it to end"):
        into("mmrec", source, tmp_path / "shop")
    os.close(descriptor)
    assert into("mmrec", source, tmp_path / "shop").interactions == 3


def test_a_workspace_that_appeared_meanwhile_is_left_alone(tmp_path: Path, source: Path) -> None:
    def appear(doing: str, done: int, total: int | None) -> None:
        write(tmp_path / "shop/swipewise.toml", "mine")

    with pytest.raises(WorkspaceError, match=r"shop holds 'swipewise\.toml'"):
        convert(LAYOUTS["mmrec"], source, tmp_path / "shop", on_progress=appear)
    assert (tmp_path / "shop/swipewise.toml").read_text() == "mine\n"


def test_progress_reaches_its_total(tmp_path: Path, source: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    convert(LAYOUTS["mmrec"], source, tmp_path / "shop", on_progress=lambda *state: told.append(state))
    assert told == [
        ("interactions", 0, 3), ("interactions", 3, 3), ("videos and vectors", 0, None), ("profiles", 0, None),
    ]  # fmt: skip
