"""Keys: made once, kept as hashes, ended by time or by hand, and every step in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swipewise.errors import DataError, UnknownIdError
from swipewise.events.address import LIVE_NAME
from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope, parts_of

pytestmark = pytest.mark.usefixtures("live_store")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def test_the_store_has_only_the_hash(store: KeyStore, database: Database, tmp_path: Path) -> None:
    key, text = store.create([Scope.FEED], who="me", name="app")
    key_id, secret = parts_of(text) or ("", "")
    assert key_id == key.key_id
    assert len(secret) >= 43, "256 bits"
    with database.read() as connection:
        rows = [connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in ("api_keys", "audit")]
    files = [path.read_bytes() for path in tmp_path.glob(f"{LIVE_NAME}*")]
    written = b"".join([repr(rows).encode(), *files])
    assert key.key_id.encode() in written
    assert secret.encode() not in written
    assert secret not in repr(key)


def test_only_its_own_secret_matches(store: KeyStore) -> None:
    key, text = store.create([Scope.FEED], who="me")
    _, other = store.create([Scope.FEED], who="me")
    assert key.matches(text.split("_", 2)[2])
    assert not key.matches(other.split("_", 2)[2])
    assert not key.matches("")


def test_admin_covers_every_scope_and_others_only_themselves(store: KeyStore) -> None:
    admin, _ = store.create([Scope.ADMIN], who="me")
    both, _ = store.create([Scope.FEED, Scope.EVENTS], who="me")
    assert [admin.allows(scope) for scope in Scope] == [True] * len(Scope)
    assert [scope for scope in Scope if both.allows(scope)] == [Scope.EVENTS, Scope.FEED]


def test_a_key_ends_when_it_expires(store: KeyStore) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    key, _ = store.create([Scope.FEED], who="me", expires_at=until)
    assert key.fault(until - timedelta(seconds=1)) is None
    assert key.fault(until) == f"expired at {until:%Y-%m-%d %H:%M} UTC"


def test_a_name_is_free_again_once_its_key_is_revoked(store: KeyStore) -> None:
    first, _ = store.create([Scope.FEED], who="me", name="app")
    with pytest.raises(DataError, match=f"key {first.key_id} in use is called 'app'"):
        store.create([Scope.FEED], who="me", name="app")
    store.revoke("app", who="me")
    second, _ = store.create([Scope.FEED], who="me", name="app")
    assert store.revoke("app", who="me").key_id == second.key_id, "the one in use"
    assert all(key.revoked_at for key in store.all())


def test_what_cannot_be_revoked(store: KeyStore) -> None:
    with pytest.raises(UnknownIdError, match="no key 'app': 'swipewise keys list'"):
        store.revoke("app", who="me")
    key, _ = store.create([Scope.FEED], who="me")
    store.revoke(key.key_id, who="me")
    with pytest.raises(DataError, match=r"was revoked at .* already"):
        store.revoke(key.key_id, who="me")


@pytest.mark.parametrize("name", ["a\nb", " a", "a" * 101])
def test_names_that_would_spoil_a_log(store: KeyStore, name: str) -> None:
    with pytest.raises(DataError, match="a key cannot be called"):
        store.create([Scope.FEED], who="me", name=name)


def test_a_key_that_would_be_of_no_use(store: KeyStore) -> None:
    with pytest.raises(DataError, match="that is past"):
        store.create([Scope.FEED], who="me", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(DataError, match="give one of events, feed, admin"):
        store.create([], who="me")
    assert store.all() == []


def test_the_audit_tells_of_keys_without_their_secrets(store: KeyStore, database: Database) -> None:
    key, text = store.create([Scope.FEED], who="me", name="app")
    store.revoke("app", who="you")
    entries = AuditLog(database).newest()
    assert [(entry.who, entry.action, entry.target) for entry in entries] == [
        ("you", "keys revoke", f"{key.key_id} app"),
        ("me", "keys create", f"{key.key_id} app (feed)"),
    ]
    assert text.split("_", 2)[2] not in repr(entries)


def test_an_action_is_in_the_audit_before_its_end(database: Database) -> None:
    audit = AuditLog(database)
    began = [
        audit.begin(who=who, key_id=None, action="POST /x", target="/x", request_id="r") for who in ("ann", "bob")
    ]
    audit.end(began[0], 202)
    assert [(entry.who, entry.status) for entry in audit.newest()] == [("bob", None), ("ann", 202)]
    assert [entry.who for entry in audit.newest(1)] == ["bob"]
