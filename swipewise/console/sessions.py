"""Who is signed in: sessions by key, in this process, which end with their time or with their key."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from swipewise.errors import DataError
from swipewise.events.keys import ApiKey, KeyStore, Scope, parts_of

KEYS_AGE: Final = 2.0
"""Seconds after which a session whose key was revoked is over at the latest."""
MOST_SESSIONS: Final = 10_000

_TOKEN_BYTES: Final = 32


class Role(StrEnum):
    """What somebody who is signed in may do."""

    ADMIN = "admin"
    """See and change everything."""
    READER = "reader"
    """See everything, change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in.

    ``name`` is that of the key, for the audit; ``key_id`` is None where the server asks for no keys; ``until`` is when
    the session is over, None: never.
    """

    name: str
    role: Role
    key_id: str | None = None
    until: datetime | None = None

    @property
    def may_change(self) -> bool:
        """Whether more than looking is allowed."""
        return self.role is Role.ADMIN


ANYBODY: Final = Session(name="anybody (server.keys is off)", role=Role.ADMIN)
"""Whoever reaches a server that asks for no keys: this machine alone does."""


class Sessions:
    """The sessions of one server; threads may share them.

    Args:
        store: Has the keys.
        hours: How long a session lasts.
        now: The time; tests set it.
        clock: Seconds that only grow; tests set it.
    """

    def __init__(
        self,
        store: KeyStore,
        hours: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lasts = timedelta(hours=hours)
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._keys: dict[str, ApiKey] = {}
        self._keys_read_at = -float("inf")

    def begin(self, key: str) -> tuple[str, Session]:
        """Sign in with a key.

        Returns:
            The token that the browser keeps, and the session.

        Raises:
            DataError: The key is not known, not to be used any more, or not meant for this.
            StoreError: The keys cannot be read.
        """
        parts = parts_of(key.strip())
        known = {each.key_id: each for each in self._store.all()}
        found = known.get(parts[0]) if parts else None
        if parts is None or found is None or not found.matches(parts[1]):
            raise DataError("this key is not known here: make one with 'swipewise keys create --scope admin'")
        now = self._now()
        if fault := found.fault(now):
            raise DataError(f"key {found.name!r} {fault}: make another with 'swipewise keys create'")
        if not (found.allows(Scope.ADMIN) or found.allows(Scope.READ)):
            raise DataError(
                f"key {found.name!r} has the scope {', '.join(sorted(found.scopes))}: signing in takes admin, or read "
                "to look only"
            )
        session = Session(
            name=found.name,
            role=Role.ADMIN if found.allows(Scope.ADMIN) else Role.READER,
            key_id=found.key_id,
            until=now + self._lasts,
        )
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._lock:
            self._forget(now)
            self._open[_digest(token)] = session
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a token, None where it is over or never was.

        Raises:
            StoreError: The keys cannot be read; nobody is let in on what was known before.
        """
        if not token:
            return None
        with self._lock:
            session = self._open.get(_digest(token))
        return session if session is not None and self.lasts(session) else None

    def lasts(self, session: Session) -> bool:
        """Whether a session goes on.

        Raises:
            StoreError: The keys cannot be read.
        """
        now = self._now()
        if session.until is None:
            return True
        key = self._key(session.key_id or "")
        return now < session.until and key is not None and key.fault(now) is None

    def end(self, token: str | None) -> None:
        """Sign out; a token that is not known is no error."""
        with self._lock:
            self._open.pop(_digest(token or ""), None)

    def _key(self, key_id: str) -> ApiKey | None:
        with self._lock:
            if self._clock() - self._keys_read_at >= KEYS_AGE:
                self._keys = {each.key_id: each for each in self._store.all()}
                self._keys_read_at = self._clock()
            return self._keys.get(key_id)

    def _forget(self, now: datetime) -> None:
        """Forget what is over, and the oldest where there are too many."""
        self._open = {token: each for token, each in self._open.items() if each.until and each.until > now}
        while len(self._open) >= MOST_SESSIONS:
            del self._open[next(iter(self._open))]


def _digest(token: str) -> str:
    # So that what lies in memory cannot be sent as a cookie.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
