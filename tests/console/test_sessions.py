"""Signing in: by which keys, as what, and when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swipewise.console.sessions import KEYS_AGE, Role, Sessions
from swipewise.errors import DataError
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Times:
    """The time, set by tests."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 0.0

    def go(self, **lapse: float) -> None:
        self.now += timedelta(**lapse)
        self.seconds += timedelta(**lapse).total_seconds()


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    database = Database(tmp_path)
    yield KeyStore(database)
    database.close()


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def sessions(keys: KeyStore, times: Times) -> Sessions:
    return Sessions(keys, 12.0, lambda: times.now, lambda: times.seconds)


def key(keys: KeyStore, *scopes: Scope, **options: object) -> str:
    return keys.create(list(scopes), who="test", **options)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "role", "may_change"), [(Scope.ADMIN, Role.ADMIN, True), (Scope.READ, Role.READER, False)]
)
def test_a_key_signs_in_with_the_role_of_its_scope(
    keys: KeyStore, sessions: Sessions, scope: Scope, role: Role, may_change: bool
) -> None:
    token, session = sessions.begin(key(keys, scope, name="ops"))
    assert (session.name, session.role, session.may_change) == ("ops", role, may_change)
    assert sessions.find(token) == session


@pytest.mark.parametrize("scope", [Scope.FEED, Scope.EVENTS])
def test_keys_of_apps_do_not_sign_in(keys: KeyStore, sessions: Sessions, scope: Scope) -> None:
    with pytest.raises(DataError, match=f"has the scope {scope}: signing in takes admin, or read to look only"):
        sessions.begin(key(keys, scope))


def test_what_is_no_key_does_not_sign_in(keys: KeyStore, sessions: Sessions) -> None:
    real = key(keys, Scope.ADMIN)
    for wrong in ("", "hunter2", real[:-1], real + "x", "swk_000000000000_x"):
        with pytest.raises(DataError, match="not known here"):
            sessions.begin(wrong)
    assert sessions.find(None) is None
    assert sessions.find("made up") is None
    assert sessions.find(real) is None


def test_a_session_is_over_with_its_time(keys: KeyStore, sessions: Sessions, times: Times) -> None:
    token, session = sessions.begin(key(keys, Scope.ADMIN))
    times.go(hours=11.9)
    assert sessions.find(token)
    times.go(hours=0.2)
    assert sessions.find(token) is None
    assert not sessions.lasts(session)


def test_a_session_is_over_soon_after_its_key_was_revoked(
    keys: KeyStore, sessions: Sessions, times: Times
) -> None:
    token, session = sessions.begin(key(keys, Scope.ADMIN, name="ops"))
    assert sessions.find(token)
    keys.revoke("ops", who="test")
    times.go(seconds=KEYS_AGE)
    assert sessions.find(token) is None
    assert not sessions.lasts(session)
    with pytest.raises(DataError, match="was revoked"):
        sessions.begin(_revoked(keys))


def _revoked(keys: KeyStore) -> str:
    text = key(keys, Scope.ADMIN, name="gone")
    keys.revoke("gone", who="test")
    return text


def test_signing_out_ends_one_session_alone(keys: KeyStore, sessions: Sessions) -> None:
    text = key(keys, Scope.ADMIN)
    (one, _), (other, _) = sessions.begin(text), sessions.begin(text)
    sessions.end(one)
    sessions.end("made up")
    assert sessions.find(one) is None
    assert sessions.find(other)
