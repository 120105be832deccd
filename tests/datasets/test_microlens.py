from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import DataError, InputFileError
from swipewise.schema import Action, Col, Modality
from swipewise.workspace import Workspace
from tests.datasets.folders import array, dataset, interactions, into, write

PAIRS = ("user,item,timestamp", "1,3,1583378629552", "1,1,1584541627032", "2,2,1583378629553", "2,3,1583378629554")


def microlens(folder: Path, *pairs: str) -> Path:
    write(folder / "MicroLens-100k_pairs.csv", *(pairs or PAIRS))
    write(
        folder / "MicroLens-100k_title_en.csv", "item,title", '1,"A cat, and a dog"', "2,Sea, sun", "3,", "4,Rain"
    )
    write(folder / "MicroLens-100k_likes_and_views.txt", "1\t10\t100", "2\t5\t50")
    write(folder / "tags_to_summary.csv", "1,Animals", "2,Travel")
    return folder


def test_pairs_are_comments_with_their_times(tmp_path: Path) -> None:
    done = into("microlens", microlens(tmp_path / "lens"), tmp_path / "shop")
    rows = interactions(tmp_path / "shop")
    assert list(zip(rows[Col.VIEWER_ID], rows[Col.VIDEO_ID], strict=True)) == [
        ("1", "3"), ("1", "1"), ("2", "2"), ("2", "3"),
    ]  # fmt: skip
    assert rows[Action.COMMENT].all()
    assert rows[Col.AT].dt.epoch("ms")[0] == 1583378629552
    assert (done.videos, done.viewers, done.interactions, done.positives) == (4, 2, 4, 4)
    assert done.files == {
        "MicroLens-100k_pairs.csv": "interactions",
        "MicroLens-100k_title_en.csv": "titles",
        "tags_to_summary.csv": "categories",
    }
    assert any("likes_and_views.txt was left out" in note for note in done.notes)


def test_titles_become_captions_that_are_encoded(tmp_path: Path) -> None:
    done = into("microlens", microlens(tmp_path / "lens"), tmp_path / "shop")
    workspace = Workspace.open(tmp_path / "shop")
    catalog = Catalog(workspace.catalog_dir)
    captions = {row[Col.VIDEO_ID]: row[Col.CAPTION] for row in catalog.videos().iter_rows(named=True)}
    assert captions == {"1": "A cat, and a dog", "2": "Sea, sun", "3": None, "4": "Rain"}
    assert catalog.get("1").tags == ("Animals",)
    assert done.vectors == {"text": 3}
    assert workspace.config.encoders.text == "descriptor"
    assert dataset(tmp_path / "shop").content["text"].present_V.tolist() == [True, True, False, True]


def test_the_order_of_a_tsv_stands_in_for_times(tmp_path: Path) -> None:
    write(tmp_path / "lens/ks_pairs.tsv", "7\t5 4 5 1", "8\t2")
    done = into("microlens", tmp_path / "lens", tmp_path / "shop")
    rows = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "7")
    assert rows[Col.VIDEO_ID].to_list() == ["5", "4", "5", "1"]
    gaps = rows[Col.AT].diff().drop_nulls()
    assert set(gaps) == {timedelta(days=30) / 4}
    assert rows[Col.AT][0] == datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=30) / 8
    assert any("ks_pairs.tsv has no times" in note for note in done.notes)


