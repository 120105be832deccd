from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.errors import DataError, InputFileError
from swipewise.schema import Action, Col
from swipewise.training.split import split_by_time
from swipewise.workspace import Workspace
from tests.datasets.folders import array, as_json, dataset, interactions, into, write

INTER = (
    "userID\titemID\trating\ttimestamp\tx_label",
    "0\t2\t5.0\t1375660800\t0",
    "0\t0\t1.0\t1375660900\t2",
    "1\t1\t4.0\t1375660700\t0",
)
START = datetime(2020, 1, 1, tzinfo=UTC)


def pairs(target: Path) -> list[tuple[str, str]]:
    rows = interactions(target)
    return list(zip(rows[Col.VIEWER_ID], rows[Col.VIDEO_ID], strict=True))


def test_interactions_with_times_are_likes(tmp_path: Path) -> None:
    write(tmp_path / "baby/baby.inter", *INTER)
    done = into("mmrec", tmp_path / "baby", tmp_path / "shop")
    rows = interactions(tmp_path / "shop")
    assert pairs(tmp_path / "shop") == [("0", "2"), ("0", "0"), ("1", "1")]
    assert rows[Action.LIKE].all()
    assert rows[Col.AT][0] == datetime.fromtimestamp(1375660800, UTC)
    assert (done.positives, done.videos, done.vectors) == (3, 3, {})
    assert any("x_label was left out" in note for note in done.notes)


def test_recbole_writes_the_header_with_types(tmp_path: Path) -> None:
    write(tmp_path / "a/a.inter", "user_id:token\titem_id:token\ttimestamp:float", "0\t2\t1375660800")
    into("mmrec", tmp_path / "a", tmp_path / "shop")
    assert pairs(tmp_path / "shop") == [("0", "2")]


def test_without_times_the_order_stands_in(tmp_path: Path) -> None:
    write(tmp_path / "a/a.inter", "userID\titemID", "1\t4", "0\t3", "1\t2", "1\t4")
    into("mmrec", tmp_path / "a", tmp_path / "shop")
    assert pairs(tmp_path / "shop") == [("0", "3"), ("1", "4"), ("1", "2"), ("1", "4")]


@pytest.mark.parametrize("form", ["inter", "json"])
def test_the_parts_of_a_split_become_periods_that_the_split_finds_again(tmp_path: Path, form: str) -> None:
    source = tmp_path / "tiktok"
    train = {"0": [3, 1, 2, 0], "1": [2, 1]}
    if form == "json":
        as_json(source / "train.json", train)
        as_json(source / "val.json", {"0": [4], "1": []})
        as_json(source / "test.json", {"0": [], "1": [4, 3, 0]})
    else:
        rows = [f"{user}\t{item}\t0" for user, items in train.items() for item in items]
        later = ["1\t4\t2", "0\t4\t1", "1\t3\t2", "1\t0\t2"]
        write(source / "x.inter", "userID\titemID\tx_label", *later, *rows)
    into("mmrec", source, tmp_path / "shop")
    rows_of_1 = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "1")
    assert rows_of_1[Col.VIDEO_ID].to_list() == ["2", "1", "4", "3", "0"]
    month = timedelta(days=30)
    assert rows_of_1[Col.AT].to_list() == [
        START + month * p for p in (1 / 4, 3 / 4, 2 + 1 / 6, 2 + 3 / 6, 2 + 5 / 6)
    ]
    config = Workspace.open(tmp_path / "shop").config
    assert (config.split.validation, config.split.test) == (1 / 10, 3 / 10)
    split = split_by_time(dataset(tmp_path / "shop"), config.split)
    assert [len(part.interactions) for part in (split.train, split.validation, split.test)] == [6, 1, 3]


