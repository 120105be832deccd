"""The schema of the live store as numbered steps, on SQLite and PostgreSQL alike.

Append new ones; never change one that was released. Each step defines the tables as they were at its time; with
today's definitions it would change as they do.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from swipewise.errors import StoreError

# SQLite numbers rows by an INTEGER alone; there it has 64 bits, elsewhere 32.
_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

VERSION = sa.Table("schema_version", sa.MetaData(), sa.Column("version", sa.Integer, nullable=False))


def _events_and_profiles(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    sa.Table(
        "events",
        tables,
        # Numbers are never used again, so that compaction can name what it moved by a range of them.
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("viewer_id", sa.Text, nullable=False),
        sa.Column("video_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("watch_seconds", sa.Double),
        sa.Column("position", sa.Integer),
        sa.Index("events_by_viewer", "viewer_id", "at"),
        sqlite_autoincrement=True,
    )
    sa.Table(
        "profiles",
        tables,
        sa.Column("viewer_id", sa.Text, primary_key=True),
        sa.Column("features", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    tables.create_all(connection)


def _jobs(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    sa.Table(
        "jobs",
        tables,
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.Text, nullable=False, unique=True),
        sa.Column("request_key", sa.Text, nullable=False, unique=True),
        sa.Column("request_fingerprint", sa.Text, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("location", sa.Text),
        sa.Column("video_id", sa.Text),
        sa.Column("stated", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stage", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Index("jobs_by_state", "state", "seq"),
        sa.Index("jobs_by_owner", "owner"),
        sqlite_autoincrement=True,
    )
    tables.create_all(connection)


def _keys_and_audit(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    sa.Table(
        "api_keys",
        tables,
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("key_id", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    sa.Table(
        "audit",
        tables,
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("request_id", sa.Text),
        sqlite_autoincrement=True,
    )
    tables.create_all(connection)


def _controls_and_erasures(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    sa.Table(
        "viewer_controls",
        tables,
        sa.Column("viewer_id", sa.Text, primary_key=True),
        sa.Column("controls", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "erased_viewers",
        tables,
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    # What is left to do of erasures; the id is there only as long as it is needed.
    sa.Table(
        "erasures",
        tables,
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("viewer_id", sa.Text),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    salt = sa.Table("erasure_salt", tables, sa.Column("salt", sa.Text, nullable=False))
    tables.create_all(connection)
    connection.execute(salt.insert().values(salt=secrets.token_hex(32)))


def _feed_answers(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    sa.Table(
        "feed_answers",
        tables,
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("viewer_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("policy", sa.Text),
        sa.Column("places", sa.Text, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Index("feed_answers_by_viewer", "viewer_id"),
        sa.Index("feed_answers_by_time", "at"),
        sqlite_autoincrement=True,
    )
    tables.create_all(connection)


def _indexes_for_pages(connection: sa.Connection) -> None:
    """So that levels of answers, whose rows are long, are counted from an index alone, and a video's job is found."""
    table = sa.Table("feed_answers", sa.MetaData(), sa.Column("at", sa.BigInteger), sa.Column("level", sa.Text))
    sa.Index("feed_answers_by_time", table.c.at).drop(connection)
    sa.Index("feed_answers_by_time_and_level", table.c.at, table.c.level).create(connection)
    jobs = sa.Table("jobs", sa.MetaData(), sa.Column("video_id", sa.Text))
    sa.Index("jobs_by_video", jobs.c.video_id).create(connection)


MIGRATIONS: Final[tuple[Callable[[sa.Connection], None], ...]] = (
    _events_and_profiles,
    _jobs,
    _keys_and_audit,
    _controls_and_erasures,
    _feed_answers,
    _indexes_for_pages,
)


def is_current(connection: sa.Connection) -> bool:
    """Whether the store has the newest schema, which spares most openings the write lock."""
    found = (
        connection.scalar(sa.select(VERSION.c.version)) if sa.inspect(connection).has_table(VERSION.name) else 0
    )
    return found == len(MIGRATIONS)


def is_held_back(connection: sa.Connection) -> bool:
    """Whether a restore has filled the store and not finished: nobody but the next restore may use it."""
    has_table = sa.inspect(connection).has_table(VERSION.name)
    return has_table and (connection.scalar(sa.select(VERSION.c.version)) or 0) < 0


def release(connection: sa.Connection, where: str) -> None:
    """Let a store that was held back be used, and bring it to the newest schema, in the transaction that is open."""
    connection.execute(VERSION.update().values(version=-VERSION.c.version))
    migrate(connection, where)


def migrate(connection: sa.Connection, where: str) -> None:
    """Bring the store to the newest schema, inside the transaction that is open.

    Raises:
        StoreError: The store was written by a newer version, or is held back.
    """
    VERSION.create(connection, checkfirst=True)
    found = connection.scalar(sa.select(VERSION.c.version))
    version = found or 0
    if version < 0:
        raise StoreError(
            f"a restore into {where} was not finished: restore again into a new folder, or drop the tables there"
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{where} has schema {version}, this Swipewise knows up to {len(MIGRATIONS)}: upgrade Swipewise"
        )
    for step in MIGRATIONS[version:]:
        step(connection)
    if found is None:
        connection.execute(VERSION.insert().values(version=len(MIGRATIONS)))
    elif version < len(MIGRATIONS):
        connection.execute(VERSION.update().values(version=len(MIGRATIONS)))


def create_tables(connection: sa.Connection, version: int) -> None:
    """Make the empty tables of a schema in a store that has none, held back, inside the transaction that is open."""
    VERSION.create(connection)
    for step in MIGRATIONS[:version]:
        step(connection)
    connection.execute(VERSION.insert().values(version=-version))
