"""Evidence is a sum over stretches of interactions, here small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from swipewise.behavior.evidence import ResponseScale, Shelf, Signals
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.themes import Themes


def themes() -> Themes:
    """Four videos, two modalities with two themes each; the last one is silent."""
    theme_VM = np.array([[0, 0], [0, 1], [1, 0], [1, -1]])
    return Themes(modalities=("visual", "audio"), count=2, theme_VM=theme_VM, distance_VM=np.zeros((4, 2)))


def log(videos: list[int], ratios: list[float], uploaded: tuple[int, ...] = (0, 0, 0, 0)) -> BehaviorLog:
    return BehaviorLog(
        viewer_I=np.zeros(len(videos), np.int64),
        video_I=np.array(videos),
        at_I=10 + np.arange(len(videos)),
        watch_ratio_I=np.array(ratios),
        uploaded_at_V=np.array(uploaded),
        content={},
        profile_UP=np.zeros((1, 0), np.int64),
    )


def signals_of(log: BehaviorLog, themes: Themes, *, until: int) -> Signals:
    return Shelf(themes, log.uploaded_at_V).signals(log, ResponseScale.of(log, until=until))


def test_sums_over_a_stretch() -> None:
    signals = signals_of(log([0, 1, 3], [0.5, 0.25, 0.75]), themes(), until=0)
    first, second, third = np.log(np.array([0.4, 0.2, 0.6]) / np.array([0.6, 0.8, 0.4]))
    assert signals.response_I == pytest.approx([first, second, third])
    evidence = signals.over(np.array([0, 1, 2]), np.array([3, 2, 2]))
    assert evidence.exposures_B.tolist() == [3, 1, 0]
    assert evidence.shown_BT.tolist() == [[2, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert evidence.response_BT[0] == pytest.approx([first + second, third, first, second])
    assert evidence.together_BTT[0].tolist() == [[2, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    assert evidence.at(np.array([1])).shown_BT.tolist() == [[1, 0, 0, 1]]


def test_sums_do_not_depend_on_what_other_stretches_share() -> None:
    rng = np.random.default_rng(0)
    videos, ratios = rng.integers(0, 4, 30).tolist(), rng.choice([0.0, 0.3, 0.9], 30).tolist()
    signals = signals_of(log(videos, ratios), themes(), until=100)
    start_B, end_B = np.array([0, 3, 3, 29, 10, 7]), np.array([30, 3, 20, 30, 25, 9])
    together = signals.over(start_B, end_B)
    for stretch, ends in enumerate(zip(start_B, end_B, strict=True)):
        alone = signals.over(*(np.array([end]) for end in ends))
        for name in ("together_BTT", "response_BT", "shown_BT", "exposures_B", "offer_BT"):
            assert getattr(together, name)[stretch] == pytest.approx(getattr(alone, name)[0], abs=1e-12), name
    assert len(signals.over(start_B[:0], end_B[:0])) == 0


def test_unknown_watching_is_an_exposure_and_nothing_more() -> None:
    evidence = signals_of(log([0, 1], [0.0, 0.5]), themes(), until=0).over(np.array([0]), np.array([2]))
    assert evidence.shown_BT.tolist() == [[2, 0, 1, 1]]
    assert evidence.together_BTT[0].diagonal().tolist() == [1, 0, 0, 1]


def test_on_offer_is_what_was_uploaded_and_not_yet_shown() -> None:
    offer_IT = signals_of(log([0, 3], [0.5, 0.5], uploaded=(0, 0, 0, 11)), themes(), until=0).offer_IT
    # Three videos at first; then the first one has been shown and the fourth is new.
    assert offer_IT[0] == pytest.approx([2 / 3, 1 / 3, 2 / 3, 1 / 3])
    assert offer_IT[1] == pytest.approx([1 / 3, 2 / 3, 1 / 3, 1 / 3])


def test_attention_that_wanes_down_the_session_is_no_matter_of_taste() -> None:
    waning = 1 / (1 + np.exp(0.1 * np.arange(4))) / 0.8
    flat_I = signals_of(log([0, 1, 2, 3], waning.tolist()), themes(), until=100).response_I
    assert flat_I == pytest.approx(np.zeros(4), abs=1e-9)
