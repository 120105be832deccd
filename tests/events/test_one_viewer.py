"""Folding one viewer's rows agrees with folding tables, on events of every kind."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from swipewise.events import fold
from swipewise.events.one_viewer import FoldedRows, fold_rows, rows_of
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


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_later_is_folded_with_what_stays(seed: int) -> None:
    rows = rows_of(frame(*some_events(seed)).collect())
    random.Random(seed).shuffle(rows)
    folded = FoldedRows("ann", rows[:20])
    for count in (20, 25, 30):
        assert folded.with_later(rows[20:count], SECONDS.get) == fold_rows("ann", rows[:count], SECONDS.get)


def test_what_stays_is_folded_anew_with_a_duration_that_has_become_known() -> None:
    rows = rows_of(frame(event("a", "view", minute(0), watch=5.0)).collect())
    folded = FoldedRows("ann", rows)
    assert [each.watch_ratio for each in folded.with_later([], lambda _: None)] == [None]
    assert [each.watch_ratio for each in folded.with_later([], lambda _: 10.0)] == [0.5]


def test_nothing_folds_to_nothing() -> None:
    assert fold_rows("ann", [], SECONDS.get) == []
    assert FoldedRows("ann", []).with_later([], SECONDS.get) == []


def test_a_video_without_a_duration_has_no_ratio() -> None:
    rows = rows_of(frame(event("a", "view", minute(0), watch=5.0)).collect())
    assert [each.watch_ratio for each in fold_rows("ann", rows, lambda _: 0.0)] == [None]
    [plain] = fold_rows("ann", rows, lambda _: 10.0)
    assert fold_rows("ann", rows, lambda _: None) == [replace(plain, watch_ratio=None)]
