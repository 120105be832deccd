"""Themes are what viewers' tastes tell apart, as far as it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.themes import Themes, learn_themes
from tests.behavior.worlds import DAY, KINDS, VIDEOS, kinds, platform

LATE = 100 * DAY


def find_themes(log: BehaviorLog, *, count: int, until: int) -> Themes:
    """The themes of the very videos that they are learned from."""
    return learn_themes(log, count=count, until=until).of(log.content)


@pytest.fixture(scope="module")
def log() -> BehaviorLog:
    return platform({})


def one_to_one(found_V: NDArray[np.int64], planted_V: NDArray[np.int64]) -> bool:
    pairs = set(zip(found_V.tolist(), planted_V.tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_themes_follow_taste_not_the_loudest_direction(log: BehaviorLog) -> None:
    themes = find_themes(log, count=KINDS, until=LATE)
    assert themes.modalities == ("visual", "audio")
    assert one_to_one(themes.theme_VM[:, 0], kinds()[0])


def test_what_comes_later_changes_nothing(log: BehaviorLog) -> None:
    now = 5 * DAY
    uploaded_V = log.uploaded_at_V.copy()
    uploaded_V[100:] = now + 1
    earlier = replace(log, uploaded_at_V=uploaded_V)
    other_VD = log.content["visual"].values_VD.copy()
    other_VD[100:] = 7.0
    changed = {**log.content, "visual": Vectors(values_VD=other_VD, present_V=log.content["visual"].present_V)}
    later_I = log.at_I >= now
    shuffled_I = np.where(later_I, log.video_I[::-1] % 100, log.video_I)
    a = find_themes(earlier, count=KINDS, until=now)
    b = find_themes(replace(earlier, content=changed, video_I=shuffled_I), count=KINDS, until=now)
    assert np.array_equal(a.theme_VM[:100], b.theme_VM[:100])


def test_a_video_without_the_modality_has_no_theme(log: BehaviorLog) -> None:
    present_V = np.arange(VIDEOS) >= 10
    values_VD = log.content["visual"].values_VD.copy()
    values_VD[:10] = np.nan
    themes = find_themes(
        replace(log, content={"visual": Vectors(values_VD=values_VD, present_V=present_V)}),
        count=KINDS,
        until=LATE,
    )
    assert ((themes.theme_VM[:, 0] == -1) == ~present_V).all()
    assert one_to_one(themes.theme_VM[10:, 0], kinds()[0][10:])


def test_typical_videos_are_the_nearest_of_their_theme(log: BehaviorLog) -> None:
    themes = find_themes(log, count=KINDS, until=LATE)
    members = np.flatnonzero(themes.theme_VM[:, 1] == 2)
    nearest = members[themes.distance_VM[members, 1].argsort()]
    assert themes.typical("audio", 2, 4).tolist() == nearest[:4].tolist()
    allowed_V = np.ones(VIDEOS, bool)
    allowed_V[nearest[0]] = False
    assert themes.typical("audio", 2, 4, among_V=allowed_V).tolist() == nearest[1:5].tolist()


def test_without_behaviour_the_vectors_decide(log: BehaviorLog) -> None:
    assert set(find_themes(log, count=KINDS, until=0).theme_VM[:, 0]) == set(range(KINDS))


def test_fewer_videos_than_themes(log: BehaviorLog) -> None:
    few = {"visual": Vectors(values_VD=np.eye(VIDEOS)[:, :2], present_V=np.arange(VIDEOS) < 2)}
    themes = find_themes(replace(log, content=few), count=8, until=LATE)
    assert themes.theme_VM[0, 0] != themes.theme_VM[1, 0]
    assert (themes.theme_VM[2:] == -1).all()
