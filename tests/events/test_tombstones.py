"""What it takes to know who was erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from swipewise.events.database import Database
from swipewise.events.tombstones import Tombstones
from swipewise.workspace import Workspace

pytestmark = pytest.mark.usefixtures("live_store")


@pytest.fixture
def database(workspace: Workspace) -> Iterator[Database]:
    opened = Database(workspace.events_dir)
    yield opened
    opened.close()


@pytest.fixture
def asked(database: Database) -> list[tuple[str, Any]]:
    """The statements about erasures, as they are asked, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "eras" in statement:
            seen.append((statement, parameters))

    sa.event.listen(database._engine, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("viewers", [1, 2000])
def test_where_nobody_was_erased_one_row_is_asked_for(
    database: Database, asked: list[tuple[str, Any]], viewers: int
) -> None:
    with database.write() as connection:
        assert Tombstones().until(connection, [f"v{number}" for number in range(viewers)]) == {}
    ((statement, _),) = asked
    assert "LIMIT" in statement


def test_many_viewers_are_asked_for_some_at_a_time_and_nobody_else_is_read(
    database: Database, asked: list[tuple[str, Any]]
) -> None:
    tombstones = Tombstones()
    with database.write() as connection:
        for number in range(0, 1300, 100):
            tombstones.put(connection, f"v{number}", number)
        tombstones.put(connection, "somebody else", 7)
    asked.clear()
    with database.write() as connection:
        found = tombstones.until(connection, [f"v{number}" for number in range(1200)])
        assert found == {f"v{number}": number for number in range(0, 1200, 100)}
        assert tombstones.until(connection, ["v100"]) == {"v100": 100}
    first, *chunks, last = asked
    assert "LIMIT" in first[0]
    assert ["WHERE" in statement for statement, _ in (*chunks, last)] == [True] * 4
    assert [len(parameters) for _, parameters in (*chunks, last)] == [500, 500, 200, 1]
