"""RecBole's atomic files become workspaces."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from swipewise import Workspace
from swipewise.errors import DataError, InputFileError
from swipewise.events import read_profiles
from swipewise.training.split import split_by_time
from tests.datasets.folders import dataset, interactions, into, write

INTER = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float",
    "1\t10\t5\t1281250949\t".rstrip(),
    "1\t20\t3\t1281250950",
    "2\t10\t1\t1281250951",
)
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tduration:float\tvisual_emb:float_seq\tlength:float",
    '10\tThe "Quoted\t1995\tcomedy drama\t12.5\t0.5 1.0 -2\t3',
    "30\tOther one\t\t\t\t1 2 3\t4",
)
USER = (
    "user_id:token\tage:float\tgender:token\thobbies:token_seq",
    "1\t24\tM\tski chess",
    "3\t\tF\t",
)


def made(tmp_path: Path) -> Path:
    write(tmp_path / "ml/ml.inter", *INTER)
    write(tmp_path / "ml/ml.item", *ITEM)
    write(tmp_path / "ml/ml.user", *USER)
    return tmp_path / "ml"


def test_typed_headers_say_what_fields_are(tmp_path: Path) -> None:
    done = into("recbole", made(tmp_path), tmp_path / "shop")
    assert (done.videos, done.viewers, done.profiles, done.interactions, done.positives) == (3, 3, 2, 3, 3)
    rows = interactions(tmp_path / "shop")
    assert rows["at"].min() == datetime.fromtimestamp(1281250949, UTC)
    assert rows["like"].all()
    videos = {row["video_id"]: row for row in Workspace.open(tmp_path / "shop").videos().to_dicts()}
    assert videos["10"]["caption"] == 'The "Quoted'
    assert videos["10"]["tags"] == ["release_year=1995", "comedy", "drama"]
    assert (videos["10"]["duration_seconds"], videos["30"]["tags"], videos["20"]["caption"]) == (12.5, [], None)
    profiles = {row["viewer_id"]: row for row in read_profiles(tmp_path / "shop" / "events").to_dicts()}
    assert profiles["1"] == {"viewer_id": "1", "age": 24.0, "gender": "M", "hobbies": ["ski", "chess"]}
    assert profiles["3"]["gender"] == "F"
    assert "every interaction counts as a like, whatever its rating" in done.notes
    assert "numbers of ml.item that were left out: length" in done.notes


def test_a_sequence_of_numbers_is_the_vector_of_its_modality(tmp_path: Path) -> None:
    done = into("recbole", made(tmp_path), tmp_path / "shop")
    assert done.vectors == {"visual": 2, "text": 2}
    feature = dataset(tmp_path / "shop").content["visual"]
    assert feature.values_VD[0].tolist() == [0.5, 1.0, -2.0]
    assert feature.present_V.tolist() == [True, False, True]


def test_labels_and_actions_say_what_was_liked(tmp_path: Path) -> None:
    write(
        tmp_path / "a/a.inter",
        "user_id:token\titem_id:token\tlabel:float\ttimestamp:float",
        "1\t10\t1\t1281250949",
        "1\t20\t0\t1281250950",
    )
    done = into("recbole", tmp_path / "a", tmp_path / "labelled")
    assert (done.interactions, done.positives) == (2, 1)
    assert "a row with label = 1 counts as a like" in done.notes
    write(
        tmp_path / "b/b.inter",
        "user_id:token\titem_id:token\ttimestamp:float\tlike:float\tshare:float\twatch_seconds:float",
        "1\t10\t1281250949000\t0\t1\t4.5",
        "1\t20\t1281250950000\t1\t0\t",
    )
    into("recbole", tmp_path / "b", tmp_path / "acted")
    rows = interactions(tmp_path / "acted").sort("at")
    assert rows["like"].to_list() == [False, True]
    assert rows["share"].to_list() == [True, False]
    assert rows["watch_seconds"].to_list() == [4.5, None]


def test_the_files_of_a_split_become_periods_that_the_split_finds_again(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token"
    write(
        tmp_path / "a/a.train.inter", header, *(f"{user}\t{item}" for user in (1, 2, 3) for item in (1, 2, 3, 4))
    )
    write(tmp_path / "a/a.valid.inter", header, "1\t5", "2\t5", "3\t5")
    write(tmp_path / "a/a.test.inter", header, "1\t6", "2\t6", "3\t6")
    into("recbole", tmp_path / "a", tmp_path / "shop")
    data = dataset(tmp_path / "shop")
    split = split_by_time(data, Workspace.open(tmp_path / "shop").config.split)
    assert [len(part.interactions) for part in (split.train, split.validation, split.test)] == [12, 3, 3]


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (("user_id\titem_id", "1\t2"), InputFileError, "the field 'user_id' has no type: write user_id:token"),
        (
            ("user_id:token\titem_id:int", "1\t2"),
            InputFileError,
            "the field 'item_id' is of type 'int': valid are token,",
        ),
        (("user_id:token\tthing:token", "1\t2"), InputFileError, r"no field of the item \(item_id:token or"),
        (("user_id:token\tuser_id:token", "1\t2"), InputFileError, "the header names 'user_id' twice"),
        (("user_id:token\titem_id:token",), DataError, "holds no interactions"),
        (
            ("user_id:token\titem_id:token\ttimestamp:float", "1\t2\tsoon"),
            DataError,
            "row 2: timestamp = 'soon' is not a number",
        ),
        (("user_id:token\titem_id:token\ttimestamp:float", "1\t2\t1", "\t2\t3"), DataError, "row 3: viewer_id"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, lines: tuple[str, ...], error: type[Exception], message: str
) -> None:
    write(tmp_path / "a/a.inter", *lines)
    with pytest.raises(error, match=message):
        into("recbole", tmp_path / "a", tmp_path / "shop")
    assert not (tmp_path / "shop").exists()


def test_times_before_2000_are_moved_on_all_alike(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token\ttimestamp:float"
    write(tmp_path / "a/a.inter", header, "1\t2\t881250949", "1\t3\t881250959")
    done = into("recbole", tmp_path / "a", tmp_path / "shop")
    at = interactions(tmp_path / "shop")["at"].sort()
    assert at[0].isoformat() == "2000-01-01T15:55:49+00:00"
    assert (at[1] - at[0]).seconds == 10
    assert "all times were moved on by 758 days: the log takes those from 2000 on" in done.notes


def test_a_folder_without_interactions_says_what_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "a/a.item", *ITEM)
    with pytest.raises(InputFileError, match=r"no interactions \(\*\.inter\); there is a\.item"):
        into("recbole", tmp_path / "a", tmp_path / "shop")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("30\tx\t\t\t\t1 2\t4", "row 3: visual_emb is not 3 numbers"),
        ("10\tx\t\t\t\t1 2 3\t4", "more than one row"),
    ],
)
def test_vectors_of_two_widths_and_items_twice_are_refused(tmp_path: Path, row: str, message: str) -> None:
    folder = made(tmp_path)
    write(folder / "ml.item", *ITEM[:2], row)
    with pytest.raises(DataError, match=message):
        into("recbole", folder, tmp_path / "shop")
