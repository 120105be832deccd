"""Who was erased, and until when: salted digests, so that old logs do not bring anybody back and no name is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa

DIGEST: Final = "digest"
UNTIL: Final = "until"

ERASED: Final = sa.table(
    "erased_viewers",
    sa.column(DIGEST, sa.Text),
    sa.column(UNTIL, sa.BigInteger),  # microseconds since 1970 UTC: later events are those of a new viewer
)
_SALT: Final = sa.table("erasure_salt", sa.column("salt", sa.Text))
_ANYBODY: Final = sa.select(ERASED.c[UNTIL]).limit(1)
_ASKED_AT_ONCE: Final = 500


class Tombstones:
    """Knows erased viewers by a digest of their id, keyed with a salt that never leaves the store.

    Who has the store and guesses an id can test the guess; nobody can read ids from it.
    """

    def __init__(self) -> None:
        self._salt: bytes | None = None
        self._somebody = False  # was ever erased; a tombstone is never taken away

    def digest(self, connection: sa.Connection, viewer_id: str) -> str:
        """What stands for a viewer's id."""
        if self._salt is None:
            self._salt = bytes.fromhex(connection.execute(sa.select(_SALT.c.salt)).scalar_one())
        return hashlib.blake2b(viewer_id.encode(), key=self._salt, digest_size=32).hexdigest()

    def until(self, connection: sa.Connection, viewer_ids: Collection[str]) -> dict[str, int]:
        """Of those of these viewers who were erased the moment, in microseconds, up to which nothing is taken."""
        # Most stores never erased anybody, and learn that from one row.
        self._somebody = self._somebody or connection.execute(_ANYBODY).first() is not None
        if not self._somebody:
            return {}
        names = {self.digest(connection, viewer_id): viewer_id for viewer_id in viewer_ids}
        digests = list(names)
        found: dict[str, int] = {}
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            asked = ERASED.c[DIGEST].in_(digests[start : start + _ASKED_AT_ONCE])
            rows = connection.execute(sa.select(ERASED.c[DIGEST], ERASED.c[UNTIL]).where(asked))
            found |= {names[digest]: until for digest, until in rows}
        return found

    def put(self, connection: sa.Connection, viewer_id: str, until: int) -> str:
        """Note that a viewer is erased; returns the digest."""
        digest = self.digest(connection, viewer_id)
        connection.execute(sa.delete(ERASED).where(ERASED.c[DIGEST] == digest))
        connection.execute(sa.insert(ERASED).values({DIGEST: digest, UNTIL: until}))
        return digest
