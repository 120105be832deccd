"""``swipewise viewers``: export and erase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import UnknownIdError, WorkspaceError
from swipewise.events import EventLog, read_events
from swipewise.schema import Col, Profile
from swipewise.workspace import Workspace
from tests.events.examples import event
from tests.events.traces import holders

GONE = "zoe-7f3a91"


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "shop")
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("e1", viewer=GONE), event("e2", viewer="ann")])
        log.put_profiles([Profile(viewer_id=GONE, features={"age": "18"})])
    return workspace


def invoke(workspace: Workspace, *arguments: str, answer: str | None = None) -> Result:
    words = ["viewers", *arguments, "--workspace", str(workspace.root)]
    return CliRunner().invoke(cli, words, input=answer)


def test_export_prints_everything_a_line_each(shop: Workspace) -> None:
    rows = [json.loads(line) for line in invoke(shop, "export", GONE).stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["profile", "event"]
    assert rows[1]["event_id"] == "e1"
    failed = invoke(shop, "export", "nobody")
    assert isinstance(failed.exception, UnknownIdError)
    assert str(failed.exception) == "nothing is kept about a viewer 'nobody'"


def test_erase_asks_first_and_leaves_nothing(shop: Workspace) -> None:
    refused = invoke(shop, "erase", GONE, answer="n\n")
    assert (refused.exit_code, f"Erase everything about viewer '{GONE}' from" in refused.stderr) == (1, True)
    assert holders(shop.root, GONE)
    assert invoke(shop, "erase", GONE, "--yes").stdout == f"erased viewer '{GONE}' with 1 event\n"
    assert holders(shop.root, GONE) == []
    assert read_events(shop.events_dir).collect()[Col.EVENT_ID].to_list() == ["e2"]
    again = invoke(shop, "erase", GONE, "--yes", "--json")
    assert json.loads(again.stdout) == {"viewer_id": GONE, "events": 0, "known": False}
    nobody = invoke(shop, "erase", "nobody", "--yes").stdout
    assert nobody.startswith("nothing was kept about a viewer 'nobody': is the id right?")


def test_erase_beside_an_import_says_what_is_left_and_goes_on_later(shop: Workspace) -> None:
    with shop.lock("history"):
        held = invoke(shop, "erase", GONE, "--yes", "--wait", "0")
    assert isinstance(held.exception, WorkspaceError)
    assert "is erased from the live store, not yet from files: another process is running 'history'" in str(
        held.exception
    )
    assert invoke(shop, "erase", GONE, "--yes").exit_code == 0
    assert holders(shop.root, GONE) == []


def test_an_import_says_whom_it_left_out(shop: Workspace, tmp_path: Path) -> None:
    invoke(shop, "erase", GONE, "--yes")
    users = tmp_path / "users.csv"
    users.write_text(f"viewer_id,age\n{GONE},18\nbob,20\n")
    assert "left out 1 profile of viewers who were erased" in invoke(shop, "import", str(users)).stdout


def test_exports_and_erasures_leave_a_trail_that_names_nobody(shop: Workspace) -> None:
    invoke(shop, "export", "ann")
    invoke(shop, "erase", "ann", "--yes")
    told = CliRunner().invoke(cli, ["keys", "audit", "--json", "-w", str(shop.root)]).stdout
    assert [entry["action"] for entry in json.loads(told)] == ["viewers erase", "viewers export"]
    assert "ann" not in told
