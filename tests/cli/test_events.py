from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import InputFileError, UnknownIdError
from swipewise.events import EventLog
from swipewise.schema import Video
from swipewise.workspace import Workspace
from tests.events.examples import event

LOG = """user,video_id,action,at,watch_seconds
ann,v1,exposure,2026-03-02T10:00:00Z,
ann,v1,view,2026-03-02T10:00:05Z,4.5
ann,v1,like,2026-03-02T10:00:06Z,
bob,v2,exposure,2026-03-03T10:00:00Z,
bob,v2,stare,2026-03-03T10:00:00Z,
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "shop")
    (workspace.root / "log.csv").write_text(LOG)
    return workspace


def call(workspace: Workspace, *args: str) -> Result:
    result = CliRunner().invoke(cli, [*args, "--workspace", str(workspace.root)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def bring(workspace: Workspace, *more: str) -> Result:
    return call(workspace, "events", "import", str(workspace.root / "log.csv"), "--map", "viewer_id=user", *more)


def test_import_says_what_came_in_and_what_did_not(workspace: Workspace) -> None:
    first, rejected, unknown = bring(workspace).stdout.splitlines()
    assert first.startswith("added 4 events, 0 known already, in ")
    assert rejected.startswith(
        "rejected 1 row (row 6: action = 'stare' is not an action: did you mean 'share'?); each with"
    )
    assert "stare" in Path(rejected.split(" in ")[-1]).read_text()
    assert unknown.startswith("not in the catalogue: 2 videos (v1, v2); their events are kept")
    assert bring(workspace).stdout.startswith("added 0 events, 4 known already")


def test_import_as_json(workspace: Workspace) -> None:
    summary = json.loads(bring(workspace, "--json").stdout)
    assert Path(summary.pop("rejects_file")).exists()
    assert summary == {
        "added": 4,
        "by_file": 0,
        "duplicates": 0,
        "erased": 0,
        "rejected": 1,
        "unknown_videos": 2,
        "unknown_examples": ["v1", "v2"],
        "unused_columns": [],
    }


def test_videos_may_be_named_by_their_files(workspace: Workspace) -> None:
    video = Video(video_id="0123456789abcdef", uri="clips/v1.mp4", content_hash="x")
    Catalog(workspace.catalog_dir).upsert([video], {})
    told = bring(workspace).stdout.splitlines()
    assert told[-2:] == [
        "videos that are named by their files: 1",
        "not in the catalogue: 1 video (v2); their events are kept and count once videos with these ids are added "
        "(see 'swipewise videos list')",
    ]
    assert "0123456789abcdef" in call(workspace, "events", "list", "ann").stdout
    assert bring(workspace).stdout.startswith("added 0 events, 4 known already")


def test_columns_of_which_nothing_is_taken_are_named(workspace: Workspace) -> None:
    (workspace.root / "log.csv").write_text(LOG.replace("watch_seconds", "secs"))
    told = bring(workspace).stdout
    assert "nothing was taken from the columns secs: --map COLUMN=NAME reads one under another name" in told
    assert "nothing was taken" not in bring(workspace, "--map", "watch_seconds=secs").stdout


def test_a_missing_column_tells_the_option_that_mends_it(workspace: Workspace) -> None:
    with pytest.raises(InputFileError, match="add --map viewer_id=user"):
        call(workspace, "events", "import", str(workspace.root / "log.csv"))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--map", "viewer_id"], "'viewer_id' is not of the form column=name"),
        (["--map", "at=a", "--map", "at=b"], "'at' is mapped twice: to 'a' and to 'b'"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_a_usage_error(
    workspace: Workspace, options: list[str], fault: str
) -> None:
    result = call(workspace, "events", "import", "log.csv", *options)
    assert result.exit_code == 2
    assert fault in " ".join(result.stderr.replace("│", " ").split())


def test_count_and_list_show_what_is_in_the_log(workspace: Workspace) -> None:
    assert call(workspace, "events", "count").stdout.startswith("no events yet")
    assert call(workspace, "events", "list", "ann").stdout == "no events of a viewer 'ann'\n"
    bring(workspace)
    counted = json.loads(call(workspace, "events", "count", "--json").stdout)
    assert counted == {
        "events": 4,
        "viewers": 2,
        "videos": 2,
        "first_day": "2026-03-02",
        "last_day": "2026-03-03",
        "actions": {"exposure": 2, "like": 1, "view": 1},
    }
    assert call(workspace, "events", "count").stdout.startswith("4 events of 2 viewers on 2 videos\n")
    assert call(workspace, "events", "list", "ann").stdout.split() == [
        "2026-03-02T10:00:00+00:00",
        "v1",
        "4.5s",
        "like",
    ]
    listed = json.loads(call(workspace, "events", "list", "ann", "--json").stdout)
    assert (listed["video_id"], listed["actions"], listed["watch_seconds"]) == ("v1", ["like"], 4.5)


def test_compact_moves_closed_days(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a"), event("b")])
    assert call(workspace, "events", "compact").stdout == "moved 2 events of 1 days\n"
    assert json.loads(call(workspace, "events", "compact", "--json").stdout) == {"moved": 0, "days": 0}


def test_viewers_are_imported_and_shown(workspace: Workspace) -> None:
    path = workspace.root / "viewers.jsonl"
    path.write_text('{"uid": "ann", "age": 30, "likes": ["sea", "cats"]}\n')
    result = call(workspace, "viewers", "import", str(path), "--map", "viewer_id=uid")
    assert result.stdout.startswith("added 1 profile, 0 known already, in ")
    again = json.loads(call(workspace, "viewers", "import", str(path), "--map", "viewer_id=uid", "--json").stdout)
    assert (again["added"], again["duplicates"], again["rejects_file"]) == (0, 1, None)
    shown = call(workspace, "viewers", "show", "ann").stdout.splitlines()
    assert [line.split(None, 1) for line in shown] == [["age", "30"], ["likes", "sea, cats"]]
    as_json = json.loads(call(workspace, "viewers", "show", "ann", "--json").stdout)
    assert as_json == {"viewer_id": "ann", "age": 30, "likes": ["sea", "cats"]}
    with pytest.raises(UnknownIdError, match="no profile of a viewer 'bob': import some with"):
        call(workspace, "viewers", "show", "bob")
