"""The live store: an SQLite file in WAL mode, spoken to through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from swipewise.errors import StoreError
from swipewise.events.migrations import is_current, migrate
from swipewise.schema import Col

LIVE_NAME: Final = "live.sqlite"
_BUSY_MS = 60_000

SEQ = "seq"
FEATURES = "features"

EVENTS: Final = sa.table(
    "events",
    sa.column(SEQ, sa.Integer),
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


class Database:
    """The live store, opened; connections are taken from it for one transaction each."""

    def __init__(self, events_dir: Path) -> None:
        self.path = events_dir / LIVE_NAME
        with self._named_errors():
            events_dir.mkdir(parents=True, exist_ok=True)
            # What is written may hold secrets, such as the signature of an address, and no error must quote it.
            self._engine = sa.create_engine(
                f"sqlite:///{self.path}", connect_args={"timeout": _BUSY_MS / 1000}, hide_parameters=True
            )
            sa.event.listen(self._engine, "connect", _configure)
            sa.event.listen(self._engine, "begin", _begin)
            try:
                with self.read() as connection:
                    current = is_current(connection)
                if not current:
                    with self.write() as connection:
                        migrate(connection, str(self.path))
            except BaseException:
                self._engine.dispose()
                raise

    def close(self) -> None:
        """Give back the file."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that no other writer can come between; on disk when the block ends.

        Raises:
            StoreError: The file cannot be written.
        """
        with self._named_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view, which neither waits for writers nor holds them up.

        Raises:
            StoreError: The file cannot be read.
        """
        with self._named_errors(), self._engine.connect() as connection:
            connection.execution_options(swipewise_reads_only=True)
            with connection.begin():
                yield connection

    def scrub(self) -> None:
        """Write the store anew, so that nothing of what was deleted is left in its files.

        Raises:
            StoreError: It cannot be written, or somebody reads for longer than a writer waits.
        """
        with self._named_errors(), self._engine.connect() as connection:
            connection.execution_options(swipewise_begins_nothing=True)
            connection.exec_driver_sql("VACUUM")
            # The log still holds the pages as they were; it is emptied once nobody reads them.
            busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if busy:
            raise StoreError(f"cannot empty the log of {self.path} while it is being read: try again")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, OSError) as error:
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise StoreError(f"cannot use the live event log {self.path}: {cause}") from error


@contextmanager
def existing_database(events_dir: Path) -> Iterator[Database | None]:
    """The live store if there is one; readers must not make it.

    Raises:
        StoreError: It is there and cannot be read.
    """
    if not (events_dir / LIVE_NAME).exists():
        yield None
        return
    database = Database(events_dir)
    try:
        yield database
    finally:
        database.close()


def _configure(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin: the driver would begin them late and without the write lock.
    connection.isolation_level = None
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("swipewise_begins_nothing", False):
        return  # some statements run outside of any transaction only
    reads_only = options.get("swipewise_reads_only", False)
    # A deferred transaction that turns from reading to writing fails at once if another has written meanwhile.
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
