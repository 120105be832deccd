"""Tastes as the kinds of viewers tell them: better than one kind for all does, and as soon after a change."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior import kinds as kinds_module
from swipewise.behavior.changes import TastesNow
from swipewise.behavior.evidence import Shelf, Signals
from swipewise.behavior.judging import settled_kinds
from swipewise.behavior.kinds import Kinds
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.taste_model import TasteModel, design
from swipewise.behavior.weighing import SignalsApart
from swipewise.simulate.world import World, WorldConfig
from tests.behavior.planted import learned_tastes, planted
from tests.behavior.worlds import DAY, KINDS, SESSIONS, VIEWERS, kinds, platform

TURNING = dict.fromkeys(range(0, VIEWERS, 3), SESSIONS - 3)
Learned = tuple[BehaviorLog, TasteModel, Shelf, Signals, Kinds]


@cache
def learned() -> Learned:
    log = platform(TURNING)
    tastes = TasteModel.learn(log, count=KINDS, until=SESSIONS * DAY, profile_values=1)
    shelf = tastes.shelf(log.content, log.uploaded_at_V)
    signals = shelf.signals(log, tastes.scale, tastes.appeal_V)
    return log, tastes, shelf, signals, settled_kinds(log, SignalsApart.of(signals), tastes, shelf.themes)


def now(*, changes: bool = True) -> TastesNow:
    log, tastes, _, signals, found = learned()
    return found.tastes_now(tastes, log, signals, log.profile_UP, changes=changes)


def liking(found: TastesNow) -> NDArray[np.float64]:
    """What every viewer makes of each kind of picture: (U, kinds)."""
    shelf = learned()[2]
    theme_K = [np.bincount(shelf.code_VM[kinds()[0] == kind, 0]).argmax() for kind in range(KINDS)]
    return found.taste_UT[:, theme_K]


def test_after_a_change_the_new_taste_is_believed_and_without_changes_the_old_one_lingers() -> None:
    viewers, rows = np.array(list(TURNING)), np.arange(len(TURNING))
    old_B, new_B = viewers % KINDS, (viewers + 1) % KINDS
    heeded, unheeded = (liking(now(changes=changes))[viewers] for changes in (True, False))
    assert (heeded[rows, new_B] > heeded[rows, old_B] + 1).mean() > 0.9
    assert (unheeded[rows, new_B] < unheeded[rows, old_B]).mean() > 0.9


def test_the_share_of_a_history_that_misleads_is_what_came_before_a_change() -> None:
    turned_U = np.isin(np.arange(VIEWERS), list(TURNING))
    misled_U = now().misled_U
    # They turned at the eighth of ten sessions.
    assert misled_U[turned_U].mean() == pytest.approx(0.7, abs=0.05)
    assert misled_U[~turned_U].mean() < 0.15
    assert not now(changes=False).misled_U.any()


def test_sessions_and_kinds_that_are_unlikely_are_left_out_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    some = now()
    monkeypatch.setattr(kinds_module, "_LEAST_CHANCE", 1e-9)
    monkeypatch.setattr(kinds_module, "_LEAST_SHARE", 1e-9)
    every = now()
    assert not np.array_equal(every.taste_UT, some.taste_UT)
    assert np.array_equal(liking(every).argmax(axis=1), liking(some).argmax(axis=1))
    assert np.array_equal(every.misled_U > 0.35, some.misled_U > 0.35)


def test_a_part_of_the_sessions_at_a_time_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = now()
    monkeypatch.setattr(kinds_module, "stretches_at_once", lambda _: 1)
    one_by_one = now()
    assert one_by_one.taste_UT == pytest.approx(at_once.taste_UT, abs=1e-6)
    assert one_by_one.misled_U == pytest.approx(at_once.misled_U, abs=1e-6)


def test_of_viewers_who_did_nothing_the_profile_speaks() -> None:
    log, tastes, shelf, _, found = learned()
    nobody = replace(log.where(np.zeros(len(log), bool)), profile_UP=log.profile_UP[:2])
    signals = shelf.signals(nobody, tastes.scale, tastes.appeal_V)
    told = found.tastes_now(tastes, nobody, signals, nobody.profile_UP)
    expected = found.viewers.prior(design(nobody.profile_UP, 1)).mean_BT
    assert told.taste_UT == pytest.approx(expected, abs=1e-6)
    assert not told.misled_U.any()


def test_kinds_tell_planted_tastes_better_than_one_kind_for_all() -> None:
    config = WorldConfig(seed=3, videos=300, viewers=200, shifting_viewers=0.0)
    world, log = planted(config)
    tastes, alone_UT = learned_tastes(log)
    shelf = tastes.shelf(log.content, log.uploaded_at_V)
    signals = shelf.signals(log, tastes.scale, tastes.appeal_V)
    found = Kinds.of(log, SignalsApart.of(signals), tastes, until=int(log.at_I.max()) + 1)
    together_UT = found.tastes_now(tastes, log, signals, log.profile_UP, changes=False).taste_UT
    alone, together = (agreement(world, log, shelf, taste_UT) for taste_UT in (alone_UT, together_UT))
    assert together > alone + 0.01


def agreement(world: World, log: BehaviorLog, shelf: Shelf, taste_UT: NDArray[np.float64]) -> float:
    """Mean correlation of what each viewer is believed to make of the videos with what was planted."""
    code_VM, some_V = shelf.code_VM, (world.theme_VM >= 0).all(axis=1)
    believed_UV = sum(taste_UT[:, code_V] for code_V in code_VM[some_V].T)
    theme_VM, modalities = world.theme_VM[some_V], range(world.theme_VM.shape[1])
    planted_UV = sum(
        world.weight_UM[:, [column]] * world.taste_UMT[:, column, theme_VM[:, column]] for column in modalities
    )
    met_U = np.bincount(log.viewer_I, minlength=len(taste_UT)) >= 10
    return float(
        np.mean([np.corrcoef(*both)[0, 1] for both in zip(believed_UV[met_U], planted_UV[met_U], strict=True)])
    )
