from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from swipewise.errors import InputFileError, WorkspaceError
from swipewise.events import EventLog, ImportSummary, import_events, read_events, read_interactions
from swipewise.events.history import History
from swipewise.workspace import Workspace
from tests.events.examples import DURATIONS, TEN, event

LONG = """viewer_id,video_id,action,at,watch_seconds,position
ann,v1,exposure,2026-03-02T10:00:00Z,,0
ann,v1,view,2026-03-02T10:00:05Z,4.5,
bob,v2,Like,1772445600,,
"""


def bring(
    workspace: Workspace, content: str, name: str = "log.csv", known: str = "v1 v2 v3", **mapping: str
) -> ImportSummary:
    path = workspace.root / name
    path.write_text(content)
    return import_events(workspace, [path], mapping=mapping, known_videos=known.split())


def stored(workspace: Workspace) -> pl.DataFrame:
    return read_events(workspace.events_dir).collect().sort("at", "viewer_id", "action", "event_id")


def rejected(summary: ImportSummary) -> list[dict[str, Any]]:
    assert summary.rejects_file is not None
    return [json.loads(line) for line in summary.rejects_file.read_text().splitlines()]


def test_long_form_gives_an_event_a_row(workspace: Workspace) -> None:
    summary = bring(workspace, LONG)
    assert summary == ImportSummary(added=3, duplicates=0, rejected=0)
    assert stored(workspace).drop("event_id", "at").rows() == [
        ("ann", "v1", "exposure", None, 0),
        ("bob", "v2", "like", None, None),
        ("ann", "v1", "view", 4.5, None),
    ]
    assert stored(workspace)["at"].to_list()[:2] == [TEN, TEN]
    # Imports go to the history, a commit a file.
    assert History(workspace.events_dir).scan().collect().height == 3


@pytest.mark.parametrize("name", ["log.jsonl", "log.parquet"])
def test_the_same_rows_in_another_format_are_the_same_events(workspace: Workspace, name: str) -> None:
    bring(workspace, LONG)
    table = pl.read_csv(workspace.root / "log.csv")
    if name.endswith("jsonl"):
        table.write_ndjson(workspace.root / name)
    else:
        table.write_parquet(workspace.root / name)
    again = import_events(workspace, [workspace.root / name], mapping={}, known_videos=["v1", "v2"])
    assert (again.added, again.duplicates) == (0, 3)
    assert len(stored(workspace)) == 3


def test_wide_form_gives_what_happened_in_an_interaction(workspace: Workspace) -> None:
    content = "viewer_id,video_id,at,watch_seconds,position,like,skip\n"
    content += "ann,v1,2026-03-02T10:00:00Z,4,2,1,0\nann,v2,2026-03-02T10:01:00Z,,3,,true\n"
    summary = bring(workspace, content)
    assert summary.added == (1 + 1 + 1) + (1 + 0 + 1)
    first, second = read_interactions(workspace.events_dir, DURATIONS).collect().to_dicts()
    assert (first["watch_seconds"], first["watch_ratio"], first["position"]) == (4.0, 0.4, 2)
    assert (first["like"], first["skip"], first["finish"]) == (True, False, False)
    assert (second["watch_seconds"], second["position"]) == (None, 3)
    assert (second["like"], second["skip"]) == (False, True)
    assert bring(workspace, content).added == 0


def test_wide_rows_keep_their_id_on_the_exposure(workspace: Workspace) -> None:
    bring(workspace, "event_id,viewer_id,video_id,at,like\nx,ann,v1,2026-03-02,1\n")
    assert sorted(stored(workspace)["event_id"]) == ["x", "x:like"]


def test_columns_are_found_by_the_mapping(workspace: Workspace) -> None:
    content = "user,item,time_ms,play_time_ms,viewer_id\nann,v1,1772445600000,4500,ignored\n"
    summary = bring(
        workspace, content, viewer_id="user", video_id="item", at="time_ms", watch_seconds="play_time_ms"
    )
    assert summary.added == 2
    assert stored(workspace).select("viewer_id", "at", "watch_seconds").rows() == [
        ("ann", TEN, None),
        ("ann", TEN, 4.5),
    ]


