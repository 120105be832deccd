"""What was backed up is what is restored, on either kind of live store, and nothing half-made passes for whole."""

from __future__ import annotations

import errno
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from swipewise.backup import live, make_backup, restore_backup, verify_backup
from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import ArtifactError, ConfigError, StoreError, WorkspaceError
from swipewise.events import EventLog, compact, read_events, read_profiles
from swipewise.events.address import DATABASE_VARIABLE
from swipewise.events.answers import Answers, read_answers
from swipewise.events.database import Database
from swipewise.events.history import History
from swipewise.events.job_records import JobRequest
from swipewise.events.jobs import JobQueue
from swipewise.events.reading import live_events
from swipewise.schema import Profile
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.events.examples import TEN, answer, event
from tests.killing import finish, start
from tests.postgres import shared_postgres

DAY = timedelta(days=1)
REQUEST = JobRequest(uri="s3://b/a.mp4", location="s3://b/a.mp4?sig=1", stated={"caption": "naïve"})


def fill(workspace: Workspace) -> None:
    """Events of a closed day and of today, a profile, a job and a file of each kind."""
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a", watch=1.5), event("b", "like", position=2), event("gone")])
        compact(workspace, now=TEN + DAY)
        log.append([event("c", at=TEN + DAY, video="ü"), event("d", at=TEN + DAY)])
        log.put_profiles([Profile(viewer_id="ann", features={"age": 30, "city": "Łódź"})])
    store = Database(workspace.events_dir)
    Answers(store).put([answer("r1"), answer("r2", "bob")])
    store.close()
    queue = JobQueue(Database(workspace.events_dir))
    queue.post([REQUEST])
    queue.close()
    for name in ("uploads/clip.mp4", "runs/done/run.json", "runs/done/model.safetensors", "runs/open/plan.json"):
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def content(workspace: Workspace) -> list[object]:
    """What a workspace holds, as its readers see it, without what a backup leaves out."""
    queue = JobQueue(Database(workspace.events_dir))
    jobs = [replace(job, request=replace(job.request, location=job.request.uri)) for job in queue.find()]
    queue.close()
    return [
        live_events(workspace.events_dir).rows(),
        History(workspace.events_dir).scan().collect().sort("event_id").rows(),
        read_profiles(workspace.events_dir).rows(),
        read_answers(workspace.events_dir).rows(),
        jobs,
        Catalog(workspace.catalog_dir).videos().rows(),
    ]


