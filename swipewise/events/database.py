"""The live store: an SQLite file in WAL mode or a PostgreSQL database, spoken to through SQLAlchemy Core.

Whatever the two do differently is here, in ``migrations`` and in ``rewriting``; everybody else writes statements that
both understand.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

from swipewise.errors import MissingExtraError, StoreError
from swipewise.events.address import find_database, shown
from swipewise.events.migrations import is_current, migrate
from swipewise.events.rewriting import scrub_postgresql, scrub_sqlite
from swipewise.schema import Col

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_BUSY_MS = 60_000
_RETRY_SECONDS = 0.01
_PRIMARY_CODE = 0xFF  # the rest of an SQLite error code says more of the same error

SEQ = "seq"
FEATURES = "features"

EVENTS: Final = sa.table(
    "events",
    sa.column(SEQ, sa.BigInteger),
    sa.column(Col.EVENT_ID, sa.Text),
    sa.column(Col.VIEWER_ID, sa.Text),
    sa.column(Col.VIDEO_ID, sa.Text),
    sa.column(Col.ACTION, sa.Text),
    sa.column(Col.AT, sa.BigInteger),  # microseconds since 1970 UTC
    sa.column(Col.WATCH_SECONDS, sa.Double),
    sa.column(Col.POSITION, sa.Integer),
)
PROFILES: Final = sa.table(
    "profiles",
    sa.column(Col.VIEWER_ID, sa.Text),
    sa.column(FEATURES, sa.Text),  # a JSON object with sorted keys
    sa.column(Col.UPDATED_AT, sa.BigInteger),
)

# Writers come one after the other, on PostgreSQL as on SQLite: then a number of `seq` is seen before any higher one,
# which compaction relies on, and what was looked up still holds when it is acted upon. One lock a schema.
_WRITE_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('swipewise ' || current_schema(), 0))"
_SESSION: Final = (
    f"SET lock_timeout = {_BUSY_MS}",
    # A writer that hangs must not keep the others out for ever.
    f"SET idle_in_transaction_session_timeout = {_BUSY_MS}",
    # A server may be set to acknowledge what is not on disk yet.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
# A vanished server is noticed within seconds, by a connection that waits as by one that is made.
_CONNECT: Final = {"connect_timeout": "10", "keepalives_idle": "10", "tcp_user_timeout": "20000"}
_ROWS_A_STATEMENT: Final = 100  # of seven columns; older SQLite takes 999 values
_POOL_SIZE = 5
_POOL_SECONDS = 10
_READ_ONLY_STATE = "25006"

_Found = TypeVar("_Found")


class Database:
    """The live store, opened; connections are taken from it for one transaction each. Threads may share it.

    Args:
        events_dir: The events folder of a workspace, whose configuration says where the live store lies.
        migrated: Whether it is made or brought to the newest schema; a restore does that itself.

    Raises:
        ConfigError: Where it lies cannot be understood.
        StoreError: It cannot be opened, or a newer version wrote it.
    """

    def __init__(self, events_dir: Path, *, migrated: bool = True) -> None:
        self._open(events_dir)
        if migrated:
            self._migrate()

    def _migrate(self) -> None:
        try:
            with self.read() as connection:
                current = is_current(connection)
            if not current:
                with self.write() as connection:
                    migrate(connection, self.name)
        except BaseException:
            self.close()
            raise

    def _open(self, events_dir: Path) -> None:
        url = find_database(events_dir)
        self.name = shown(url)
        with self._named_errors(OSError):
            if url.get_backend_name() == "sqlite":
                events_dir.mkdir(parents=True, exist_ok=True)
                self._engine = _sqlite_engine(url)
            else:
                self._engine = _postgresql_engine(url)

    def close(self) -> None:
        """Give back the file or the connections."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that no other writer can come between; on disk when the block ends.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._named_errors(), self._engine.begin() as connection:
            yield connection

    def write_again(self, work: Callable[[sa.Connection], _Found]) -> _Found:
        """Do work in one ``write``, and once more if the connection breaks, even where the first may have counted.

        Args:
            work: What is to be done; doing it twice must be the same as once.

        Raises:
            StoreError: The store cannot be written.
        """
        try:
            with self.write() as connection:
                return work(connection)
        except StoreError as error:
            cause = error.__cause__
            if not (isinstance(cause, sa.exc.DBAPIError) and cause.connection_invalidated):
                raise
        with self.write() as connection:
            return work(connection)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view, which neither waits for writers nor holds them up.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._named_errors(), self._engine.connect() as connection:
            connection.execution_options(swipewise_reads_only=True)
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def insert(self, table: sa.TableClause) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        if self._engine.dialect.name == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # slow to import

        return postgresql.insert(table)

    def add_new(
        self,
        connection: sa.Connection,
        table: sa.TableClause,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> int:
        """Insert rows, but for those whose first column is there already; how many were.

        They go to the driver as they are: SQLAlchemy takes as long to look at a row as SQLite to store it. Most go
        many to a statement, as what SQLite does once a statement takes as long again.
        """
        on_sqlite = connection.dialect.name == "sqlite"
        # What one statement of many rows has changed is kept to be undone, unless a failure may leave it half done: it
        # undoes the whole transaction anyway.
        insert, mark = ("INSERT OR FAIL", "?") if on_sqlite else ("INSERT", "%s")
        row = f"({', '.join([mark] * len(columns))})"
        together = len(rows) - len(rows) % _ROWS_A_STATEMENT
        starts = range(0, together, _ROWS_A_STATEMENT)
        many = [tuple(chain.from_iterable(rows[start : start + _ROWS_A_STATEMENT])) for start in starts]
        added = 0
        for count, values in ((_ROWS_A_STATEMENT, many), (1, list(rows[together:]))):
            statement = (
                f"{insert} INTO {table.name} ({', '.join(columns)}) VALUES {', '.join([row] * count)} "
                f"ON CONFLICT ({columns[0]}) DO NOTHING"
            )
            added += connection.exec_driver_sql(statement, values).rowcount if values else 0
        return added

    def scrub(self, tables: Sequence[sa.TableClause]) -> None:
        """Write tables anew, so that nothing of what was deleted is left in their files; on SQLite the whole store.

        It gives up within seconds where somebody else reads or writes for longer, as whoever comes after it waits for
        as long as it does. What PostgreSQL's own log, statistics and backups keep is for whoever runs it to clear.

        Raises:
            StoreError: It cannot be written, or is being read of before the deletion.
        """
        with self._named_errors(), self._engine.connect() as connection:
            # What is set here is for this alone: the connection is closed in the end, not given back.
            if connection.dialect.name == "sqlite":
                connection.execution_options(swipewise_begins_nothing=True).detach()
                free = scrub_sqlite(connection)
            else:
                connection.execution_options(isolation_level="AUTOCOMMIT", swipewise_reads_only=True).detach()
                free = scrub_postgresql(connection, tables)
        if not free:
            raise StoreError(
                f"cannot clear {self.name} of what was deleted while it is being read: try again later"
            )

    @contextmanager
    def _named_errors(self, *more: type[Exception]) -> Iterator[None]:
        """Have what the database says, and errors of these types, name it."""
        named: tuple[type[Exception], ...] = (sa.exc.DBAPIError, sa.exc.TimeoutError, *more)
        try:
            yield
        except named as error:
            raise StoreError(
                f"cannot use the live event log {self.name}: {_cause(error)}{_hint(error)}"
            ) from error


_WAYS_OUT: Final = {
    "not a database": "bring it back with 'swipewise restore', or move it away and import its events again",
    "malformed": "bring it back with 'swipewise restore', or move it away and import its events again",
    "disk is full": "make room on its disk and try again; what was stored is there",
    "unable to open database file": "see that its folder may be written by this user, who has to for reading too",
    "readonly database": "see that the file and its folder may be written by this user",
}
"""What an SQLite file can suffer, in its words, and what to do."""


def _hint(error: Exception) -> str:
    told = str(error)
    return next((f": {way_out}" for words, way_out in _WAYS_OUT.items() if words in told), "")


@contextmanager
def existing_database(events_dir: Path) -> Iterator[Database | None]:
    """The live store if there is one; readers must not make it.

    Raises:
        StoreError: It is there and cannot be read.
    """
    if not _exists(events_dir):
        yield None
        return
    database = Database(events_dir)
    try:
        yield database
    finally:
        database.close()


def _exists(events_dir: Path) -> bool:
    url = find_database(events_dir)
    # Whether a database holds the tables is seen by asking it; an empty one is as good as one with empty tables.
    return url.get_backend_name() != "sqlite" or Path(str(url.database)).exists()


def _cause(error: Exception) -> str:
    """What went wrong in the database's words, on one line, without its details, which may quote a row's values."""
    cause = (error.orig or error) if isinstance(error, sa.exc.DBAPIError) else error
    diagnosis = getattr(cause, "diag", None)
    return " ".join(str(getattr(diagnosis, "message_primary", None) or cause).split())


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    # What is written may hold secrets, such as the signature of an address, and no error must quote it.
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_MS / 1000}, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Transactions are begun below: the driver would begin them late and without the write lock.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _turn_wal_on(connection)
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("swipewise_begins_nothing", False):
            return  # some statements run outside of any transaction only
        # A deferred transaction that turns from reading to writing fails at once if another has written meanwhile.
        connection.exec_driver_sql("BEGIN" if _reads_only(connection) else "BEGIN IMMEDIATE")

    return engine


