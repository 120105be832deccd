from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.datasets.kuairand import HISTORY_START
from swipewise.errors import DataError, InputFileError
from swipewise.events import read_profiles
from swipewise.schema import FLAG_ACTIONS, Action, Col
from swipewise.workspace import Workspace
from tests.datasets.folders import LOG_HEADER, MAY_1, dataset, interactions, into, kuairand, log_row, write

DATA = Path(os.environ.get("SWIPEWISE_DATA", "../shared/data")) / "kuairand"


def flags_of(row: dict[str, object]) -> set[Action]:
    return {flag for flag in FLAG_ACTIONS if row[flag]}


MEANINGS: list[tuple[str, set[Action], bool]] = [
    ("1000000", set(), False),
    ("0000000", {Action.SKIP}, False),
    ("1000001", {Action.FINISH}, True),
    ("1100000", {Action.LIKE}, False),
    ("1010000", {Action.FOLLOW}, False),
    ("1001000", {Action.COMMENT}, False),
    ("1000100", {Action.SHARE}, False),
    ("1000011", {Action.FINISH, Action.HIDE}, False),
    ("0111101", {Action.SKIP, *FLAG_ACTIONS[:5]}, True),
]
"""Click, like, follow, comment, forward, hate and long view; the actions they are; whether that is positive."""


def test_a_row_is_an_exposure_and_a_positive_is_a_long_view(tmp_path: Path) -> None:
    rows = [log_row(1, 10, MAY_1 + 1000 * n, flags=flags, play=99_000) for n, (flags, _, _) in enumerate(MEANINGS)]
    done = into("kuairand", kuairand(tmp_path / "kuai", *rows), tmp_path / "shop")
    mine = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "1")
    assert [flags_of(row) for row in mine.iter_rows(named=True)] == [actions for _, actions, _ in MEANINGS]
    assert mine[Col.AT][0] == datetime(2022, 4, 30, 16, tzinfo=UTC)
    assert set(mine[Col.VIDEO_ID]) == {"10"}
    assert set(zip(mine[Col.WATCH_SECONDS], mine[Col.WATCH_RATIO], strict=True)) == {(99.0, 9.9)}
    assert done.positives == 2
    positive_I = dataset(tmp_path / "shop").interactions.positive_I
    assert positive_I.tolist()[: len(MEANINGS)] == [positive for _, _, positive in MEANINGS]


def test_every_log_of_the_public_layout_is_read_and_told(tmp_path: Path) -> None:
    done = into("kuairand", kuairand(tmp_path / "kuai", log_row()), tmp_path / "shop")
    assert (done.interactions, done.viewers, done.profiles, done.videos) == (3, 3, 2, 3)
    assert done.files == {
        "data/log_random_4_22_to_5_08_pure.csv": "log of exposures",
        "data/log_standard_4_08_to_4_21_pure.csv": "log of exposures",
        "data/log_standard_4_22_to_5_08_pure.csv": "log of exposures",
        "data/user_features_pure.csv": "viewers' profiles",
        "data/video_features_basic_pure.csv": "videos",
    }
    assert any("video_features_statistic_pure.csv was left out" in note for note in done.notes)


def test_repeats_stay_separate_even_at_the_same_millisecond(tmp_path: Path) -> None:
    rows = [log_row(flags="1000001"), log_row(flags="1000001"), log_row(flags="0000000"), log_row(at=MAY_1 + 1)]
    done = into("kuairand", kuairand(tmp_path / "kuai", *rows), tmp_path / "shop")
    mine = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "1")
    assert (done.interactions, len(mine)) == (6, 4)
    assert mine[Action.FINISH].sum() == 2
    assert mine[Action.SKIP].sum() == 1
    assert mine[Col.WATCH_SECONDS].to_list() == [5.0] * 4
    assert mine[Col.AT].dt.epoch("ms").to_list() == [MAY_1, MAY_1, MAY_1, MAY_1 + 1]


def test_a_watch_ratio_without_a_duration_is_unknown(tmp_path: Path) -> None:
    source = kuairand(tmp_path / "kuai", log_row(1, 11, play=4000, duration=0))
    write(source / "data/log_standard_4_22_to_5_08_pure.csv", LOG_HEADER, log_row(2, 10))
    into("kuairand", source, tmp_path / "shop")
    row = interactions(tmp_path / "shop").row(0, named=True)
    assert (row[Col.VIDEO_ID], row[Col.WATCH_SECONDS], row[Col.WATCH_RATIO]) == ("11", 4.0, None)


