"""Which events count for a viewer who paused learning or began anew, and that pauses do not pile up."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

from swipewise.errors import DataError
from swipewise.events import Controls, EventLog
from swipewise.events.controls import MOST_PAUSES, Pause
from swipewise.events.moments import microseconds, moment_of
from swipewise.events.one_viewer import EventRow
from swipewise.workspace import Workspace
from tests.events.examples import TEN

HOUR = timedelta(hours=1)


def at(*hours: float) -> list[EventRow]:
    """One event at each hour after TEN."""
    return [EventRow(f"e{hour}", "v1", "view", microseconds(TEN + hour * HOUR), None, None) for hour in hours]


def hours_that_count(controls: Controls, *hours: float) -> list[float]:
    return [(moment_of(row.at) - TEN) / HOUR for row in controls.that_count(at(*hours))]


def pause(since: float, until: float | None = None) -> Pause:
    return Pause(since=TEN + since * HOUR, until=None if until is None else TEN + until * HOUR)


def test_a_pause_holds_its_beginning_and_not_its_end() -> None:
    controls = Controls(pauses=(pause(1, 2), pause(4)))
    assert hours_that_count(controls, 0, 1, 1.5, 2, 3, 4, 9) == [0, 2, 3]
    assert hours_that_count(Controls(reset_at=TEN + HOUR), 0, 1, 2) == [1, 2]
    assert hours_that_count(Controls(), 0, 1) == [0, 1]


def test_pauses_of_clocks_that_disagree() -> None:
    assert hours_that_count(Controls(pauses=(pause(1, 4), pause(2, 3), pause(6, 5))), 0, 2, 3, 4, 5.5, 6) == [
        0,
        4,
        5.5,
        6,
    ]
    assert hours_that_count(Controls(pauses=(pause(1, 3), pause(2))), 0, 3, 9) == [0]
    assert hours_that_count(Controls(pauses=(pause(1, 2), pause(2, 3))), 1, 2, 3) == [3]


def toggled(controls: Controls, moment: datetime, times: int) -> Controls:
    for number in range(times):
        since = moment + number * HOUR
        controls = controls.as_of(since, paused=True).as_of(since + HOUR / 2, paused=False)
    return controls


def test_as_many_pauses_as_may_be_are_each_told_apart() -> None:
    controls = toggled(Controls(), TEN, MOST_PAUSES)
    halves = [number / 2 for number in range(2 * MOST_PAUSES)]
    assert hours_that_count(controls, *halves) == halves[1::2]


def test_one_pause_too_many_is_refused_with_the_way_out() -> None:
    controls = toggled(Controls(), TEN, MOST_PAUSES)
    late = TEN + 2 * MOST_PAUSES * HOUR
    with pytest.raises(DataError, match=r"^learning: it was paused 1000 times already.*reset_learning"):
        controls.as_of(late, paused=True)
    assert controls.as_of(late, paused=False) == controls
    assert controls.as_of(late, paused=True, reset=True) == Controls(pauses=(Pause(since=late),), reset_at=late)


def test_a_pause_that_lasts_goes_on_and_can_always_be_ended() -> None:
    controls = toggled(Controls(), TEN, MOST_PAUSES - 1)
    late = TEN + 2 * MOST_PAUSES * HOUR
    paused = controls.as_of(late, paused=True)
    assert paused.as_of(late + HOUR, paused=True) == paused
    assert paused.as_of(late + HOUR, paused=False).paused_at is None


def test_beginning_anew_drops_what_ended_before_and_is_not_taken_back() -> None:
    controls = toggled(Controls(), TEN, 3).as_of(TEN + 4 * HOUR, paused=True)
    anew = controls.as_of(TEN + 5 * HOUR, paused=True, reset=True)
    assert anew.pauses == (pause(4),), "one that lasts is kept"
    ended = anew.as_of(TEN + 6 * HOUR, paused=False)
    assert hours_that_count(ended, 0, 4.5, 5, 5.5, 6, 7) == [6, 7]
    behind = ended.as_of(TEN + 3 * HOUR, paused=False, reset=True)
    assert behind.reset_at == TEN + 5 * HOUR


def test_what_is_stored_does_not_grow_beyond_the_most(workspace: Workspace) -> None:
    with EventLog.open(workspace.events_dir) as log:
        turns = itertools.cycle([True, False])
        for number in range(40):
            moment = TEN + number * HOUR
            log.controls.put("ann", Controls(), paused=next(turns), reset=number % 10 == 9, now=moment)
        stored = log.controls.get("ann")
    assert stored is not None
    assert (stored.pauses, stored.reset_at) == ((), TEN + 39 * HOUR)