def test_every_bad_row_is_reported_and_the_others_come_in(workspace: Workspace) -> None:
    content = LONG + (
        ",v1,view,2026-03-02,1,\n"
        "ann,,liked,never,-1,x\n"
        "ann,v1,view,2026-03-02,nan,\n"
        "ann,v1,view\n"
        "ann,v3,share,2026-03-02T11:00:00Z,,\n"
    )
    summary = bring(workspace, content)
    assert (summary.added, summary.rejected) == (4, 4)
    rows = sorted(rejected(summary), key=lambda row: row["row"])
    assert [(row["row"], row["reason"]) for row in rows] == [
        (5, "viewer_id is empty"),
        (
            6,
            "video_id is empty; action = 'liked' is not an action: did you mean 'like'?; "
            "at = 'never' is not a time: give ISO 8601, such as 2026-01-31T18:30:00Z, or seconds or milliseconds since "
            "1970; watch_seconds = '-1' is not a number from 0; position = 'x' is not a whole number from 0",
        ),
        (7, "watch_seconds = 'nan' is not a number from 0"),
        (8, "3 fields where the header names 6"),
    ]
    assert {row["file"] for row in rows} == {str(workspace.root / "log.csv")}
    assert rows[0]["values"]["video_id"] == "v1"
    assert rows[3]["values"] == "ann,v1,view"
    assert [path.name for path in summary.rejects_file.parent.iterdir()] == [summary.rejects_file.name]  # type: ignore[union-attr]


def test_two_imports_leave_two_rejects_files(workspace: Workspace) -> None:
    files = {bring(workspace, LONG + ",,,,,\n").rejects_file for _ in range(3)}
    assert len(files) == 3


def test_bad_rows_of_parquet_are_reported_with_their_values(workspace: Workspace) -> None:
    path = workspace.root / "log.parquet"
    pl.DataFrame(
        {
            "viewer_id": ["ann", None],
            "video_id": ["v1", "v1"],
            "at": [TEN, TEN],
            "watch_seconds": [float("inf"), 1.0],
        }
    ).write_parquet(path)
    summary = import_events(workspace, [path], mapping={}, known_videos=["v1"])
    assert [(row["row"], row["reason"]) for row in rejected(summary)] == [
        (1, "watch_seconds = 'inf' is not a number from 0"),
        (2, "viewer_id is empty"),
    ]
    assert rejected(summary)[1]["values"]["at"] == "2026-03-02 10:00:00+00:00"


def test_equal_rows_of_one_file_remain_two_and_come_in_once(workspace: Workspace) -> None:
    content = LONG + "bob,v2,like,1772445600,,\n"
    assert bring(workspace, content).added == 4
    assert bring(workspace, content).duplicates == 4
    # A file that holds one of the two brings nothing new.
    assert bring(workspace, LONG, "part.csv").duplicates == 3
    assert len(stored(workspace)) == 4


def test_ids_given_count_once_within_files_between_them_and_against_the_live_log(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("live")])
        head = "event_id,viewer_id,video_id,action,at\n"
        rows = "".join(f"{name},ann,v1,view,2026-03-02\n" for name in ("live", "x", "x", "y"))
        summary = bring(workspace, head + rows)
        assert (summary.added, summary.duplicates) == (2, 2)
        assert bring(workspace, head + "x,ann,v1,view,2026-05-05\n", "b.csv").duplicates == 1
        assert log.append([event("y"), event("z")]).duplicates == 1
    assert sorted(stored(workspace)["event_id"]) == ["live", "x", "y", "z"]


def test_a_missing_event_id_is_made_up_for(workspace: Workspace) -> None:
    content = "event_id,viewer_id,video_id,action,at\n"
    content += ",ann,v1,view,2026-03-02\n,bob,v1,view,2026-03-02\nx,ann,v1,like,2026-03-02\n"
    assert bring(workspace, content).added == 3
    assert bring(workspace, content).duplicates == 3


def test_events_of_unknown_videos_are_kept_and_reported(workspace: Workspace) -> None:
    content = "viewer_id,video_id,action,at\n" + "".join(f"ann,u{n},view,2026-03-02\n" for n in range(7))
    summary = bring(workspace, content + "ann,v1,view,2026-03-02\n")
    assert (summary.added, summary.rejected) == (8, 0)
    assert (summary.unknown_videos, summary.unknown_examples) == (7, ("u0", "u1", "u2", "u3", "u4"))


