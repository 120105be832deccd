from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import DataError, InputFileError
from swipewise.events import read_profiles
from swipewise.schema import Action, Col
from swipewise.workspace import Workspace
from tests.datasets.folders import array, dataset, interactions, into, write

INTERACTIONS = (
    "viewer_id,video_id,at,watch_seconds,like,skip",
    "ann,a,2026-03-02T10:00:00Z,9,0,0",
    "ann,b,1772445700,2,0,1",
    "bob,a,2026-03-02T12:00:00+01:00,,1,0",
)
VIDEOS = (
    "video_id,caption,creator,tags,uploaded_at,duration_seconds,width,mood",
    "b,,zoe,,,,,sad",
    "a,Cats,,cats|fun,2026-03-01,10,720,glad",
    "c,,,,,,,",
)


def generic(folder: Path) -> Path:
    write(folder / "interactions.csv", *INTERACTIONS)
    write(folder / "videos.csv", *VIDEOS)
    write(folder / "viewers.jsonl", '{"viewer_id": "ann", "age": 30, "likes": ["sea"]}', '{"viewer_id": "cy"}')
    return folder


def test_tables_become_a_workspace(tmp_path: Path) -> None:
    done = into("generic", generic(tmp_path / "mine"), tmp_path / "shop")
    assert (done.videos, done.viewers, done.profiles, done.interactions) == (3, 3, 2, 3)
    rows = interactions(tmp_path / "shop")
    assert rows[Col.WATCH_RATIO].to_list() == [0.9, None, None]
    assert (rows[Action.LIKE].to_list(), rows[Action.SKIP].to_list()) == (
        [False, False, True],
        [False, True, False],
    )
    assert [f"{at:%H:%M:%S}" for at in rows[Col.AT]] == ["10:00:00", "10:01:40", "11:00:00"]
    workspace = Workspace.open(tmp_path / "shop")
    video = Catalog(workspace.catalog_dir).get("a")
    assert (video.caption, video.tags, video.duration_seconds, video.width) == ("Cats", ("cats", "fun"), 10.0, 720)
    assert video.uploaded_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert read_profiles(workspace.events_dir).row(0, named=True) == {
        "viewer_id": "ann",
        "age": 30,
        "likes": ["sea"],
    }
    assert done.notes == ("columns of videos.csv that were left out: mood",)


def test_positives_are_counted_as_training_counts_them(tmp_path: Path) -> None:
    done = into("generic", generic(tmp_path / "mine"), tmp_path / "shop")
    assert done.positives == dataset(tmp_path / "shop").interactions.positive_I.sum() == 2  # watched 90%, liked


def test_without_actions_everything_is_liked_and_an_order_stands_in_for_times(tmp_path: Path) -> None:
    frame = pl.DataFrame({"viewer_id": [1, 1, 2], "video_id": [7, 8, 7], "order": [2.5, -1.0, 0.0]})
    (tmp_path / "mine").mkdir()
    frame.write_parquet(tmp_path / "mine/interactions.parquet")
    done = into("generic", tmp_path / "mine", tmp_path / "shop")
    rows = interactions(tmp_path / "shop")
    assert list(zip(rows[Col.VIEWER_ID], rows[Col.VIDEO_ID], strict=True)) == [("1", "8"), ("1", "7"), ("2", "7")]
    assert rows[Action.LIKE].all()
    assert done.positives == 3
    assert Workspace.open(tmp_path / "shop").config.events.positive == ("like",)
    assert len(done.notes) == 2


def test_milliseconds_of_watching(tmp_path: Path) -> None:
    write(
        tmp_path / "mine/interactions.jsonl",
        '{"viewer_id": "a", "video_id": 1, "at": 1772445700, "watch_ms": 2500}',
    )
    into("generic", tmp_path / "mine", tmp_path / "shop")
    assert interactions(tmp_path / "shop")[Col.WATCH_SECONDS].to_list() == [2.5]


def test_vectors_by_row_and_by_id(tmp_path: Path) -> None:
    source = generic(tmp_path / "mine")
    array(source / "features/visual.npy", [[1, 1], [2, 2], [3, 3]])
    vectors = pl.DataFrame({"video_id": ["c", "x", "a"], "vector": [[1.0], [2.0], None]})
    vectors.write_parquet(source / "features/audio.parquet")
    done = into("generic", source, tmp_path / "shop")
    assert done.vectors == {"visual": 3, "audio": 2, "text": 1}
    loaded = dataset(tmp_path / "shop")
    assert loaded.video_ids == ("a", "b", "c", "x")
    assert loaded.content["visual"].values_VD[:, 0].tolist() == [2, 1, 3, 0]
    assert loaded.content["audio"].values_VD[:, 0].tolist() == [0, 0, 1, 2]
    assert loaded.content["audio"].present_V.tolist() == [False, False, True, True]


