"""The live log as files and back, whatever database holds it: every table of the schema, as of one moment."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from swipewise.errors import ArtifactError, WorkspaceError
from swipewise.events.database import Database, existing_database
from swipewise.events.job_records import JOBS
from swipewise.events.migrations import MIGRATIONS, VERSION, create_tables, is_held_back, release
from swipewise.schema import Col

_ROWS_AT_ONCE: Final = 1000
_BYTES: Final = "base64"
_SECRET: Final = (JOBS.name, Col.LOCATION)


def dump_live(events_dir: Path, folder: Path) -> tuple[int | None, dict[str, int]]:
    """Write every table into the folder; writers go on meanwhile.

    Where a job is fetched from is left out, as it may hold secrets: a restored job is fetched from its uri.

    Returns:
        The schema version, None where there is no live log, and the rows of each table.

    Raises:
        StoreError: The live log cannot be read.
    """
    with existing_database(events_dir) as database:
        if database is None:
            return None, {}
        folder.mkdir()
        with database.read() as connection:
            version = connection.scalar(sa.select(VERSION.c.version))
            tables = _tables(connection)
            return version, {table.name: _dump(connection, table, folder) for table in tables}


def load_live(events_dir: Path, folder: Path, version: int, rows: dict[str, int]) -> None:
    """Fill an empty live log with what was dumped, all or nothing; nobody can open it before ``release_live``.

    What an earlier restore left that was not finished is replaced.

    Args:
        events_dir: The events folder of the workspace whose configuration says where the live log lies.
        folder: Where the dump lies.
        version: The schema version of the dump; an older one is brought to the newest.
        rows: The rows of each table.

    Raises:
        WorkspaceError: The database holds a live log already.
        ArtifactError: The dump does not fit, or a newer version wrote it.
        StoreError: The database cannot be written.
    """
    if version > len(MIGRATIONS):
        raise ArtifactError(
            f"{folder} has schema {version}, this Swipewise knows up to {len(MIGRATIONS)}: upgrade Swipewise"
        )
    database = Database(events_dir, migrated=False)
    try:
        with database.write() as connection:
            if is_held_back(connection):
                _drop(connection)
            elif sa.inspect(connection).has_table(VERSION.name):
                raise WorkspaceError(
                    f"{database.name} holds a live log already: name an empty database or schema, or drop its tables"
                )
            create_tables(connection, version)
            for table in _tables(connection):
                if table.name in rows:
                    connection.execute(table.delete())  # what a new store begins with, such as its salt
                    _load(connection, table, folder, rows[table.name])
    finally:
        database.close()


def release_live(events_dir: Path) -> None:
    """Let a live log that was filled be used, in the newest schema.

    Raises:
        StoreError: The database cannot be written.
    """
    database = Database(events_dir, migrated=False)
    try:
        with database.write() as connection:
            release(connection, database.name)
    finally:
        database.close()


def _drop(connection: sa.Connection) -> None:
    tables = _tables(connection)
    for table in [*tables, VERSION]:
        table.drop(connection)


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """The tables of the live log as they are, without others that share the database."""
    ours = _names(abs(connection.scalar(sa.select(VERSION.c.version)) or 0))
    found = sa.MetaData()
    found.reflect(connection, only=lambda name, _: name in ours)
    return found.sorted_tables


def _names(version: int) -> set[str]:
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            create_tables(connection, version)
            return set(sa.inspect(connection).get_table_names()) - {VERSION.name, "sqlite_sequence"}
    finally:
        engine.dispose()


def _dump(connection: sa.Connection, table: sa.Table, folder: Path) -> int:
    names = [column.name for column in table.columns]
    told = [sa.null() if (table.name, name) == _SECRET else table.columns[name] for name in names]
    statement = sa.select(*told).order_by(*table.primary_key.columns)
    count = 0
    with _file(folder, table).open("w", encoding="utf-8") as file:
        file.write(json.dumps(names) + "\n")
        for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(statement):
            file.write(json.dumps([_plain(value) for value in row], ensure_ascii=False) + "\n")
            count += 1
    return count


def _load(connection: sa.Connection, table: sa.Table, folder: Path, expected: int) -> None:
    count = 0
    for rows in _batches(_file(folder, table)):
        connection.execute(table.insert(), rows)
        count += len(rows)
    if count != expected:
        raise ArtifactError(f"{_file(folder, table)} has {count} rows, not the {expected} of its manifest")
    _go_on_counting(connection, table)


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of a dumped table, some at a time."""
    with path.open(encoding="utf-8") as file:
        names = json.loads(next(file))
        while lines := list(islice(file, _ROWS_AT_ONCE)):
            yield [dict(zip(names, map(_stored, json.loads(line)), strict=True)) for line in lines]


def _go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """Have PostgreSQL number new rows after those that came with their numbers; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.scalar(sa.func.pg_get_serial_sequence(table.name, column.name).select())
        highest = connection.scalar(sa.select(sa.func.max(column)))
        if sequence and highest:
            connection.execute(sa.func.setval(sequence, highest).select())


def _file(folder: Path, table: sa.Table) -> Path:
    return folder / f"{table.name}.jsonl"


def _plain(value: Any) -> Any:
    return {_BYTES: base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _stored(value: Any) -> Any:
    return base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value