@pytest.mark.parametrize(
    ("header", "mapping", "fault"),
    [
        (
            "user,video_id,action,at",
            {},
            "no column 'viewer_id'; it has user, video_id, action, at: "
            "if 'user' holds it, add --map viewer_id=user",
        ),
        ("viewer_id,video_id,action,time_ms", {}, "no column 'at'; .* add --map at=time_ms"),
        (
            "viewer_id,zzzz,action,at",
            {},
            "no column 'video_id'; .* name the one that holds it with --map video_id=COLUMN",
        ),
        ("viewer_id,video_id,at", {}, "no column 'action' .* and none of watch_seconds, finish, like"),
        ("viewer_id,video_id,at,event_type", {}, ".*: if .* holds it, add --map action=event_type"),
        (
            "viewer_id,item,action,at",
            {"video_id": "itm"},
            "no column 'itm', which is mapped to video_id; it has .*: did you mean --map video_id=item",
        ),
    ],
)
def test_a_missing_column_is_named_with_the_mapping_that_mends_it(
    workspace: Workspace, header: str, mapping: Mapping[str, str], fault: str
) -> None:
    with pytest.raises(InputFileError, match=f"log.csv: {fault}"):
        bring(workspace, f"{header}\n", **mapping)


def test_a_mapping_of_no_column_of_ours_is_refused(workspace: Workspace) -> None:
    with pytest.raises(
        InputFileError, match=r"--map viewr=x: no column 'viewr' is looked for: did you mean 'viewer_id'"
    ):
        bring(workspace, LONG, viewr="x")
    with pytest.raises(InputFileError, match="no column 'zzz' is looked for: valid are event_id, viewer_id"):
        bring(workspace, LONG, zzz="x")


def test_a_long_file_whose_action_column_has_another_name_does_not_pass_for_a_wide_one(
    workspace: Workspace,
) -> None:
    content = "viewer_id,video_id,what,at,watch_seconds\nann,v1,View,2026-03-02,3\n"
    with pytest.raises(InputFileError, match=r"'what' holds actions such as 'view': add --map action=what"):
        bring(workspace, content)
    assert bring(workspace, content, action="what").added == 1


def test_a_column_that_can_hold_no_such_thing_is_named(workspace: Workspace) -> None:
    path = workspace.root / "log.parquet"
    pl.DataFrame({"viewer_id": [["ann"]], "video_id": ["v"], "at": [TEN], "like": [1]}).write_parquet(path)
    with pytest.raises(
        InputFileError, match=r"column 'viewer_id' holds List\(String\), which cannot be read as viewer_id"
    ):
        import_events(workspace, [path], mapping={}, known_videos=[])


def test_files_before_a_bad_one_are_in_and_the_rest_follows(workspace: Workspace) -> None:
    good, bad = workspace.root / "good.csv", workspace.root / "bad.csv"
    good.write_text(LONG + ",,,,,\n")
    bad.write_text("nothing,of,use\n1,2,3\n")
    with pytest.raises(InputFileError, match=r"bad.csv: no column 'viewer_id'"):
        import_events(workspace, [good, bad], mapping={}, known_videos=[])
    assert len(stored(workspace)) == 3
    # What was left out of the good file is told even so.
    assert len(list((workspace.events_dir / "rejects").iterdir())) == 1
    bad.write_text("viewer_id,video_id,action,at\nann,v1,hide,2026-03-02\n")
    seen: list[tuple[Path, int]] = []
    summary = import_events(
        workspace,
        [good, bad],
        mapping={},
        known_videos=[],
        on_progress=lambda path, rows: seen.append((path, rows)),
    )
    assert (summary.added, summary.duplicates) == (1, 3)
    assert seen == [(good, 4), (bad, 1)]


def test_nothing_is_imported_when_a_file_is_missing(workspace: Workspace) -> None:
    (workspace.root / "log.csv").write_text(LONG)
    with pytest.raises(InputFileError, match=r"none.csv: no such file"):
        import_events(
            workspace, [workspace.root / "log.csv", workspace.root / "none.csv"], mapping={}, known_videos=[]
        )
    assert stored(workspace).is_empty()


def test_files_with_only_a_header_or_only_bad_rows_bring_nothing(workspace: Workspace) -> None:
    assert bring(workspace, LONG.splitlines()[0] + "\n").added == 0
    assert bring(workspace, "viewer_id,video_id,at,like\nann,v1,never,1\n").rejected == 1
    assert stored(workspace).is_empty()


def test_only_one_import_at_a_time(workspace: Workspace) -> None:
    with workspace.lock("history"), pytest.raises(WorkspaceError, match="another process is running 'history'"):
        bring(workspace, LONG)
