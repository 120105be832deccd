"""How often interests change is learned, and what lies before a change teaches nothing of what comes after it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from swipewise.behavior.change_rate import USUAL
from swipewise.behavior.evidence import Shelf
from swipewise.behavior.judging import Judge, Shift, settled_kinds
from swipewise.behavior.kinds import Kinds
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.themes import Themes
from swipewise.behavior.weighing import SignalsApart
from tests.behavior.worlds import DAY, KINDS, LENGTH, SESSIONS, VIEWERS, kinds, platform

LATE = SESSIONS * DAY
TURNING = dict.fromkeys(range(0, VIEWERS, 3), 5)
Learned = tuple[BehaviorLog, SignalsApart, TasteModel, Themes]


@cache
def learned(*, turning: bool) -> Learned:
    log = platform(TURNING if turning else {})
    tastes = TasteModel.learn(log, count=KINDS, until=LATE, profile_values=1)
    shelf = tastes.shelf(log.content, log.uploaded_at_V)
    return log, SignalsApart.of(shelf.signals(log, tastes.scale, tastes.appeal_V)), tastes, shelf.themes


@cache
def settled(*, turning: bool) -> Kinds:
    return settled_kinds(*learned(turning=turning))


def judge(odds: float = 20.0) -> Judge:
    log, signals, _, themes = learned(turning=True)
    return Judge(kinds=settled(turning=True), log=log, signals=signals, themes=themes, odds=odds)


def test_interests_that_change_more_often_give_a_higher_rate() -> None:
    often, seldom = settled(turning=True).rate, settled(turning=False).rate
    assert often > 1.5 * seldom
    # Each of a third of the viewers changed once in nine days; what is usual weighs as much as a thousand.
    assert often == pytest.approx((len(TURNING) + USUAL * 1000) / (VIEWERS * (SESSIONS - 1) + 1000), rel=0.3)


def test_histories_are_cut_where_an_interest_changed() -> None:
    log, signals, tastes, _ = learned(turning=True)
    whole = Kinds.of(log, signals, tastes, until=LATE)
    opened = np.array([log.offsets()[viewer] + session * LENGTH for viewer, session in TURNING.items()])
    cut = Kinds.of(log, signals, tastes, until=LATE, opened=opened)
    assert cut.viewers.base.noise < 0.8 * whole.viewers.base.noise
    assert settled(turning=True).viewers.base.noise == pytest.approx(cut.viewers.base.noise, rel=0.05)


def test_what_comes_after_the_moment_teaches_no_kinds() -> None:
    log, signals, tastes, themes = learned(turning=True)
    now, opened = 6 * DAY, np.array([log.offsets()[0] + 5 * LENGTH, log.offsets()[9] + 8 * LENGTH])
    later_I = log.at_I >= now
    changed = replace(log, watch_ratio_I=np.where(later_I, 1 - log.watch_ratio_I, log.watch_ratio_I))
    other = SignalsApart.of(Shelf(themes, log.uploaded_at_V).signals(changed, tastes.scale, tastes.appeal_V))
    one, two = (
        Kinds.of(each, heard, tastes, until=now, opened=opened).viewers
        for each, heard in ((log, signals), (changed, other))
    )
    np.testing.assert_array_equal(one.share_G, two.share_G)
    np.testing.assert_array_equal(one.covariance_MKK, two.covariance_MKK)
    assert one.base.noise == two.base.noise


def test_a_shift_is_told_by_what_counts_alone() -> None:
    log, judged = learned(turning=True)[0], judge()
    begin_U = log.offsets()[:-1].copy()
    found = {shift.viewer: shift for shift in judged.shifts(judged.verdicts(log.returns(), begin_U), begin_U)}
    assert set(found) == set(TURNING)
    seen_V, _ = kinds()
    for viewer, shift in found.items():
        assert shift.opened == log.offsets()[viewer] + TURNING[viewer] * LENGTH == begin_U[viewer]
        for end in (shift.opened + 3, log.offsets()[viewer + 1]):
            told = judged.told(shift, int(log.offsets()[viewer]), int(end))
            assert (told.modality, told.at, told.place, told.odds) == ("visual", shift.at, shift.place, shift.odds)
            assert {int(seen_V[video]) for video in told.joined} == {(viewer + 1) % KINDS}
        assert {int(seen_V[video]) for video in told.left} == {viewer % KINDS}


def test_odds_follow_the_rate() -> None:
    log, judged = learned(turning=True)[0], judge()
    some, begin_U = log.returns()[:20], log.offsets()[:-1]
    verdicts = judged.verdicts(some, begin_U)
    rarer = replace(judged, kinds=replace(judged.kinds, rate=judged.kinds.rate / 4)).verdicts(some, begin_U)
    assert verdicts.with_rate(rarer.rate).log_odds_SWM == pytest.approx(rarer.log_odds_SWM)
    assert (verdicts.log_odds_SWM - rarer.log_odds_SWM)[np.isfinite(rarer.log_odds_SWM)] == pytest.approx(
        np.log(4)
    )


def test_in_hindsight_all_is_judged_but_what_comes_next_contradicts() -> None:
    log, judged = learned(turning=True)[0], judge()
    some, begin_U = log.returns(), log.offsets()[:-1]
    every, later = judged.verdicts(some, begin_U), replace(judged, hindsight=True).verdicts(some, begin_U)
    assert later.log_odds_SWM[:, 4] == pytest.approx(every.log_odds_SWM[:, 4])
    left_S = np.isfinite(later.log_odds_SWM[:, 0]).all(axis=1)
    assert later.log_odds_SWM[left_S] == pytest.approx(every.log_odds_SWM[left_S])
    assert (later.log_odds_SWM[~left_S, :4] == -np.inf).all()
    at_last_S = np.logaddexp.reduce(every.log_odds_SWM[:, 4], axis=1)
    assert at_last_S[~left_S].max() < np.log(judged.odds) - 3
    assert len(TURNING) <= left_S.sum() < 0.5 * len(some)
    found = [
        each.shifts(each.verdicts(some, begin_U), begin_U.copy())
        for each in (judged, replace(judged, hindsight=True))
    ]
    assert [(shift.viewer, shift.place) for shift in found[0]] == [
        (shift.viewer, shift.place) for shift in found[1]
    ]


def test_both_sides_are_never_the_same() -> None:
    log, judged = learned(turning=True)[0], judge()
    for opened in log.returns():
        viewer = log.viewer_I[opened]
        shift = Shift(
            viewer=int(viewer),
            at=0,
            noticed_at=0,
            opened=int(opened),
            place=1,
            odds=1.0,
            modality="",
            left=(),
            joined=(),
        )
        told = judged.told(shift, int(log.offsets()[viewer]), int(opened) + 2)
        assert told.left != told.joined
