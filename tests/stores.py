"""The kinds of live store that tests run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swipewise.events.address import DATABASE_VARIABLE
from tests.postgres import Postgres, shared_postgres


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A PostgreSQL server that holds the live store of whatever is opened, in a schema of its own."""
    shared = shared_postgres()
    with shared.schema() as address:
        monkeypatch.setenv(DATABASE_VARIABLE, address)
        yield shared


@pytest.fixture(params=["sqlite", "postgresql"])
def live_store(request: pytest.FixtureRequest) -> str:
    """Run a test on an embedded live store and on a PostgreSQL server; gives which it is."""
    kind: str = request.param
    if kind == "postgresql":
        request.getfixturevalue("server")
    return kind