def test_arrays_that_do_not_fit_are_errors(tmp_path: Path) -> None:
    source = generic(tmp_path / "mine")
    array(source / "features/visual.npy", np.ones((2, 2)))
    with pytest.raises(DataError, match=r"visual\.npy: 2 rows for 3 videos"):
        into("generic", source, tmp_path / "shop")
    (source / "features/visual.npy").unlink()
    table = source / "features/text.parquet"
    for columns, fault in (
        ({"video_id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}, "vectors of 1 and 2 numbers: all need the same"),
        ({"video_id": ["a", "a"], "vector": [[1.0], [2.0]]}, "video_id = 'a' has more than one vector"),
        ({"video_id": ["a", None], "vector": [[1.0], [2.0]]}, "row 2: video_id is empty"),
        ({"video_id": ["a"], "vector": [[float("nan")]]}, "row 0, column 0 is nan, as in 1 of 1 rows"),
    ):
        pl.DataFrame(columns).write_parquet(table)
        with pytest.raises(DataError, match=rf"text\.parquet.*{fault}"):
            into("generic", source, tmp_path / "shop")


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("interactions.csv", "cy,,1772445700,1,0,0", "row 5: video_id is empty"),
        ("interactions.csv", "cy,a,tomorrow,1,0,0", "row 5: at = 'tomorrow' is not a time"),
        ("interactions.csv", "cy,a,1772445700,-1,0,0", "row 5: watch_seconds = '-1' is not a number from 0"),
        ("interactions.csv", "cy,a,1772445700,1,maybe,0", "row 5: like = 'maybe' is neither 0 or 1"),
        ("videos.csv", "a,,,,,,,", "video_id = 'a' stands in more than one row"),
        ("videos.csv", ",,,,,,,", "row 5: video_id is empty"),
        ("videos.csv", "d,,,,,-3,,", "row 5: duration_seconds = -3 is not a number from 0"),
        ("videos.csv", "d,,,,soon,,,", "row 5: uploaded_at = 'soon' is not a time"),
        ("viewers.jsonl", '{"viewer_id": "ann"}', "viewer_id = 'ann' stands in more than one row"),
    ],
)
def test_a_row_that_cannot_be_names_its_place_and_value(tmp_path: Path, file: str, line: str, fault: str) -> None:
    source = generic(tmp_path / "mine")
    with (source / file).open("a") as table:
        table.write(line + "\n")
    with pytest.raises(DataError, match=rf"{file}(, |: ){fault}"):
        into("generic", source, tmp_path / "shop")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("viewer_id,video,at", "no column 'video_id'; it has viewer_id, video, at"),
        ("viewer_id,video_id,when", "no column 'at' and no 'order'; it has viewer_id, video_id, when"),
        ("viewer_id,video_id,at,action", "has a column 'action', one event a row: make a workspace"),
        ("viewer_id,video_id,at,at", "the first line names a column twice: 'at'"),
        ("", "is empty, or its first line is blank"),
    ],
)
def test_a_header_that_cannot_be_names_its_columns(tmp_path: Path, header: str, fault: str) -> None:
    write(tmp_path / "mine/interactions.csv", header)
    with pytest.raises(InputFileError, match=rf"interactions\.csv: {fault}"):
        into("generic", tmp_path / "mine", tmp_path / "shop")


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mine/interactions.parquet", "not parquet")
    with pytest.raises(InputFileError, match=r"interactions\.parquet: cannot be read"):
        into("generic", tmp_path / "mine", tmp_path / "shop")
    write(tmp_path / "none/videos.csv", "video_id")
    with pytest.raises(InputFileError, match=r"none: no interactions \(interactions\.parquet or"):
        into("generic", tmp_path / "none", tmp_path / "shop")
    write(tmp_path / "few/interactions.csv", "viewer_id,video_id,at")
    with pytest.raises(DataError, match="the data set holds no interactions"):
        into("generic", tmp_path / "few", tmp_path / "shop")
    write(tmp_path / "torn/interactions.csv", "viewer_id,video_id,at", "ann,a")
    with pytest.raises(InputFileError, match=r"interactions\.csv: cannot be read: .*Expected 3 columns, got 2"):
        into("generic", tmp_path / "torn", tmp_path / "shop")
