"""Who did what to the workspace, and when: rows that are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from swipewise.events.database import SEQ, Database
from swipewise.events.moments import microseconds_now, moment_of

MOST_ENTRIES: Final = 1000
"""Entries given in one answer."""

_AT, _WHO, _KEY_ID, _ACTION, _TARGET, _STATUS, _REQUEST_ID = (
    "at",
    "who",
    "key_id",
    "action",
    "target",
    "status",
    "request_id",
)
_AUDIT: Final = sa.table(
    "audit",
    sa.column(SEQ, sa.BigInteger),
    sa.column(_AT, sa.BigInteger),  # microseconds since 1970 UTC
    sa.column(_WHO, sa.Text),
    sa.column(_KEY_ID, sa.Text),
    sa.column(_ACTION, sa.Text),
    sa.column(_TARGET, sa.Text),
    sa.column(_STATUS, sa.Integer),
    sa.column(_REQUEST_ID, sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One action.

    Attributes:
        seq: Its number, in the order begun.
        at: When it was begun.
        who: The name of the key, or who sat at the command line.
        key_id: The key's id, None at the command line and where no keys are asked for.
        action: What was done: a command, or a request's method and route.
        target: What it was done to, such as a key or a request's path; never a viewer's id.
        status: How a request was answered; None of a command, and of a request that the process did not outlive.
        request_id: The request's id, as in the log.
    """

    seq: int
    at: datetime
    who: str
    key_id: str | None
    action: str
    target: str
    status: int | None
    request_id: str | None


def record(
    connection: sa.Connection,
    *,
    who: str,
    action: str,
    target: str,
    key_id: str | None = None,
    request_id: str | None = None,
) -> int:
    """Add an entry inside the open transaction, so that it is kept if and only if the action is.

    Returns:
        Its number.
    """
    values = {
        _AT: microseconds_now(),
        _WHO: who,
        _KEY_ID: key_id,
        _ACTION: action,
        _TARGET: target,
        _REQUEST_ID: request_id,
    }
    return int(connection.execute(_AUDIT.insert().values(values).returning(_AUDIT.c[SEQ])).scalar_one())


class AuditLog:
    """The entries of a workspace; threads and processes may share them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, who: str, key_id: str | None, action: str, target: str, request_id: str) -> int:
        """Note that a request is about to act; the entry is on disk when this returns.

        Returns:
            The entry's number, for ``end``.

        Raises:
            StoreError: It cannot be written; the request must then not act.
        """
        with self._database.write() as connection:
            return record(connection, who=who, key_id=key_id, action=action, target=target, request_id=request_id)

    def end(self, seq: int, status: int) -> None:
        """Note how the request was answered.

        Raises:
            StoreError: It cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(_AUDIT.update().where(_AUDIT.c[SEQ] == seq).values({_STATUS: status}))

    def newest(self, limit: int = MOST_ENTRIES) -> Sequence[AuditEntry]:
        """The newest entries, newest first.

        Raises:
            StoreError: The store cannot be read.
        """
        statement = sa.select(_AUDIT).order_by(_AUDIT.c[SEQ].desc()).limit(limit)
        with self._database.read() as connection:
            return [_entry(dict(row)) for row in connection.execute(statement).mappings()]


def _entry(row: dict[str, Any]) -> AuditEntry:
    return AuditEntry(**row | {_AT: moment_of(row[_AT])})
