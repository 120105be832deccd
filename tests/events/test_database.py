"""Where the live store lies, and what holds on every kind of it."""

from __future__ import annotations

import resource
import sqlite3
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from swipewise.errors import ConfigError, MissingExtraError, StoreError
from swipewise.events import EventLog, read_events
from swipewise.events import database as database_module
from swipewise.events.address import DATABASE_VARIABLE, find_database, shown
from swipewise.events.database import EVENTS, Database
from swipewise.events.job_records import JobRequest
from swipewise.events.jobs import JobQueue
from swipewise.events.reading import live_events
from swipewise.schema import Col
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.events.examples import event
from tests.postgres import Postgres, shared_postgres


def configure(workspace: Workspace, address: str) -> Path:
    (workspace.root / CONFIG_NAME).write_text(f'[events]\ndatabase = "{address}"\n')
    return workspace.events_dir


def test_the_store_is_a_file_unless_another_is_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = workspace.events_dir / "live.sqlite"
    assert shown(find_database(workspace.events_dir)) == str(own)
    configure(workspace, "postgresql://ann@db:5433/shop?sslmode=require")
    url = find_database(workspace.events_dir)
    assert url.render_as_string() == "postgresql+psycopg://ann@db:5433/shop?sslmode=require"
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql+psycopg://eve@other/shop")
    assert find_database(workspace.events_dir).host == "other"


def test_the_password_comes_from_the_environment_and_is_never_shown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(workspace, "postgresql://ann:inthefile@db/shop?password=s3cret&sslpassword=s3cret")
    assert find_database(workspace.events_dir).password == "inthefile"
    monkeypatch.setenv("SWIPEWISE_DATABASE_PASSWORD", "s3cr:et@/")
    url = find_database(workspace.events_dir)
    assert url.password == "s3cr:et@/"
    assert shown(url) == "postgresql://ann@db/shop"


def test_an_error_shows_no_password(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIPEWISE_DATABASE_PASSWORD", "s3cret")
    configure(workspace, "postgresql://ann@127.0.0.1:1/shop")
    with pytest.raises(
        StoreError, match=r"cannot use the live event log postgresql://ann@127.0.0.1:1/shop: "
    ) as error:
        EventLog.open(workspace.events_dir)
    assert "s3cret" not in f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize(
    "address", ["mysql://ann:s3cret@db/shop", "ann:s3cret@db", "postgresql://ann:s3cret@db:port/shop"]
)
def test_an_address_that_cannot_be_is_refused_unquoted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    with pytest.raises(ConfigError, match=r"SWIPEWISE_DATABASE .*postgresql://user@host:5432/name") as error:
        Database(workspace.events_dir)
    assert "s3cret" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_the_file_is_refused_with_its_line(workspace: Workspace) -> None:
    configure(workspace, "mysql://ann:s3cret@db/shop")
    expected = r"toml:2: events.database must be postgresql://user@host:5432/name or empty, not mysql://\.\.\.$"
    with pytest.raises(ConfigError, match=expected):
        Workspace.open(workspace.root)


def test_a_run_does_not_record_the_address(workspace: Workspace) -> None:
    configure(workspace, "postgresql://ann:s3cret@db/shop")
    assert "s3cret" not in str(Workspace.open(workspace.root).config.as_record())


def test_without_the_driver_the_extra_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    configure(workspace, "postgresql://ann@db/shop")
    with pytest.raises(MissingExtraError, match=r"PostgreSQL needs .* pip install 'swipewise\[postgres\]'"):
        Database(workspace.events_dir)


def test_a_file_that_is_no_store_is_named(workspace: Workspace) -> None:
    workspace.events_dir.mkdir()
    (workspace.events_dir / "live.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"cannot use the live event log .*live.sqlite: file is not a database"):
        EventLog.open(workspace.events_dir)


def test_the_log_is_written_through_to_disk(workspace: Workspace, live_store: str, written_through: None) -> None:
    if live_store == "postgresql":
        shared_postgres().execute("ALTER ROLE postgres SET synchronous_commit = off")
    names = {"sqlite": ["PRAGMA journal_mode", "PRAGMA synchronous"], "postgresql": ["SHOW synchronous_commit"]}
    database = Database(workspace.events_dir)
    try:
        with database.read() as connection:
            settings = [connection.exec_driver_sql(name).scalar() for name in names[live_store]]
    finally:
        database.close()
        if live_store == "postgresql":
            shared_postgres().execute("ALTER ROLE postgres RESET synchronous_commit")
    assert settings == {"sqlite": ["wal", 2], "postgresql": ["on"]}[live_store]


def test_several_may_open_a_new_store_at_once(workspace: Workspace, live_store: str) -> None:
    start, failed = threading.Barrier(6), []

    def open_it() -> None:
        start.wait()
        try:
            Database(workspace.events_dir).close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.usefixtures("live_store")
def test_text_that_no_database_likes_is_no_outage(workspace: Workspace) -> None:
    database = Database(workspace.events_dir)
    queue = JobQueue(database)
    (job,) = queue.post([JobRequest(uri="/a\0b.mp4", location="/a\0b.mp4")])
    queue.take("me", limit=1, lease_seconds=60, attempts=1)
    queue.finish("me", job.job_id, outcome="rejected", reason="bad\0byte ü", seconds={})
    assert str(queue.get(job.job_id).reason).replace("\0", "\ufffd") == "bad\ufffdbyte ü"
    assert live_events(workspace.events_dir, EVENTS.c[Col.VIEWER_ID] == "\0").is_empty()
    database.close()


@pytest.mark.usefixtures("live_store")
def test_a_reader_sees_one_moment(workspace: Workspace) -> None:
    count = sa.text("SELECT count(*) FROM events")
    database = Database(workspace.events_dir)
    with EventLog.open(workspace.events_dir) as log, database.read() as connection:
        before = connection.scalar(count)
        log.append([event("a")])
        assert connection.scalar(count) == before == 0
    with database.read() as connection:
        assert connection.scalar(count) == 1
    database.close()


def append(workspace: Workspace, event_id: str) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event(event_id)])


