"""API keys: who may ask the server for what. The store has only their hashes, so that it gives no key away."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from swipewise.errors import DataError, UnknownIdError
from swipewise.events.audit_log import record
from swipewise.events.database import SEQ, Database
from swipewise.events.moments import microseconds, microseconds_now, moment_of

PREFIX: Final = "swk"
"""What every key begins with, so that scanners for leaked secrets find it."""

LONGEST_NAME: Final = 100
_SECRET_BYTES: Final = 32

_ID, _NAME, _SCOPES, _DIGEST, _CREATED, _EXPIRES, _REVOKED = (
    "key_id",
    "name",
    "scopes",
    "digest",
    "created_at",
    "expires_at",
    "revoked_at",
)
_KEYS: Final = sa.table(
    "api_keys",
    sa.column(SEQ, sa.BigInteger),
    sa.column(_ID, sa.Text),
    sa.column(_NAME, sa.Text),
    sa.column(_SCOPES, sa.Text),  # with commas between them
    sa.column(_DIGEST, sa.Text),  # SHA-256 of the secret, hexadecimal
    sa.column(_CREATED, sa.BigInteger),  # microseconds since 1970 UTC, like the two below
    sa.column(_EXPIRES, sa.BigInteger),
    sa.column(_REVOKED, sa.BigInteger),
)


class Scope(StrEnum):
    """What a key may be used for."""

    EVENTS = "events"
    FEED = "feed"
    ADMIN = "admin"
    READ = "read"
    """The console's pages, to look only; no route of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is known here; the secret itself is nowhere.

    Attributes:
        key_id: The part of the key that is no secret.
        name: What people call it; in logs and in the audit.
        scopes: What it may be used for; ``admin`` covers everything.
        digest: SHA-256 of the secret, hexadecimal.
        created_at, expires_at, revoked_at: Timezone-aware; None: never.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def fault(self, now: datetime) -> str | None:
        """Why it cannot be used any more, None when it can."""
        if self.revoked_at is not None:
            return f"was revoked at {self.revoked_at:%Y-%m-%d %H:%M} UTC"
        if self.expires_at is not None and self.expires_at <= now:
            return f"expired at {self.expires_at:%Y-%m-%d %H:%M} UTC"
        return None

    def allows(self, scope: Scope) -> bool:
        """Whether it may be used for that."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def matches(self, secret: str) -> bool:
        """Whether a secret is this key's, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(_digest(secret), self.digest)


def parts_of(text: str) -> tuple[str, str] | None:
    """The id and the secret of a key as it is sent, None where it does not read as one.

    >>> parts_of("swk_1a2b_s3_cret"), parts_of("hunter2")
    (('1a2b', 's3_cret'), None)
    """
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == PREFIX and key_id and secret else None


class KeyStore:
    """The keys of a workspace; threads and processes may share them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, scopes: Sequence[Scope], *, who: str, name: str = "", expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; it is on disk when this returns.

        Args:
            scopes: What it may be used for.
            who: Who makes it, for the audit.
            name: What it is to be called, by default its id; no two keys in use share one.
            expires_at: When it ends to work, timezone-aware.

        Returns:
            The key, and what the client has to send, which cannot be had again.

        Raises:
            DataError: There is no scope, the name is taken or unfit, or the time is past.
            StoreError: The store cannot be written.
        """
        now = datetime.now(UTC)
        if not scopes:
            raise DataError(f"a key without a scope is of no use: give one of {', '.join(Scope)}")
        if expires_at is not None and expires_at <= now:
            raise DataError(f"a key that expires at {expires_at.isoformat()} would be of no use: that is past")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
        values = {
            _ID: key_id,
            _NAME: _sound_name(name or key_id),
            _SCOPES: ",".join(scope for scope in Scope if scope in scopes),
            _DIGEST: _digest(secret),
            _CREATED: microseconds(now),
            _EXPIRES: None if expires_at is None else microseconds(expires_at),
            _REVOKED: None,
        }
        with self._database.write() as connection:
            for key in self._select(connection, _KEYS.c[_NAME] == values[_NAME]):
                if key.fault(now) is None:
                    raise DataError(
                        f"key {key.key_id} in use is called {key.name!r}: choose another name, or revoke it"
                    )
            connection.execute(_KEYS.insert().values(values))
            record(
                connection, who=who, action="keys create", target=f"{key_id} {values[_NAME]} ({values[_SCOPES]})"
            )
        return _key(values), f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key: str, *, who: str) -> ApiKey:
        """End a key, named by its id, or by its name among those in use.

        Raises:
            UnknownIdError: There is no such key.
            DataError: It is revoked already.
            StoreError: The store cannot be written.
        """
        now = datetime.now(UTC)
        with self._database.write() as connection:
            known = self._select(connection, (_KEYS.c[_ID] == key) | (_KEYS.c[_NAME] == key))
            # An id comes before a name, and of those with one name at most one is in use.
            known.sort(
                key=lambda each: (each.key_id != key, each.revoked_at is not None, each.fault(now) is not None)
            )
            if not known:
                raise UnknownIdError(f"no key {key!r}: 'swipewise keys list' lists those there are")
            chosen = known[0]
            if chosen.revoked_at is not None:
                raise DataError(f"key {key!r} {chosen.fault(now)} already")
            connection.execute(
                _KEYS.update().where(_KEYS.c[_ID] == chosen.key_id).values({_REVOKED: microseconds_now()})
            )
            record(connection, who=who, action="keys revoke", target=f"{chosen.key_id} {chosen.name}")
            return self._select(connection, _KEYS.c[_ID] == chosen.key_id)[0]

    def all(self) -> list[ApiKey]:
        """Every key there is or was, the oldest first.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._database.read() as connection:
            return self._select(connection, sa.true())

    def _select(self, connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[ApiKey]:
        rows = connection.execute(sa.select(_KEYS).where(where).order_by(_KEYS.c[SEQ])).mappings()
        return [_key(dict(row)) for row in rows]


def _digest(secret: str) -> str:
    # A plain hash is enough: 256 random bits cannot be guessed, however fast the hash is.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _sound_name(name: str) -> str:
    if len(name) > LONGEST_NAME or not name.isprintable() or name.strip() != name:
        raise DataError(
            f"a key cannot be called {name!r}: at most {LONGEST_NAME} printable characters, no blanks at the ends"
        )
    return name


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(
        key_id=row[_ID],
        name=row[_NAME],
        scopes=frozenset(Scope(name) for name in row[_SCOPES].split(",")),
        digest=row[_DIGEST],
        created_at=moment_of(row[_CREATED]),
        expires_at=_moment_or_never(row[_EXPIRES]),
        revoked_at=_moment_or_never(row[_REVOKED]),
    )


def _moment_or_never(stored: int | None) -> datetime | None:
    return None if stored is None else moment_of(stored)
