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
_ASKED_AT_ONCE: Final = 500


class Tombstones:
    """Knows erased viewers by a digest of their id, keyed with a salt that never leaves the store.

    Who has the store and guesses an id can test the guess; nobody can read ids from it.
    """

    def __init__(self) -> None:
        self._salt: bytes | None = None

    def digest(self, connection: sa.Connection, viewer_id: str) -> str:
        """What stands for a viewer's id."""
        if self._salt is None:
            self._salt = bytes.fromhex(connection.execute(sa.select(_SALT.c.salt)).scalar_one())
        return hashlib.blake2b(viewer_id.encode(), key=self._salt, digest_size=32).hexdigest()

    def until(self, connection: sa.Connection, viewer_ids: Collection[str]) -> dict[str, int]:
        """Of those of these viewers who were erased the moment, in microseconds, up to which nothing is taken."""
        statement = sa.select(ERASED.c[DIGEST], ERASED.c[UNTIL])
        many = len(viewer_ids) > _ASKED_AT_ONCE
        if many and connection.execute(statement.limit(1)).first() is None:
            return {}
        names = {self.digest(connection, viewer_id): viewer_id for viewer_id in viewer_ids}
        if not many:
            statement = statement.where(ERASED.c[DIGEST].in_(names))
        return {names[digest]: until for digest, until in connection.execute(statement) if digest in names}

    def put(self, connection: sa.Connection, viewer_id: str, until: int) -> str:
        """Note that a viewer is erased; returns the digest."""
        digest = self.digest(connection, viewer_id)
        connection.execute(sa.delete(ERASED).where(ERASED.c[DIGEST] == digest))
        connection.execute(sa.insert(ERASED).values({DIGEST: digest, UNTIL: until}))
        return digest