@pytest.mark.usefixtures("live_store")
def test_writers_come_one_after_the_other(workspace: Workspace) -> None:
    database = Database(workspace.events_dir)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = version"))
        writer = threading.Thread(target=append, args=(workspace, "a"))
        writer.start()
        writer.join(0.3)
        assert writer.is_alive(), "it waits for the first"
        assert live_events(workspace.events_dir).is_empty(), "readers wait for nobody"
    writer.join(30)
    assert live_events(workspace.events_dir).height == 1
    database.close()


@contextmanager
def full_disk(database: Database, kind: str) -> Iterator[None]:
    """A disk on which the live log cannot grow."""
    if kind == "sqlite":
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        # It holds for every file of this process, so nothing may be printed meanwhile.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    yield
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER full_disk ON events")


def test_on_a_full_disk_nothing_is_acknowledged_and_what_was_stays(workspace: Workspace, live_store: str) -> None:
    append(workspace, "before")
    database = Database(workspace.events_dir)
    with EventLog.open(workspace.events_dir) as log:
        with full_disk(database, live_store), pytest.raises(StoreError, match="cannot use the live event log"):
            log.append([event("lost")])
        assert read_events(workspace.events_dir).collect()["event_id"].to_list() == ["before"]
        assert log.append([event("after")]).added == 1
    database.close()


def test_a_lost_server_is_an_error_and_a_restarted_one_works_again(workspace: Workspace, server: Postgres) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a")])
        server.kill()
        for _ in range(2):
            with pytest.raises(StoreError, match="cannot use the live event log postgresql://"):
                log.append([event("b")])
        with pytest.raises(StoreError):
            log.profile("ann")
        server.start()
        assert log.append([event("a"), event("b")]).added == 1
        assert log.profile("ann") is None


def test_connections_that_broke_while_idle_are_not_noticed(workspace: Workspace, server: Postgres) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a")])
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'swipewise'"
        )
        assert log.profile("ann") is None


@pytest.mark.usefixtures("server")
def test_more_readers_than_connections_is_an_error_that_passes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_POOL_SIZE", 1)
    monkeypatch.setattr(database_module, "_POOL_SECONDS", 0.05)
    with EventLog.open(workspace.events_dir) as log:
        with (
            log._database.read(),
            pytest.raises(StoreError, match=r"cannot use the live event log .*limit of size 1"),
        ):
            log.append([event("a")])
        assert log.append([event("a")]).added == 1


def test_a_connection_that_breaks_amid_an_append_is_made_anew(
    workspace: Workspace, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventLog.open(workspace.events_dir) as log:
        store, broken = log._store, []

        def break_once(connection: sa.Connection, rows: list[dict[str, object]]) -> int:
            if not broken:
                broken.append(connection.scalar(sa.text("SELECT pg_backend_pid()")))
                server.execute(f"SELECT pg_terminate_backend({broken[0]}, 5000)")
            return store(connection, rows)

        monkeypatch.setattr(log, "_store", break_once)
        assert log.append([event("a")]).added == 1
    assert broken
    assert live_events(workspace.events_dir).height == 1


@pytest.mark.usefixtures("server")
def test_a_primary_that_became_a_standby_is_left(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a")])
        # A connection that takes no writes stands for a server that has become a standby.
        with log._database.write() as connection:
            connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        assert log.append([event("b")]).added == 1


def test_a_new_store_may_be_opened_while_another_makes_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "live.sqlite", isolation_level=None)) as maker:
        maker.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(Database, tmp_path)
            wait([opening], timeout=0.3)  # a failure would come at once
            maker.execute("ROLLBACK")
            opening.result().close()


def test_a_full_disk_is_told_with_the_way_out_and_keeps_what_was_there(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("kept")])
    database = Database(workspace.events_dir)

    def more() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("CREATE TABLE more (x TEXT)")

    try:
        with pytest.raises(StoreError, match=r"database or disk is full: make room on its disk and try again"):
            more()
    finally:
        database.close()
    assert live_events(workspace.events_dir).height == 1