@pytest.mark.parametrize("restored_on", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was(
    workspace: Workspace, live_store: str, restored_on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace)
    expected = content(workspace)
    made = make_backup(workspace, tmp_path / "backup")
    assert made == verify_backup(tmp_path / "backup")
    assert (made.rows["events"], made.rows["profiles"], made.history_version) == (2, 1, 0)
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    with shared_postgres().schema() as address:
        if restored_on == "postgresql":
            monkeypatch.setenv(DATABASE_VARIABLE, address)
        restore_backup(tmp_path / "backup", tmp_path / "again")
        again = Workspace.open(tmp_path / "again")
        assert content(again) == expected
        assert (again.events_dir / "live.sqlite").exists() == (restored_on == "sqlite")
        # It goes on as the first one would have: numbers are not used again, known events are known.
        with EventLog.open(again.events_dir) as log:
            assert log.append([event("c"), event("d"), event("a"), event("new", at=TEN + DAY)]).added == 1
        assert live_events(again.events_dir)["event_id"].to_list() == ["c", "d", "new"]
        assert compact(again, now=TEN + 2 * DAY).moved == 3
        assert sorted(read_events(again.events_dir).collect()["event_id"]) == ["a", "b", "c", "d", "gone", "new"]
    assert (again.root / "uploads/clip.mp4").read_text() == "uploads/clip.mp4"
    assert sorted(path.name for path in again.runs_dir.rglob("*.*")) == ["model.safetensors", "run.json"]


def test_a_workspace_without_events_is_restored_too(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "new")
    make_backup(workspace, tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "again")
    assert not Workspace.open(tmp_path / "again").events_dir.exists()


@pytest.mark.usefixtures("live_store")
def test_events_that_are_posted_and_compacted_meanwhile(workspace: Workspace, tmp_path: Path) -> None:
    names = [f"e{number}" for number in range(200)]
    acknowledged: list[str] = []

    def post() -> None:
        with EventLog.open(workspace.events_dir) as log:
            for name in names:
                log.append([event(name)])
                acknowledged.append(name)
                if len(acknowledged) % 40 == 0:
                    compact(workspace, now=TEN + DAY)

    backups = []
    with ThreadPoolExecutor(1) as poster:
        posting = poster.submit(post)
        while not posting.done() or not backups:
            before = list(acknowledged)
            target = tmp_path / f"backup{len(backups)}"
            make_backup(workspace, target)
            backups.append((before, target))
    posting.result()
    for number, (before, target) in enumerate(backups[:: max(1, len(backups) // 3)]):
        root = tmp_path / f"again{number}"
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(DATABASE_VARIABLE, raising=False)
            restore_backup(target, root)
            found = read_events(root / "events").collect()["event_id"].to_list()
        assert set(before) <= set(found) <= set(names)
        assert len(found) == len(set(found))


@pytest.fixture
def backup(workspace: Workspace, tmp_path: Path) -> Path:
    fill(workspace)
    make_backup(workspace, tmp_path / "backup")
    return tmp_path / "backup"


@pytest.fixture
def expected(workspace: Workspace, backup: Path) -> list[object]:
    """What the backup holds; asked for before the store to restore to."""
    assert backup.exists()
    return content(workspace)


def test_every_damaged_file_is_noticed(backup: Path, tmp_path: Path) -> None:
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        whole = path.read_bytes()
        damages = [whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], whole + b"x"] if whole else [b"x"]
        for damaged in damages:
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=r"backup .* is damaged: .*; use another"):
                restore_backup(backup, tmp_path / "again")
        path.unlink()
        with pytest.raises(
            ArtifactError, match=r"is damaged: cannot read|is no backup, or one that was not finished"
        ):
            verify_backup(backup)
        path.write_bytes(whole)
    verify_backup(backup)
    assert not (tmp_path / "again").exists()


def test_nothing_but_what_the_manifest_names_is_restored(backup: Path, tmp_path: Path) -> None:
    (backup / "files" / "stray").write_text("x")
    restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again" / "stray").exists()
    manifest = verify_backup(backup)
    replace(manifest, files=manifest.files | {"files/../../out": (0, "")}).write(backup)
    with pytest.raises(ArtifactError, match="names files elsewhere"):
        restore_backup(backup, tmp_path / "other")


def test_backups_within_the_workspace_hold_no_earlier_ones(workspace: Workspace) -> None:
    make_backup(workspace, workspace.root / "backups" / "first")
    second = make_backup(workspace, workspace.root / "backups" / "second")
    assert [name for name in second.files if "first" in name] == []


def test_what_can_be_built_again_is_left_out(workspace: Workspace) -> None:
    workspace.index_dir.mkdir()
    (workspace.index_dir / "index.json").write_text("{}")
    made = make_backup(workspace, workspace.root / "backup")
    assert [name for name in made.files if "index.json" in name] == []


def test_a_backup_of_a_newer_version_is_left_alone(backup: Path, tmp_path: Path) -> None:
    replace(verify_backup(backup), live_schema=99).write(backup)
    with pytest.raises(ArtifactError, match="has schema 99, this Swipewise knows up to"):
        restore_backup(backup, tmp_path / "again")
    replace(verify_backup(backup), format=99).write(backup)
    with pytest.raises(ArtifactError, match="has format 99, this Swipewise knows up to 1: upgrade"):
        restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_backup_of_an_older_schema_is_migrated(backup: Path, tmp_path: Path) -> None:
    manifest = verify_backup(backup)
    older = {name: count for name, count in manifest.rows.items() if name in ("events", "profiles")}
    replace(manifest, live_schema=1, rows=older).write(backup)
    restore_backup(backup, tmp_path / "again")
    again = Workspace.open(tmp_path / "again")
    assert live_events(again.events_dir)["event_id"].to_list() == ["c", "d"]
    assert content(again)[3] == []


def test_nothing_is_written_over(workspace: Workspace, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="a backup needs a folder of its own, so name a folder that is new"):
        make_backup(workspace, backup)
    with pytest.raises(WorkspaceError, match="a restored workspace needs a folder of its own"):
        restore_backup(backup, workspace.root)
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is a file"):
        restore_backup(backup, tmp_path / "file")
    with pytest.raises(StoreError, match="cannot write beside"):
        make_backup(workspace, tmp_path / "file" / "backup")
    verify_backup(backup)


@pytest.mark.usefixtures("server")
def test_a_database_that_holds_a_live_log_is_not_written_over(
    backup: Path, workspace: Workspace, tmp_path: Path
) -> None:
    before = content(workspace)
    with pytest.raises(WorkspaceError, match=r"postgresql://.* holds a live log already: name an empty database"):
        restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert content(workspace) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from swipewise.backup import copying, restoring
from swipewise.workspace import Workspace

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

doing, place, source, target = sys.argv[1:]
setattr(copying if doing == "backup" else restoring, place, die)
if doing == "backup":
    copying.make_backup(Workspace.open(source), Path(target))
else:
    restoring.restore_backup(Path(source), Path(target))
"""


@pytest.mark.parametrize("place", ["copy_history", "measure_files", "put_in_place"])
def test_a_killed_backup_is_not_there_and_the_next_is_whole(
    workspace: Workspace, tmp_path: Path, place: str
) -> None:
    fill(workspace)
    target = tmp_path / "backup"
    assert finish(python("backup", place, workspace.root, target)).status == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(ArtifactError, match="is no backup, or one that was not finished"):
        restore_backup(target, tmp_path / "again")
    make_backup(workspace, target)
    verify_backup(target)
    assert [path.name for path in tmp_path.iterdir() if "backing-up" in path.name] == []


@pytest.mark.parametrize("place", ["load_live", "put_in_place"])
def test_a_killed_restore_is_not_there_and_the_next_is_whole(
    backup: Path, expected: list[object], live_store: str, tmp_path: Path, place: str
) -> None:
    target = tmp_path / "again"
    assert finish(python("restore", place, backup, target)).status == -signal.SIGKILL
    assert not target.exists()
    if (live_store, place) == ("postgresql", "put_in_place"):
        with pytest.raises(
            StoreError, match=r"a restore into postgresql://.* was not finished: restore again into"
        ):
            Database(tmp_path)
    restore_backup(backup, target)
    assert content(Workspace.open(target)) == expected


@pytest.mark.usefixtures("expected", "server")
def test_a_restore_that_fails_is_made_good_by_the_next(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("swipewise.backup.restoring.put_in_place", fail)
        with pytest.raises(StoreError, match="no room"):
            restore_backup(backup, tmp_path / "again")
    restore_backup(backup, tmp_path / "again")
    with pytest.raises(WorkspaceError, match="holds a live log already"):
        restore_backup(backup, tmp_path / "other")


@pytest.mark.usefixtures("expected", "server")
def test_a_restore_that_was_killed_at_the_very_end_does_not_pass_for_whole(
    backup: Path, expected: list[object], tmp_path: Path
) -> None:
    assert finish(python("restore", "release_live", backup, tmp_path / "again")).status == -signal.SIGKILL
    with pytest.raises(StoreError, match="was not finished: restore again into a new folder"):
        EventLog.open(tmp_path / "again" / "events")
    restore_backup(backup, tmp_path / "other")
    assert content(Workspace.open(tmp_path / "other")) == expected


def python(*arguments: object):  # type: ignore[no-untyped-def]
    import sys

    return start(sys.executable, "-c", KILLED, *arguments)


@pytest.mark.usefixtures("server")
def test_no_password_is_copied(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "shop")
    path = workspace.root / CONFIG_NAME
    address = "postgresql://ann:s3cret@db:5/shop?sslmode=require&sslpassword=s3cret"
    path.write_text(f'[events]\ndatabase = "{address}" # mine\n# database = "postgresql://old:s3cret@db"\n')
    queue = JobQueue(Database(workspace.events_dir))
    queue.post([JobRequest(uri="https://host/a.mp4", location="https://ann:s3cret@host/a.mp4?sig=s3cret")])
    queue.close()
    make_backup(Workspace.open(workspace.root), tmp_path / "backup")
    copied = (tmp_path / "backup/files" / CONFIG_NAME).read_text()
    assert 'database = "postgresql://ann@db:5/shop?sslmode=require"' in copied
    assert not any("s3cret" in each.read_text() for each in (tmp_path / "backup").rglob("*.*") if each.is_file())
    assert "https://host/a.mp4" in (tmp_path / "backup/live/jobs.jsonl").read_text()
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    path.write_text(f'events = {{ database = "{address}" }}\n')
    with pytest.raises(ConfigError, match=r"cannot take the password out of events\.database"):
        make_backup(Workspace.open(workspace.root), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_history_files_that_are_cleared_away_meanwhile(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swipewise.backup import stores

    fill(workspace)
    copy, rewritten = stores.copy_file, []

    def rewrite_first(source: Path, target: Path) -> None:
        if not rewritten:
            rewritten.append(source)
            table = History(workspace.events_dir).table()
            assert table is not None
            table.delete("event_id = 'gone'")
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
        copy(source, target)

    monkeypatch.setattr(stores, "copy_file", rewrite_first)
    assert make_backup(workspace, tmp_path / "backup").history_version == 3
    restore_backup(tmp_path / "backup", tmp_path / "again")
    found = read_events(tmp_path / "again" / "events").select("event_id").collect()
    assert found.sort("event_id").equals(pl.DataFrame({"event_id": ["a", "b", "c", "d"]}))


def test_the_commands(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace)
    target = str(tmp_path / "backup")

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert call("backup", target, "-w", str(workspace.root)).startswith(f"made {target}: ")
    assert call("backup", "--verify", target).startswith(f"checked {target}: ")
    told = json.loads(call("restore", target, str(tmp_path / "again"), "--json"))
    assert (told["rows"]["events"], told["workspace"]) == (2, str(tmp_path / "again"))
    assert Workspace.open(tmp_path / "again").config == workspace.config


def test_a_full_disk_below_the_backup_is_not_put_down_to_the_live_log(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(live, "_dump", full)
    with pytest.raises(StoreError, match=r"cannot back up .* to .*monday: .*No space left on device"):
        make_backup(workspace, tmp_path / "monday")
    assert not (tmp_path / "monday").exists()