def test_arrays_belong_to_items_from_one(tmp_path: Path) -> None:
    source = microlens(tmp_path / "lens")
    features = source / "extracted_modality_features"
    array(features / "MicroLens-100k_video_features_VideoMAE.npy", [[1, 1], [2, 2], [3, 3], [0, 0]], "float16")
    array(features / "MicroLens-100k_image_features_CLIPRN50.npy", np.ones((4, 5)))
    array(features / "MicroLens-100k_title_en_text_features_BgeM3.npy", np.eye(4))
    done = into("microlens", source, tmp_path / "shop")
    assert done.vectors == {"visual": 3, "text": 4}
    assert done.left_out == {"rows of zeros in MicroLens-100k_video_features_VideoMAE.npy: no vector": 1}
    assert any("image_features_CLIPRN50.npy was left out" in note for note in done.notes)
    content = dataset(tmp_path / "shop").content
    assert content[Modality.VISUAL].values_VD.tolist() == [[1, 1], [2, 2], [3, 3], [0, 0]]
    assert content[Modality.VISUAL].present_V.tolist() == [True, True, True, False]
    assert content[Modality.TEXT].values_VD.tolist() == np.eye(4).tolist()


@pytest.mark.parametrize(("rows", "first"), [(5, 0), (4, 1)])
def test_an_array_may_have_a_row_for_item_zero(tmp_path: Path, rows: int, first: int) -> None:
    source = microlens(tmp_path / "lens")
    array(source / "image_feat.npy", [[1 + row] for row in range(rows)])
    into("microlens", source, tmp_path / "shop")
    loaded = dataset(tmp_path / "shop")
    vectors = dict(zip(loaded.video_ids, loaded.content["visual"].values_VD[:, 0].tolist(), strict=True))
    assert vectors == {str(first + row): 1 + row for row in range(rows)}


def test_an_array_of_another_version_is_an_error(tmp_path: Path) -> None:
    source = microlens(tmp_path / "lens")
    array(source / "image_feat.npy", np.ones((7, 2)))
    with pytest.raises(DataError, match=r"image_feat\.npy: 7 rows, where items 1 to 4 need 4"):
        into("microlens", source, tmp_path / "shop")
    microlens(source, *PAIRS, "3,0,1583378629555")
    array(source / "image_feat.npy", np.ones((4, 2)))
    with pytest.raises(DataError, match=r"image_feat\.npy: 4 rows, where items 0 to 4 need 5"):
        into("microlens", source, tmp_path / "shop")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("nan,3,1583378629552", "row 3: user is empty"),
        ("1,3,-1", "row 3: timestamp = '-1' lies outside the years"),
    ],
)
def test_a_pair_that_cannot_be_names_its_line_and_value(tmp_path: Path, row: str, fault: str) -> None:
    with pytest.raises(DataError, match=rf"MicroLens-100k_pairs\.csv, {fault}"):
        into("microlens", microlens(tmp_path / "lens", *PAIRS[:2], row), tmp_path / "shop")


def test_wrong_files_are_named(tmp_path: Path) -> None:
    source = microlens(tmp_path / "lens", "user,video,timestamp", "1,2,3")
    with pytest.raises(InputFileError, match=r"MicroLens-100k_pairs\.csv: no column 'item'"):
        into("microlens", source, tmp_path / "shop")
    microlens(source)
    write(source / "MicroLens-100k_title_en.csv", "1,a", "1,b")
    with pytest.raises(DataError, match=r"title_en\.csv: item '1' stands in more than one row"):
        into("microlens", source, tmp_path / "shop")
    write(source / "MicroLens-100k_title_en.csv", "1,a", "2")
    with pytest.raises(InputFileError, match=r"title_en\.csv, row 2: 1 fields, 2 are needed"):
        into("microlens", source, tmp_path / "shop")
    write(tmp_path / "seq/x_pairs.tsv", "1\t2 3", "2\t ")
    with pytest.raises(DataError, match=r"x_pairs\.tsv, row 2: no items behind the user"):
        into("microlens", tmp_path / "seq", tmp_path / "shop")
    write(tmp_path / "names/x_pairs.csv", "user,item,timestamp", "1,abc,1583378629552")
    array(tmp_path / "names/image_feat.npy", [[1.0]])
    with pytest.raises(DataError, match="item 'abc' is no number"):
        into("microlens", tmp_path / "names", tmp_path / "shop")
