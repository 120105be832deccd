from __future__ import annotations

import json

import polars as pl
import pytest

from swipewise.errors import InputFileError
from swipewise.events import ImportSummary, import_viewers, read_profiles
from swipewise.workspace import Workspace


def bring(workspace: Workspace, content: str, name: str = "viewers.csv", **mapping: str) -> ImportSummary:
    path = workspace.root / name
    path.write_text(content)
    return import_viewers(workspace, [path], mapping=mapping)


def test_every_column_but_the_id_is_a_feature(workspace: Workspace) -> None:
    assert bring(workspace, "viewer_id,age,city\n01,30,Oslo\n2,,Rome\n").added == 2
    assert read_profiles(workspace.events_dir).to_dicts() == [
        {"viewer_id": "01", "age": 30, "city": "Oslo"},
        {"viewer_id": "2", "age": None, "city": "Rome"},
    ]


def test_columns_are_renamed_by_the_mapping(workspace: Workspace) -> None:
    bring(workspace, "uid,years\nann,30\n", viewer_id="uid", age="years")
    assert read_profiles(workspace.events_dir).columns == ["viewer_id", "age"]


def test_lists_of_json_lines_and_parquet_are_kept(workspace: Workspace) -> None:
    bring(workspace, '{"viewer_id": 7, "likes": ["sea"], "age": 3}\n', "v.jsonl")
    path = workspace.root / "v.parquet"
    pl.DataFrame({"viewer_id": [8.0], "likes": [["cats", "sun"]], "age": [float("nan")]}).write_parquet(path)
    import_viewers(workspace, [path], mapping={})
    assert read_profiles(workspace.events_dir).select("viewer_id", "likes", "age").rows() == [
        ("7", ["sea"], 3),
        ("8", ["cats", "sun"], None),
    ]


def test_a_later_row_replaces_an_earlier_one(workspace: Workspace) -> None:
    first = bring(workspace, "viewer_id,age\nann,30\nann,31\nbob,5\n")
    assert (first.added, first.duplicates) == (2, 1)
    again = bring(workspace, "viewer_id,age\nann,32\nbob,5\n")
    assert (again.added, again.duplicates) == (1, 1)
    assert read_profiles(workspace.events_dir)["age"].to_list() == [32, 5]


def test_bad_rows_are_reported_and_the_others_come_in(workspace: Workspace) -> None:
    content = '{"viewer_id": "ann", "age": 1}\n{"age": 2}\nnonsense\n{"viewer_id": "bob", "home": {"x": 1}}\n'
    summary = bring(workspace, content, "v.jsonl")
    assert (summary.added, summary.rejected) == (1, 3)
    assert summary.rejects_file is not None
    rows = {row["row"]: row for row in map(json.loads, summary.rejects_file.read_text().splitlines())}
    assert rows[2]["reason"] == "profile of viewer '': viewer_id is empty"
    assert rows[3]["reason"].startswith("not a JSON object")
    assert rows[4]["reason"].startswith("profile of viewer 'bob': home = {'x': 1} must be a string")
    assert rows[4]["values"] == {"viewer_id": "bob", "home": {"x": 1}}


def test_a_missing_id_column_is_named(workspace: Workspace) -> None:
    with pytest.raises(
        InputFileError, match=r"no column 'viewer_id'; it has user_id, age: .*--map viewer_id=user_id"
    ):
        bring(workspace, "user_id,age\nann,30\n")
    with pytest.raises(InputFileError, match=r"no column 'yars', which is mapped to age; .*--map age=years"):
        bring(workspace, "viewer_id,years\nann,30\n", age="yars")
