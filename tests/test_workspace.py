"""A workspace on disk: how it is made, found and locked."""

from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swipewise.config import Config, template
from swipewise.errors import ConfigError, StoreError, WorkspaceError
from swipewise.workspace import CONFIG_NAME, VARIABLE, Workspace


def test_a_new_workspace_holds_a_configuration_with_the_defaults(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "a" / "shop")
    assert workspace == Workspace(root=tmp_path / "a" / "shop", config=Config())
    assert (workspace.root / CONFIG_NAME).read_text(encoding="utf-8") == template()
    assert [path.name for path in workspace.root.iterdir()] == [CONFIG_NAME]


def test_a_folder_that_holds_other_things_may_become_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    Workspace.create(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_workspace_is_not_made_over_another(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("[feed]\nsize = 3\n")
    with pytest.raises(WorkspaceError, match=f"{tmp_path} is a workspace already, or a file: choose another"):
        Workspace.create(tmp_path)
    assert Workspace.open(tmp_path).config.feed.size == 3


def test_a_workspace_is_not_made_in_place_of_a_file_nor_below_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WorkspaceError, match="is a workspace already, or a file: choose another folder"):
        Workspace.create(tmp_path / "file")
    with pytest.raises(WorkspaceError, match=f"cannot make a workspace at {tmp_path}/file/shop: Not a directory"):
        Workspace.create(tmp_path / "file" / "shop")


def test_it_is_found_by_argument_before_variable_before_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, named, here = (Workspace.create(tmp_path / name).root for name in ("given", "named", "here"))
    monkeypatch.chdir(here)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Workspace.open().root == here
    monkeypatch.setenv(VARIABLE, str(named))
    assert Workspace.open().root == named
    assert Workspace.open(given).root == given
    assert Workspace.open(str(given)).root == given
    monkeypatch.setenv(VARIABLE, "")
    assert Workspace.open().root == here


def test_its_root_stays_true_when_the_process_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Workspace.create(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    assert Workspace.open("shop").root == tmp_path / "shop"


def test_its_parts_lie_within(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    parts = [workspace.catalog_dir, workspace.events_dir, workspace.runs_dir, workspace.report_dir]
    assert len(set(parts)) == 4
    assert {part.parent for part in parts} == {tmp_path}


def test_where_there_is_none_the_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkspaceError, match=rf"no swipewise\.toml in {tmp_path}: make a workspace") as raised:
        Workspace.open(tmp_path)
    assert f"'swipewise init {tmp_path}', or name one with --workspace or {VARIABLE}" in str(raised.value)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(WorkspaceError, match=f"no swipewise.toml in {tmp_path}/gone"):
        Workspace.open()


def test_a_configuration_that_cannot_be_understood_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("[feed]\nsiz = 3\n")
    with pytest.raises(ConfigError, match="unknown key 'siz'"):
        Workspace.open(tmp_path)


HOLD = """
import sys, time
from swipewise.workspace import Workspace
with Workspace.open(sys.argv[1]).lock("train"):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held_by_another(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(workspace: Workspace, name: str) -> str:
    with workspace.lock(name):
        return "taken"


def test_one_process_at_a_time_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    with held_by_another(workspace) as process:
        with pytest.raises(
            WorkspaceError, match=f"another process is running 'train' in {tmp_path}: wait for it to end"
        ):
            take(workspace, "train")
        assert take(workspace, "ingest") == "taken"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert take(workspace, "train") == "taken"


def test_a_lock_is_freed_at_the_end_and_after_an_error(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    with workspace.lock("train"), pytest.raises(WorkspaceError, match="another process"):
        take(workspace, "train")
    with pytest.raises(ZeroDivisionError), workspace.lock("train"):
        raise ZeroDivisionError
    assert take(workspace, "train") == "taken"


def test_a_lock_that_cannot_be_written(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    (tmp_path / ".train.lock").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*\.train\.lock: Is a directory"):
        take(workspace, "train")


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=r"cannot lock .*\.train\.lock: No locks available"):
        take(Workspace.create(tmp_path), "train")
