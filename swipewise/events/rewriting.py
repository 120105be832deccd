"""How a live store is written anew, so that its files hold nothing of what was deleted.

Whoever comes after a rewriting that waits for others waits as well, so it gives up soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Final

import sqlalchemy as sa

PATIENCE_MS = 1_500

_READ_OF_BEFORE: Final = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND greatest(age(backend_xmin), age(backend_xid)) >= age(%(begun)s::xid)
    )
"""


def scrub_sqlite(connection: sa.Connection) -> bool:
    """Write the whole store anew and empty its log; whether nobody's reading was in the way."""
    connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS}")
    # The log still holds the pages as they were, and is emptied once nobody reads them. Tried first: a rewriting that
    # cannot be followed by that lengthens it by the whole store.
    if not _sqlite_log_emptied(connection):
        return False
    connection.exec_driver_sql("VACUUM")
    return _sqlite_log_emptied(connection)


def _sqlite_log_emptied(connection: sa.Connection) -> bool:
    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy


def scrub_postgresql(connection: sa.Connection, tables: Sequence[sa.TableClause]) -> bool:
    """Write tables anew; whether nobody's reading was in the way."""
    connection.exec_driver_sql(f"SET lock_timeout = {PATIENCE_MS}")
    # Rewriting keeps what a transaction from before the deletion may still see, so such ones have to be over.
    begun = connection.exec_driver_sql("SELECT pg_current_xact_id()::xid::text").scalar_one()
    give_up = monotonic() + PATIENCE_MS / 1000
    while connection.exec_driver_sql(_READ_OF_BEFORE, {"begun": begun}).scalar_one():
        if monotonic() > give_up:
            return False
        sleep(0.05)
    connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(table.name for table in tables)}")
    return True