def test_the_log_tells_the_duration_that_the_video_table_lacks(tmp_path: Path) -> None:
    into("kuairand", kuairand(tmp_path / "kuai", log_row(1, 11, play=4000, duration=8000)), tmp_path / "shop")
    assert interactions(tmp_path / "shop").row(0, named=True)[Col.WATCH_RATIO] == 0.4  # the longest told: 10 s


def test_videos_and_profiles_are_described(tmp_path: Path) -> None:
    into("kuairand", kuairand(tmp_path / "kuai", log_row(video=99)), tmp_path / "shop")
    workspace = Workspace.open(tmp_path / "shop")
    catalog = Catalog(workspace.catalog_dir)
    first = catalog.get("10")
    assert (first.creator, first.music, first.uri) == ("7349781", "9155697141", "kuairand:10")
    assert first.tags == ("20", "43", "upload:LongImport", "type:NORMAL")
    assert (first.duration_seconds, first.width, first.height) == (10.0, 720, 1280)
    assert first.uploaded_at == datetime(2022, 4, 9, 16, tzinfo=UTC)
    assert (catalog.get("11").music, catalog.get("11").tags) == (None, ("upload:Kmovie",))
    assert catalog.get("12").tags == ("upload:Kmovie", "type:AD")
    assert catalog.get("99").creator is None  # known by the log alone
    assert len({catalog.get(video).content_hash for video in ("10", "11", "12", "99")}) == 4
    profiles = read_profiles(workspace.events_dir)
    assert profiles.row(0, named=True) == {
        "viewer_id": "1",
        "user_active_degree": "full_active",
        "is_video_author": 1,
        "follow_user_num": 514,
        "onehot_feat3": "949",
        "onehot_feat4": "4",
    }
    assert profiles.row(1, named=True)["user_active_degree"] is None


def test_parts_of_the_largest_version_are_all_read(tmp_path: Path) -> None:
    for part in (1, 2):
        write(tmp_path / f"kuai/log_standard_4_08_to_4_21_27k_part{part}.csv", LOG_HEADER, log_row(part, part))
    done = into("kuairand", tmp_path / "kuai", tmp_path / "shop")
    assert (done.interactions, done.videos, done.profiles) == (2, 2, 0)
    assert any(note.startswith("no user_features") for note in done.notes)


def part_of_pure(folder: Path, *, last: int = MAY_1 - 100_000, length: int = 6, row: str = "") -> Path:
    """The layout with a Parquet log and a history whose events have no times."""
    log = pl.read_csv(write(folder / "log.csv", LOG_HEADER, row or log_row(1, 10, flags="1000001")))
    (folder / "log.csv").unlink()
    log.write_parquet(folder / "log_2022-04-25_to_05-08.parquet")
    pl.DataFrame(
        {
            "user_id": [1, 5],
            "history_len": [length, 1],
            "last_time_ms": [last, last],
            "watch_seq": [[12, 12, 11], [10]],
            "like_seq": [[11], []],
            "long_watch_seq": [[12], []],
        },
        schema_overrides={"like_seq": pl.List(pl.Int64), "long_watch_seq": pl.List(pl.Int64)},
    ).write_parquet(folder / "history_to_2022-04-24.parquet")
    return folder


def test_events_of_a_history_are_spread_before_its_last(tmp_path: Path) -> None:
    (tmp_path / "kuai").mkdir()
    done = into("kuairand", part_of_pure(tmp_path / "kuai"), tmp_path / "shop")
    assert (done.interactions, done.viewers, done.positives) == (5, 2, 3)
    assert any("are estimates" in note for note in done.notes)
    rows = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "1")
    assert rows[Col.VIDEO_ID].to_list() == ["12", "12", "11", "10"]
    last = datetime.fromtimestamp((MAY_1 - 100_000) / 1000, UTC)
    gap = (last - HISTORY_START) / 6
    for at, wanted in zip(rows[Col.AT], [last - 2 * gap, last - gap, last], strict=False):
        assert abs(at - wanted) < timedelta(milliseconds=1)
    assert [flags_of(row) for row in rows.iter_rows(named=True)] == [
        {Action.FINISH},
        {Action.FINISH},
        {Action.LIKE},
        {Action.FINISH},
    ]
    assert rows[Col.WATCH_SECONDS].to_list() == [None, None, None, 5.0]


def test_a_history_that_reaches_into_the_log_ends_before_it_a_second_apart(tmp_path: Path) -> None:
    (tmp_path / "kuai").mkdir()
    into("kuairand", part_of_pure(tmp_path / "kuai", last=MAY_1 + 5, length=10**7), tmp_path / "shop")
    rows = interactions(tmp_path / "shop").filter(pl.col(Col.VIEWER_ID) == "1")
    assert rows[Col.AT].dt.epoch("ms").to_list() == [MAY_1 - 3000, MAY_1 - 2000, MAY_1 - 1000, MAY_1]