def test_arrays_belong_to_items_from_zero_and_bring_items_nobody_liked(tmp_path: Path) -> None:
    write(tmp_path / "baby/baby.inter", *INTER)
    values = np.array([[70_000.0, 1], [2, 2], [3, 3], [4, 4]])
    array(tmp_path / "baby/image_feat.npy", values, "float64")
    array(tmp_path / "baby/audio_feat.npy", np.full((4, 3), 300.0), "float16")
    done = into("mmrec", tmp_path / "baby", tmp_path / "shop")
    assert (done.videos, done.vectors) == (4, {"visual": 4, "audio": 4})
    loaded = dataset(tmp_path / "shop")
    assert loaded.content["visual"].values_VD.tolist() == values.tolist()
    # 300² would be infinite in float16
    assert np.linalg.norm(loaded.content["audio"].values_VD, axis=1) == pytest.approx(300 * 3**0.5)
    config = Workspace.open(tmp_path / "shop").config.encoders
    assert (config.visual, config.audio, config.text) == ("dataset", "dataset", "none")


def test_an_array_of_zeros_is_no_modality(tmp_path: Path) -> None:
    write(tmp_path / "baby/baby.inter", *INTER)
    array(tmp_path / "baby/text_feat.npy", np.zeros((3, 2)))
    done = into("mmrec", tmp_path / "baby", tmp_path / "shop")
    assert (done.vectors, dataset(tmp_path / "shop").content) == ({}, {})
    assert done.left_out == {"rows of zeros in text_feat.npy: no vector": 3}


def test_arrays_that_do_not_fit_are_errors(tmp_path: Path) -> None:
    source = tmp_path / "baby"
    write(source / "baby.inter", *INTER)
    array(source / "image_feat.npy", np.ones((2, 2)))
    with pytest.raises(DataError, match=r"image_feat\.npy: 2 rows, where items 0 to 2 need at least 3"):
        into("mmrec", source, tmp_path / "shop")
    array(source / "image_feat.npy", np.ones((3, 2)))
    array(source / "text_feat.npy", np.ones((4, 2)))
    with pytest.raises(DataError, match=r"image_feat\.npy: 3 rows, but text_feat\.npy has 4"):
        into("mmrec", source, tmp_path / "shop")
    write(source / "baby.inter", "userID\titemID", "0\tB00X")
    with pytest.raises(DataError, match=r"baby\.inter: item 'B00X' is no index from 0"):
        into("mmrec", source, tmp_path / "shop")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("userID\titemID\tx_label", "0\t1\t7"), r"row 2: x_label = 7\.0 must be 0, 1 or 2"),
        (("userID\titemID", "0\t1", "nan\t2"), "row 3: userID is empty"),
        (("userID\titemID\ttimestamp", "0\t1\t-3"), "row 2: timestamp = '-3' lies outside the years"),
        (("userID\titemID",), "holds no interactions"),
    ],
)
def test_rows_that_cannot_be_name_line_and_value(tmp_path: Path, lines: tuple[str, ...], fault: str) -> None:
    write(tmp_path / "a/a.inter", *lines)
    with pytest.raises(DataError, match=rf"a\.inter(, |: ){fault}"):
        into("mmrec", tmp_path / "a", tmp_path / "shop")


def test_wrong_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a/a.inter", "user\titem", "0\t1")
    with pytest.raises(InputFileError, match=r"a\.inter: no column 'userID'; it has user, item: rename 'user'"):
        into("mmrec", tmp_path / "a", tmp_path / "shop")
    as_json(tmp_path / "b/train.json", {"0": 3})
    with pytest.raises(InputFileError, match=r"train\.json: user '0' has 3, where a list of items is needed"):
        into("mmrec", tmp_path / "b", tmp_path / "shop")
    as_json(tmp_path / "b/train.json", {"0": [None]})
    with pytest.raises(DataError, match=r"train\.json: user '0' has the item None, which is no id"):
        into("mmrec", tmp_path / "b", tmp_path / "shop")
    as_json(tmp_path / "b/train.json", 5)
    with pytest.raises(InputFileError, match=r"train\.json: must be a map"):
        into("mmrec", tmp_path / "b", tmp_path / "shop")
    write(tmp_path / "b/train.json", "{")
    with pytest.raises(InputFileError, match=r"train\.json: cannot be read as JSON"):
        into("mmrec", tmp_path / "b", tmp_path / "shop")
    write(tmp_path / "c/notes.txt", "")
    with pytest.raises(InputFileError, match=r"no interactions \(\*\.inter or train\.json\); there is notes\.txt"):
        into("mmrec", tmp_path / "c", tmp_path / "shop")
