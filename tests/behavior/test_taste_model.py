"""What a log teaches of tastes, and what is believed of them now, with changes of taste reckoned with or not."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior import changes as changes_module
from swipewise.behavior import taste_model
from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.taste_model import TasteModel, design, themes_told
from swipewise.behavior.themes import ThemeMap, learn_themes
from tests.behavior.worlds import DAY, KINDS, SESSIONS, VIDEOS, VIEWERS, kinds, platform, vectors

LATE = 100 * DAY
TURNING = dict.fromkeys(range(0, VIEWERS, 3), SESSIONS - 3)


@pytest.fixture(scope="module")
def log() -> BehaviorLog:
    return platform(TURNING)


@pytest.fixture(scope="module")
def tastes(log: BehaviorLog) -> TasteModel:
    return TasteModel.learn(log, count=KINDS, until=LATE, profile_values=1)


def liking(tastes: TasteModel, log: BehaviorLog, *, changes: bool) -> NDArray[np.float64]:
    """What every viewer makes of each kind of picture: (U, kinds)."""
    shelf = tastes.shelf(log.content, log.uploaded_at_V)
    signals = shelf.signals(log, tastes.scale, tastes.appeal_V)
    taste_UT = tastes.tastes_now(log, signals, log.profile_UP, changes=changes).taste_UT
    theme_K = [np.bincount(shelf.code_VM[kinds()[0] == kind, 0]).argmax() for kind in range(KINDS)]
    return taste_UT[:, theme_K]


def test_after_a_change_the_new_taste_is_believed_and_without_changes_the_old_one_lingers(
    tastes: TasteModel, log: BehaviorLog
) -> None:
    viewers = np.array(list(TURNING))
    old_B, new_B = viewers % KINDS, (viewers + 1) % KINDS
    heeded, unheeded = (liking(tastes, log, changes=changes)[viewers] for changes in (True, False))
    rows = np.arange(len(viewers))
    assert (heeded[rows, new_B] > heeded[rows, old_B] + 1).mean() > 0.9
    assert (unheeded[rows, new_B] < unheeded[rows, old_B]).mean() > 0.9


def test_the_share_of_a_history_that_misleads_is_what_came_before_a_change(
    tastes: TasteModel, log: BehaviorLog
) -> None:
    signals = tastes.shelf(log.content, log.uploaded_at_V).signals(log, tastes.scale, tastes.appeal_V)
    misled_U = tastes.tastes_now(log, signals, log.profile_UP).misled_U
    turned_U = np.isin(np.arange(VIEWERS), list(TURNING))
    # They turned at the eighth of ten sessions.
    assert misled_U[turned_U].mean() == pytest.approx(0.7, abs=0.05)
    assert misled_U[~turned_U].mean() < 0.15
    assert not tastes.tastes_now(log, signals, log.profile_UP, changes=False).misled_U.any()


def test_whoever_never_changed_is_believed_to_be_the_same_either_way(tastes: TasteModel, log: BehaviorLog) -> None:
    steady = np.setdiff1d(np.arange(VIEWERS), list(TURNING))
    heeded, unheeded = (liking(tastes, log, changes=changes)[steady] for changes in (True, False))
    assert np.median(np.abs(heeded - unheeded)) < 0.1
    assert (heeded.argmax(axis=1) == steady % KINDS).all()


def test_a_change_long_ago_is_seen_by_some_sessions_that_stand_for_others(
    tastes: TasteModel, log: BehaviorLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_each = liking(tastes, log, changes=True)
    monkeypatch.setattr(changes_module, "_EACH_OF", 2)
    monkeypatch.setattr(changes_module, "_FINENESS", 1)
    by_some = liking(tastes, log, changes=True)
    assert not np.array_equal(by_some, by_each)
    assert (by_some.argmax(axis=1) == by_each.argmax(axis=1)).mean() > 0.9


def test_what_comes_after_the_moment_teaches_nothing(log: BehaviorLog) -> None:
    now = 6 * DAY
    later_I = log.at_I >= now
    changed = replace(log, watch_ratio_I=np.where(later_I, 1 - log.watch_ratio_I, log.watch_ratio_I))
    one, other = (TasteModel.learn(each, count=KINDS, until=now, profile_values=1) for each in (log, changed))
    assert np.array_equal(one.appeal_V, other.appeal_V)
    assert np.array_equal(one.population.covariance_TT, other.population.covariance_TT)
    assert one.scale == other.scale


def test_themes_take_in_the_videos_of_another_catalogue(tastes: TasteModel) -> None:
    seen_V, _ = kinds()
    elsewhere = vectors(np.roll(seen_V, 1), np.random.default_rng(7))
    found = tastes.themes.of({"visual": elsewhere})
    at_home = tastes.themes.of(platform({}).content)
    of_kind = [np.bincount(at_home.theme_VM[seen_V == kind, 0]).argmax() for kind in range(KINDS)]
    assert (found.theme_VM[:, 0] == np.array(of_kind)[np.roll(seen_V, 1)]).mean() > 0.95
    assert (found.theme_VM[:, 1] == -1).all()


def test_a_video_that_nobody_watches_for_long_is_not_held_against_its_theme() -> None:
    duds = 6
    log = platform({}, duds=duds)
    tastes = TasteModel.learn(log, count=KINDS, until=LATE, profile_values=1)
    met_V = np.bincount(log.video_I, minlength=VIDEOS) > 0
    others_V = met_V & (np.arange(VIDEOS) >= duds)
    assert tastes.appeal_V[:duds][met_V[:duds]].max() < tastes.appeal_V[others_V].mean() - 1


@pytest.mark.parametrize("by", ["watching", "showing"])
def test_watching_and_showing_tell_the_theme_of_a_video(tastes: TasteModel, by: str) -> None:
    log, population = platform({}), tastes.population
    keep_I = (log.viewer_I % KINDS == 0) | (
        log.viewer_I < VIEWERS // 4
    )  # one taste is far more common than the others
    log = log.where(keep_I)
    if by == "watching":
        population = replace(population, targeting=0.0)
    shelf = tastes.shelf(log.content, log.uploaded_at_V)
    taste_UT = tastes.tastes_now(log, shelf.signals(log, tastes.scale), log.profile_UP).taste_UT
    told_of = log if by == "watching" else replace(log, watch_ratio_I=np.zeros(len(log)))
    signals = shelf.signals(told_of, tastes.scale)
    told_VK = themes_told(told_of, signals, population, taste_UT)[:, :KINDS]
    met_V = np.bincount(log.video_I, minlength=VIDEOS) >= 5
    assert (told_VK.argmax(axis=1) == shelf.code_VM[:, 0])[met_V].mean() > 0.95


def test_themes_that_content_gets_wrong_are_mended_by_what_viewers_do(
    log: BehaviorLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_V, vectors = kinds()[0], log.content["visual"]
    loud_V = vectors.values_VD[:, KINDS:].argmax(axis=1)
    wrong_V = np.where((seen_V == 1) & (loud_V < 3), 0, seen_V)
    right = learn_themes(log, count=KINDS, until=LATE)
    axes = right.axes["visual"]
    assert axes is not None
    wrong = ThemeMap(count=KINDS, axes={**right.axes, "visual": axes.redrawn(vectors.values_VD, wrong_V)})
    assert agreement(wrong, log) < 0.95
    monkeypatch.setattr(taste_model, "learn_themes", lambda *_, **__: wrong)
    assert agreement(TasteModel.learn(log, count=KINDS, until=LATE, profile_values=1).themes, log) > 0.99


def test_what_viewers_made_of_a_video_tells_its_theme_where_its_content_misleads(log: BehaviorLog) -> None:
    seen_V = kinds()[0]
    often_V = np.argsort(-np.bincount(log.video_I, minlength=VIDEOS))
    video, like = (int(next(each for each in often_V if seen_V[each] == kind)) for kind in (1, 0))
    values_VD = log.content["visual"].values_VD.copy()
    # Nearer to another kind than to its own.
    corner = slice(KINDS)
    values_VD[video, corner] = 0.3 * values_VD[video, corner] + 0.7 * values_VD[like, corner]
    blurred = replace(log, content={**log.content, "visual": replace(log.content["visual"], values_VD=values_VD)})
    tastes = TasteModel.learn(blurred, count=KINDS, until=LATE, profile_values=1)
    alone_V, met_V = (
        tastes.themes.of(blurred.content).theme_VM[:, 0],
        tastes.themes_met(blurred.content).theme_VM[:, 0],
    )
    of_kind = np.array([np.bincount(met_V[seen_V == kind]).argmax() for kind in range(KINDS)])[seen_V]
    assert alone_V[video] == of_kind[like]
    assert met_V[video] == of_kind[video]
    assert (met_V == of_kind).mean() > 0.98
    late = replace(blurred, uploaded_at_V=np.where(np.arange(VIDEOS) == video, LATE, blurred.uploaded_at_V))
    told_VM = TasteModel.learn(late, count=KINDS, until=LATE, profile_values=1).theme_VM
    assert told_VM[video].tolist() == [-1, -1], "it was not there yet"


def test_a_theme_that_is_told_is_as_far_as_its_centre(tastes: TasteModel, log: BehaviorLog) -> None:
    alone, told_VM = tastes.themes.of(log.content), np.full((VIDEOS, 2), -1)
    told_VM[3, 0] = other = (alone.theme_VM[3, 0] + 1) % KINDS
    told = tastes.themes.of(log.content, told_VM)
    assert told.theme_VM[3, 0] == other
    assert told.distance_VM[3, 0] > alone.distance_VM[3, 0]
    rest_V = np.arange(VIDEOS) != 3
    assert (told.theme_VM == alone.theme_VM)[rest_V].all()
    assert (told.distance_VM == alone.distance_VM)[rest_V].all()


def agreement(themes: ThemeMap, log: BehaviorLog) -> float:
    """The share of videos whose picture has the theme that most of its kind have."""
    theme_V, seen_V = themes.of(log.content).theme_VM[:, 0], kinds()[0]
    return sum(np.bincount(theme_V[seen_V == kind]).max() for kind in range(KINDS)) / VIDEOS


def test_a_part_of_very_many_viewers_teaches_as_much(
    tastes: TasteModel, log: BehaviorLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taste_model, "_MOST_VIEWERS", VIEWERS // 2)
    some = TasteModel.learn(log, count=KINDS, until=LATE, profile_values=1)
    assert some.appeal_V.shape == tastes.appeal_V.shape
    assert (
        liking(some, log, changes=True).argmax(axis=1) == liking(tastes, log, changes=True).argmax(axis=1)
    ).all()


def test_viewers_who_are_not_looked_at_take_next_to_no_memory(tastes: TasteModel, log: BehaviorLog) -> None:
    idle = 200_000
    crowded = replace(log, profile_UP=np.concatenate([log.profile_UP, np.zeros((idle, 1), np.int64)]))
    tracemalloc.start()
    learned = TasteModel.learn(crowded, count=KINDS, until=LATE, profile_values=1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < idle * 8 * KINDS**2, "less than one matrix a viewer"
    np.testing.assert_array_equal(learned.appeal_V, tastes.appeal_V)


def test_a_profile_is_a_row_of_ones_at_the_values_it_names() -> None:
    assert design(np.array([[2, 0], [1, 3], [0, 4]]), 3).tolist() == [[1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0]]
    assert design(np.zeros((2, 0), np.int64), 0).tolist() == [[1], [1]]


def test_without_any_history_the_profile_speaks(tastes: TasteModel) -> None:
    nobody = BehaviorLog(
        viewer_I=np.zeros(0, np.int64),
        video_I=np.zeros(0, np.int64),
        at_I=np.zeros(0, np.int64),
        watch_ratio_I=np.zeros(0),
        uploaded_at_V=np.zeros(VIDEOS, np.int64),
        content={"visual": Vectors(values_VD=np.zeros((VIDEOS, 7)), present_V=np.ones(VIDEOS, bool))},
        profile_UP=np.array([[1], [0]]),
    )
    signals = tastes.shelf(nobody.content, nobody.uploaded_at_V).signals(nobody, tastes.scale)
    found_UT = tastes.tastes_now(nobody, signals, nobody.profile_UP).taste_UT
    assert found_UT == pytest.approx(tastes.prior(nobody.profile_UP).mean_BT, abs=1e-6)
