"""The truth of a simulated world is read back from its folder, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.errors import InputFileError, UnknownIdError
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.simulate.truth import TRUTH_NAME, WORLD_NAME, Truth, truth_table
from swipewise.simulate.world import NO_SHIFT, World, WorldConfig, draw_world

CONFIG = WorldConfig(videos=30, viewers=20, seed=5)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(CONFIG)


@pytest.fixture
def folder(tmp_path: Path, world: World) -> Path:
    """What ``write_world`` leaves of the truth."""
    (tmp_path / WORLD_NAME).write_text(json.dumps(world.config.as_dict()), encoding="utf-8")
    truth_table(world).write_parquet(tmp_path / TRUTH_NAME)
    return tmp_path


def test_what_was_written_is_read_back(folder: Path, world: World) -> None:
    truth = Truth.load(folder)
    assert truth.world.config == CONFIG
    assert np.array_equal(truth.weights(world.viewer_ids), world.weight_UM)
    at_U = np.full(CONFIG.viewers, CONFIG.start_ms)
    utility_UV = world.utility(np.arange(CONFIG.viewers), at_U)
    assert np.array_equal(truth.utilities(world.viewer_ids, world.video_ids, at_U), utility_UV)


def test_viewers_and_videos_are_asked_for_by_id_in_any_order(world: World) -> None:
    truth = Truth(world)
    at = np.array([CONFIG.start_ms, CONFIG.start_ms])
    found = truth.utilities(["viewer00007", "viewer00002"], ["clip00011", "clip00003", "clip00011"], at)
    assert np.array_equal(found, world.utility(np.array([7, 2]), at)[:, [11, 3, 11]])
    assert np.array_equal(truth.weights(["viewer00007", "viewer00002"]), world.weight_UM[[7, 2]])


def test_utilities_change_at_the_moment_of_the_shift_and_not_before(world: World) -> None:
    shifting = int(np.flatnonzero(world.shift_at_U != NO_SHIFT)[0])
    moment = world.shift_at_U[shifting]
    at = np.array([CONFIG.start_ms, moment - 1, moment, moment + 1])
    first, before, after, later = Truth(world).utilities([world.viewer_ids[shifting]] * 4, world.video_ids, at)
    assert np.array_equal(first, before)
    assert not np.allclose(before, after)
    assert np.array_equal(after, later)


def test_the_table_tells_weights_tastes_and_shift_of_every_viewer(world: World) -> None:
    table = truth_table(world)
    assert table[Col.VIEWER_ID].to_list() == world.viewer_ids
    weights = table.select(f"weight_{modality}" for modality in CONTENT_MODALITIES).to_numpy()
    assert np.array_equal(weights, world.weight_UM)
    for m, modality in enumerate(CONTENT_MODALITIES):
        for name, planted in (("taste", world.taste_UMT), ("shifted_taste", world.shifted_taste_UMT)):
            assert np.array_equal(np.stack(table[f"{name}_{modality}"].to_list()), planted[:, m])
    never = (world.shift_at_U == NO_SHIFT).tolist()
    assert table[Col.SHIFT_AT].is_null().to_list() == never
    known = table[Col.SHIFT_AT].drop_nulls().dt.epoch("ms").to_list()
    assert known == world.shift_at_U[world.shift_at_U != NO_SHIFT].tolist()


def test_an_id_of_another_world_is_named(world: World) -> None:
    truth, at = Truth(world), np.array([CONFIG.start_ms])
    with pytest.raises(UnknownIdError, match="viewer 'ann' is not of this simulated world: name the folder"):
        truth.weights(["viewer00000", "ann"])
    with pytest.raises(UnknownIdError, match="viewer 'viewer00020' is not of this simulated world"):
        truth.utilities(["viewer00020"], ["clip00000"], at)
    with pytest.raises(UnknownIdError, match="video 'clip00030' is not of this simulated world"):
        truth.utilities(["viewer00000"], ["clip00030"], at)


@pytest.mark.parametrize("name", [TRUTH_NAME, WORLD_NAME])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_missing_or_damaged_file_names_the_way_out(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(InputFileError, match=f"{folder} holds no simulated world .*'swipewise simulate {folder}'"):
        Truth.load(folder)


@pytest.mark.parametrize("recorded", ["[]", '{"vidoes": 3}', '{"videos": "many"}', '{"videos": -1}'])
def test_settings_that_make_no_world_name_the_way_out(folder: Path, recorded: str) -> None:
    (folder / WORLD_NAME).write_text(recorded)
    with pytest.raises(InputFileError, match="holds no simulated world"):
        Truth.load(folder)


@pytest.mark.parametrize("setting", [{"seed": 6}, {"videos": 31}, {"viewers": 21}])
def test_settings_that_are_not_the_ones_of_the_truth_are_noticed(folder: Path, setting: dict[str, int]) -> None:
    (folder / WORLD_NAME).write_text(json.dumps(CONFIG.as_dict() | setting))
    with pytest.raises(InputFileError, match="differs from what this version draws from the same seed"):
        Truth.load(folder)


def test_a_tampered_truth_is_noticed_and_the_message_makes_the_same_world_again(folder: Path) -> None:
    table = pl.read_parquet(folder / TRUTH_NAME)
    table.with_columns(pl.col("weight_visual").reverse()).write_parquet(folder / TRUTH_NAME)
    again = f"'swipewise simulate {folder} --videos 30 --viewers 20 --days 30 --seed 5'"
    with pytest.raises(InputFileError, match=f"{TRUTH_NAME} differs from what this version draws .*{again}"):
        Truth.load(folder)


def test_the_truth_of_a_world_with_taste_groups_names_them(tmp_path: Path) -> None:
    world = draw_world(WorldConfig(videos=12, viewers=9, taste_groups=3))
    table = truth_table(world)
    assert table["taste_group"].to_list() == world.taste_group_U.tolist()
    table.write_parquet(tmp_path / "truth.parquet")
    (tmp_path / "world.json").write_text(json.dumps(world.config.as_dict()))
    assert np.array_equal(Truth.load(tmp_path).world.taste_UMT, world.taste_UMT)
    assert "taste_group" not in truth_table(draw_world(WorldConfig(videos=12, viewers=9))).columns