def _turn_wal_on(connection: sqlite3.Connection) -> None:
    """Have the file in WAL mode, which it stays in; several may open a new file at once."""
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # Two that turn from reading a file to changing its mode would wait for each other for ever, so SQLite
            # refuses one of them at once, whatever its timeout.
            busy = error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    url = url.set(query={**_CONNECT, "application_name": "swipewise", **url.query})
    try:
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            # As on SQLite, the rows that an INSERT of many has added are counted.
            execution_options={"preserve_rowcount": True},
            # Connections that a restart of the server or a failover broke are replaced when they are next asked for.
            pool_pre_ping=True,
            pool_size=_POOL_SIZE,
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("a live store on PostgreSQL", "postgres") from error

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.adapters.register_dumper(str, _text_dumper())
        for statement in _SESSION:
            connection.execute(statement)
        connection.commit()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if not _reads_only(connection):
            connection.exec_driver_sql(_WRITE_LOCK)

    @sa.event.listens_for(engine, "handle_error")
    def leave_a_standby(context: sa.engine.ExceptionContext) -> None:
        # After a failover the old primary may live on without taking writes: look again for the one that does.
        state = getattr(context.original_exception, "sqlstate", None)
        if state == _READ_ONLY_STATE and context.connection is not None and not _reads_only(context.connection):
            context.is_disconnect = True

    return engine


@cache
def _text_dumper() -> type[Any]:
    """What hands text to PostgreSQL, which knows no NUL: U+FFFD stands for it, as for what cannot be decoded."""
    from psycopg.types.string import StrDumperUnknown

    class TextDumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    return TextDumper


def _reads_only(connection: sa.Connection) -> bool:
    return bool(connection.get_execution_options().get("swipewise_reads_only", False))
