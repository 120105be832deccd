"""A viewer who turns to other pictures is noticed, and nobody else; what comes later changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior import judging
from swipewise.behavior.judging import Shift
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.shifts import ShiftDetector, ShiftSettings
from swipewise.errors import DataError
from tests.behavior.worlds import DAY, KINDS, LENGTH, SESSIONS, kinds, platform

TURNING = {3: 6, 20: 7, 44: 5}
SETTINGS = ShiftSettings(themes=KINDS, least=100, odds=20.0)


@pytest.fixture(scope="module")
def log() -> BehaviorLog:
    return platform(TURNING)


@pytest.fixture(scope="module")
def found(log: BehaviorLog) -> list[Shift]:
    return ShiftDetector(SETTINGS).detect(log)


@pytest.fixture(scope="module")
def trace(log: BehaviorLog) -> NDArray[np.float64]:
    return ShiftDetector(SETTINGS).trace(log)


def test_those_who_turned_are_found_in_time_and_nobody_else(found: list[Shift]) -> None:
    assert {shift.viewer for shift in found} == set(TURNING)
    assert len(found) == len(TURNING)
    for shift in found:
        before = TURNING[shift.viewer] * LENGTH
        assert before < shift.place <= before + 5
        assert shift.at == TURNING[shift.viewer] * DAY + shift.viewer * 60_000
        assert shift.odds > SETTINGS.odds


def test_it_is_said_what_changed_into_what(found: list[Shift]) -> None:
    seen_V, _ = kinds()
    for shift in found:
        assert shift.modality == "visual"
        assert {int(seen_V[video]) for video in shift.left} == {shift.viewer % KINDS}
        assert {int(seen_V[video]) for video in shift.joined} == {(shift.viewer + 1) % KINDS}


def test_sessions_are_judged_a_few_at_a_time(
    log: BehaviorLog, found: list[Shift], trace: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "stretches_at_once", lambda _: 35)
    assert ShiftDetector(SETTINGS).trace(log) == pytest.approx(trace, abs=1e-6)
    assert [(each.viewer, each.place) for each in ShiftDetector(SETTINGS).detect(log)] == [
        (each.viewer, each.place) for each in found
    ]


def test_what_comes_later_changes_no_verdict(log: BehaviorLog, trace: NDArray[np.float64]) -> None:
    """Each verdict is that of a detector which ran when the log ended there, videos to come included."""
    for now in (5 * DAY + DAY // 2, 7 * DAY + 40 * 60_000):
        past_I = log.at_I < now
        assert np.isfinite(trace[past_I]).any()
        # To the last bits: sums over other viewers' later rows round differently.
        assert ShiftDetector(SETTINGS).trace(log.before(now)) == pytest.approx(trace[past_I], abs=1e-6)


def test_a_verdict_counts_the_interaction_it_follows(log: BehaviorLog, trace: NDArray[np.float64]) -> None:
    """Seen from the first interaction after coming back, and only from then on in that session."""
    row = int(log.offsets()[30]) + (SESSIONS - 1) * LENGTH
    ratio_I = log.watch_ratio_I.copy()
    ratio_I[row] = 1.0 - ratio_I[row]
    other = ShiftDetector(SETTINGS).trace(replace(log, watch_ratio_I=ratio_I))
    same_I = np.isclose(other, trace, atol=1e-6) | (other == trace)
    assert np.flatnonzero(~same_I).tolist() == list(range(row, row + SETTINGS.window))


def test_the_first_alarms_are_those_of_the_trace(
    log: BehaviorLog, found: list[Shift], trace: NDArray[np.float64]
) -> None:
    above = np.flatnonzero(trace > np.log(SETTINGS.odds))
    viewers, first = np.unique(log.viewer_I[above], return_index=True)
    places = above[first] - log.offsets()[viewers] + 1
    assert dict(zip(viewers.tolist(), places.tolist(), strict=True)) == {s.viewer: s.place for s in found}


def test_who_meets_what_nobody_watches_has_not_changed() -> None:
    duds = 15
    log = platform({}, duds=duds)
    last = slice(int(log.offsets()[31]) - LENGTH, int(log.offsets()[31]))
    video_I, ratio_I = log.video_I.copy(), log.watch_ratio_I.copy()
    met = np.flatnonzero(kinds()[0][:duds] == 30 % KINDS)
    video_I[last] = np.resize(met, LENGTH)
    ratio_I[last] = 0.1
    trace = ShiftDetector(SETTINGS).trace(replace(log, video_I=video_I, watch_ratio_I=ratio_I))
    assert trace[last].max() < 0
    # The same of videos that others watch is a change.
    video_I[last] = np.resize(met, LENGTH) + duds
    trace = ShiftDetector(SETTINGS).trace(replace(log, video_I=video_I, watch_ratio_I=ratio_I))
    assert trace[last].max() > 3


def test_a_viewer_may_turn_twice() -> None:
    back, length = 12, 9
    once = platform({9: 5}, seed=1)
    # The rows of a viewer who still likes the first kind, moved behind those of the one who turned.
    turned_I, steady_I = once.viewer_I == 9, once.viewer_I == 12
    assert (once.viewer_I[steady_I][0] - 9) % KINDS == 0
    again = np.flatnonzero(steady_I)[-back:]
    rows = np.concatenate([np.flatnonzero(once.viewer_I <= 9), again, np.flatnonzero(once.viewer_I > 9)])
    viewer_I, at_I = once.viewer_I[rows], once.at_I[rows]
    moved = slice(int((once.viewer_I <= 9).sum()), int((once.viewer_I <= 9).sum()) + back)
    viewer_I[moved], at_I[moved] = 9, at_I[moved] + length * DAY // 3
    twice = replace(
        once, viewer_I=viewer_I, at_I=at_I, video_I=once.video_I[rows], watch_ratio_I=once.watch_ratio_I[rows]
    )
    assert turned_I.sum() == SESSIONS * LENGTH
    found = [shift for shift in ShiftDetector(SETTINGS).detect(twice) if shift.viewer == 9]
    assert [shift.place > 50 for shift in found] == [False, True]
    assert found[1].joined == found[0].left or set(kinds()[0][list(found[1].joined)]) == {0}


def test_higher_odds_are_stricter(log: BehaviorLog) -> None:
    assert ShiftDetector(replace(SETTINGS, odds=1e300)).detect(log) == []


def test_it_tells_how_far_it_is(log: BehaviorLog) -> None:
    told: list[tuple[int, int]] = []
    ShiftDetector(SETTINGS, on_progress=lambda done, periods: told.append((done, periods))).trace(log)
    periods = int((SESSIONS - 1) // SETTINGS.refit_days)
    assert told == [(done, periods) for done in range(periods)]


def test_too_little_to_learn_from(log: BehaviorLog) -> None:
    few = log.before(int(np.sort(log.at_I)[10]))
    with pytest.raises(
        DataError, match=f"{len(few)} interactions are too few to tell shifts .* at least 500 are needed"
    ):
        ShiftDetector().detect(few)


def test_without_vectors_nothing_can_be_told(log: BehaviorLog) -> None:
    with pytest.raises(DataError, match="these have no vectors: encode them with 'swipewise videos encode'"):
        ShiftDetector(SETTINGS).detect(replace(log, content={}))


def test_sessions_that_all_end_early_are_judged_as_far_as_they_go(log: BehaviorLog) -> None:
    place_I = log.session_place()
    short = log.where(place_I < 2)
    trace_I = ShiftDetector(SETTINGS).trace(short)
    assert np.isfinite(trace_I).any()
