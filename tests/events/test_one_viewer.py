"""Folding one viewer's rows agrees with folding tables, on events of every kind."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from swipewise.events import fold
from swipewise.events.one_viewer import fold_rows, rows_of
from swipewise.events.reading import as_interactions
from swipewise.schema import Action, Event
from tests.events.examples import DURATIONS, event, frame, minute

SECONDS = dict(DURATIONS.collect().iter_rows())


def some_events(seed: int) -> list[Event]:
    """Thirty events of few videos at few moments, so that they coincide in every way."""
    chance = random.Random(seed)
    return [
        event(
            f"e{chance.random()}",
            str(chance.choice(list(Action))),
            minute(chance.randrange(6)),
            video=f"v{chance.randrange(5)}",
            watch=chance.choice([None, 0.0, 2.5, 8.0]),
            position=chance.choice([None, 0, 3]),
        )
        for _ in range(30)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_one_viewers_rows_fold_as_a_table_does(seed: int) -> None:
    events = some_events(seed)
    table = frame(*events).collect()
    wanted = as_interactions(fold(table.lazy(), DURATIONS).collect())
    rows = rows_of(table)
    random.Random(seed).shuffle(rows)
    assert fold_rows("ann", rows, SECONDS.get) == wanted


def test_nothing_folds_to_nothing() -> None:
    assert fold_rows("ann", [], SECONDS.get) == []


def test_a_video_without_a_duration_has_no_ratio() -> None:
    rows = rows_of(frame(event("a", "view", minute(0), watch=5.0)).collect())
    assert [each.watch_ratio for each in fold_rows("ann", rows, lambda _: 0.0)] == [None]
    [plain] = fold_rows("ann", rows, lambda _: 10.0)
    assert fold_rows("ann", rows, lambda _: None) == [replace(plain, watch_ratio=None)]