def test_a_history_of_no_length_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "kuai").mkdir()
    with pytest.raises(DataError, match=r"history_to.*parquet, row 1: history_len = 0\.0 must be a number from 1"):
        into("kuairand", part_of_pure(tmp_path / "kuai", length=0), tmp_path / "shop")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (log_row(user="nan"), r"pure\.csv, row 3: user_id is empty: mend the file"),
        (log_row(video=""), r"pure\.csv, row 3: video_id is empty"),
        (log_row(at=-5), r"pure\.csv, row 3: time_ms = '-5' lies outside the years 2000 to 2099"),
        (log_row(at=""), r"pure\.csv, row 3: time_ms is empty"),
        (log_row(play=-1), r"pure\.csv, row 3: play_time_ms = '-1' is not a number from 0"),
        (log_row(flags="1200000"), r"pure\.csv, row 3: is_like = '2' is neither 0 or 1"),
    ],
)
def test_a_row_that_cannot_be_names_its_line_and_value(tmp_path: Path, row: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        into("kuairand", kuairand(tmp_path / "kuai", log_row(), row), tmp_path / "shop")
    assert list(tmp_path.iterdir()) == [tmp_path / "kuai"]


def test_text_where_a_number_belongs_names_the_file_and_the_text(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"log_standard_4_08.*invalid value 'soon'"):
        into("kuairand", kuairand(tmp_path / "kuai", log_row(at="soon")), tmp_path / "shop")


def test_watch_times_of_more_than_a_day_are_left_out_and_counted(tmp_path: Path) -> None:
    done = into("kuairand", kuairand(tmp_path / "kuai", log_row(play=86_400_001)), tmp_path / "shop")
    assert done.left_out == {"watch times of more than a day": 1}
    assert interactions(tmp_path / "shop")[Col.WATCH_SECONDS].to_list()[0] is None


def test_a_missing_column_and_a_missing_log_are_named(tmp_path: Path) -> None:
    write(tmp_path / "kuai/log_standard_4_08_to_4_21_1k.csv", LOG_HEADER.replace("long_view", "longview"))
    with pytest.raises(
        InputFileError, match=r"no column 'long_view'; it has user_id.*rename 'longview' if that is it"
    ):
        into("kuairand", tmp_path / "kuai", tmp_path / "shop")
    write(tmp_path / "other/notes.txt", "hello")
    with pytest.raises(InputFileError, match=r"other: no log \(log_\*\.csv or .*\); there is notes\.txt"):
        into("kuairand", tmp_path / "other", tmp_path / "shop")
    with pytest.raises(InputFileError, match="no such folder"):
        into("kuairand", tmp_path / "nowhere", tmp_path / "shop")


def test_a_video_that_is_described_twice_is_an_error(tmp_path: Path) -> None:
    source = kuairand(tmp_path / "kuai", log_row())
    with (source / "data/video_features_basic_pure.csv").open("a") as file:
        file.write("10,1,NORMAL,2022-04-10,Web,0.0,1.0,1.0,1.0,1,9.0,1\n")
    with pytest.raises(
        DataError, match=r"video_features_basic_pure\.csv: video_id = '10' stands in more than one row"
    ):
        into("kuairand", source, tmp_path / "shop")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no KuaiRand in {DATA}: set SWIPEWISE_DATA to where it is")
def test_the_real_logs_keep_every_exposure(tmp_path: Path) -> None:
    log = pl.read_parquet(DATA / "log_2022-04-25_to_05-08.parquet").head(5_000)
    (tmp_path / "kuai").mkdir()
    log.write_parquet(tmp_path / "kuai/log_a.parquet")
    videos = "video_features_basic_pure.csv"
    (tmp_path / "kuai" / videos).symlink_to((DATA / videos).resolve())
    done = into("kuairand", tmp_path / "kuai", tmp_path / "shop")
    loaded = dataset(tmp_path / "shop").interactions
    assert done.interactions == len(loaded) == len(log)
    assert loaded.positive_I.sum() == done.positives == ((log["long_view"] == 1) & (log["is_hate"] == 0)).sum()
    ratio = (log["play_time_ms"] / log["duration_ms"].replace(0, None)).fill_null(0.0)
    assert np.nansum(loaded.watch_ratio_I) == pytest.approx(ratio.sum(), rel=1e-4)
