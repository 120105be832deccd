"""What answered feeds leaned on, by period, and where their videos came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from swipewise.events.answer_counts import count_levels, count_sources, first_answer
from swipewise.events.answers import Answers
from swipewise.events.database import Database
from swipewise.workspace import Workspace
from tests.events.examples import TEN, answer, minute


@pytest.fixture
def answers(workspace: Workspace, live_store: str) -> Iterator[Answers]:
    database = Database(workspace.events_dir)
    yield Answers(database)
    database.close()


def test_levels_are_counted_by_period(workspace: Workspace, answers: Answers) -> None:
    popular = replace(answer("r3", at=minute(7)), level="popular")
    answers.put([answer("r0", at=minute(-1)), answer("r1", at=TEN), answer("r2", at=minute(4)), popular])
    found = count_levels(workspace.events_dir, TEN, timedelta(minutes=5))
    assert found.rows() == [(TEN, "model", 2), (minute(5), "popular", 1)]
    assert first_answer(workspace.events_dir, TEN) == TEN
    assert first_answer(workspace.events_dir, minute(8)) is None


def test_sources_are_those_of_the_latest(workspace: Workspace, answers: Answers) -> None:
    one = replace(answer("r2"), places=answer("r2").places[:1])
    answers.put([answer("r0"), answer("r1"), one])
    assert count_sources(workspace.events_dir, 2).rows() == [("interest", 2), ("explore", 1)]


def test_without_a_store_there_are_none(workspace: Workspace) -> None:
    assert count_levels(workspace.events_dir, TEN, timedelta(hours=1)).is_empty()
    assert count_sources(workspace.events_dir, 9).is_empty()
    assert first_answer(workspace.events_dir, TEN) is None
