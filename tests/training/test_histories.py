"""Windows, padding and targets, against what a loop over every interaction says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from swipewise.training.dataset import no_interactions
from swipewise.training.histories import Ahead, is_first, latest_windows, like_lengths, pad, training_windows
from tests.training.hand_made import dataset_of


def offsets_of(*lengths: int) -> np.ndarray:
    return np.cumsum([0, *lengths])


def test_a_short_history_is_one_window_that_counts_from_its_opening() -> None:
    windows = training_windows(offsets_of(3, 0, 4), 4)
    assert windows.start_W.tolist() == [0, 3]
    assert windows.end_W.tolist() == [3, 7]
    assert windows.learn_W.tolist() == [0, 0]
    assert windows.viewer_W.tolist() == [0, 2]
    assert windows.length_W.tolist() == [3, 4]
    assert len(windows) == 2


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 50])
def test_every_prediction_counts_once_and_all_but_the_first_have_half_a_window_behind_them(length: int) -> None:
    lengths = np.random.default_rng(length).integers(0, 40, 30)
    offsets = offsets_of(*lengths)
    windows = training_windows(offsets, length)
    assert windows.length_W.max() <= length
    assert (windows.start_W >= offsets[windows.viewer_W]).all()
    assert (windows.end_W <= offsets[windows.viewer_W + 1]).all()
    counted = []
    for start, end, learn, viewer in zip(
        windows.start_W, windows.end_W, windows.learn_W, windows.viewer_W, strict=True
    ):
        # Place j predicts what comes after the first j events of the window.
        counted += [(viewer, int(start) + place) for place in range(learn, end - start + 1)]
        if start > offsets[viewer]:
            assert learn >= max(1, length / 2)
    expected = [(viewer, row) for viewer in range(30) for row in range(offsets[viewer], offsets[viewer + 1] + 1)]
    assert sorted(counted) == [(viewer, row) for viewer, row in expected if lengths[viewer]]
    # Fresh are the events that those predictions but the openings end with, each once.
    fresh_WL = windows.fresh(int(windows.length_W.max()))
    fresh = np.concatenate(
        [start + np.flatnonzero(row) for start, row in zip(windows.start_W, fresh_WL, strict=True)]
    )
    assert sorted(fresh.tolist()) == list(range(offsets[-1]))


@pytest.mark.parametrize("memory", [0, 1, 7, 1000])
def test_the_memory_is_the_viewers_own_events_right_before_the_window(memory: int) -> None:
    offsets = offsets_of(3, 40, 0, 12)
    for windows in (
        training_windows(offsets, 6, memory=memory),
        latest_windows(offsets, 6, np.arange(4), memory=memory),
    ):
        first_W = offsets[windows.viewer_W]
        assert windows.older_W.tolist() == np.maximum(first_W, windows.start_W - memory).tolist()
    plain = training_windows(offsets, 6)
    remembering = training_windows(offsets, 6, memory=memory)
    for name in ("start_W", "end_W", "learn_W", "viewer_W"):
        assert getattr(plain, name).tolist() == getattr(remembering, name).tolist()


def test_nobody_did_anything() -> None:
    assert len(training_windows(offsets_of(0, 0), 5)) == 0


def test_the_latest_window_is_the_end_of_a_history() -> None:
    windows = latest_windows(offsets_of(2, 0, 7), 3, np.array([2, 1, 0, 2]))
    assert windows.start_W.tolist() == [6, 2, 0, 6]
    assert windows.end_W.tolist() == [9, 2, 2, 9]
    assert windows.viewer_W.tolist() == [2, 1, 0, 2]


ROWS = [(0, 3, 1000, True), (0, 1, 4000, False), (1, 2, 500, True), (1, 0, 500, False), (1, 3, 90_500, True)]


def test_padding_fills_the_end_and_says_so() -> None:
    dataset = dataset_of(ROWS, viewers=3, uploaded=[0] * 4)
    windows = latest_windows(dataset.viewer_offsets(), 10, np.array([0, 1, 2]))
    history = pad(dataset.interactions, windows, np.array([[1], [2], [0]]))
    recent = history.recent
    assert recent.valid_BL.tolist() == [[True, True, False], [True, True, True], [False] * 3]
    assert recent.video_BL[recent.valid_BL].tolist() == [3, 1, 2, 0, 3]
    assert recent.watch_ratio_BL[recent.valid_BL].tolist() == [1, 0, 1, 0, 1]
    assert recent.flags_BLF.shape == (3, 3, 7)
    assert history.older.video_BL.shape == (3, 0)
    assert history.profile_BP.tolist() == [[1], [2], [0]]


def test_older_events_are_padded_by_themselves() -> None:
    dataset = dataset_of(ROWS, viewers=3, uploaded=[0] * 4)
    windows = latest_windows(dataset.viewer_offsets(), 1, np.array([0, 1, 2]), memory=5)
    history = pad(dataset.interactions, windows, np.zeros((3, 0), np.int64))
    assert history.recent.video_BL[history.recent.valid_BL].tolist() == [1, 3]
    assert history.older.valid_BL.tolist() == [[True, False], [True, True], [False, False]]
    assert history.older.video_BL[history.older.valid_BL].tolist() == [3, 2, 0]


def test_gaps_are_seconds_since_the_event_before_within_the_window() -> None:
    dataset = dataset_of(ROWS, viewers=2, uploaded=[0] * 4)
    windows = latest_windows(dataset.viewer_offsets(), 10, np.array([0, 1]))
    assert pad(dataset.interactions, windows, np.zeros((2, 0), np.int64)).recent.gap_BL.tolist() == [
        [0, 3, 0],
        [0, 0, 90],
    ]
    # The first event of a window has none, so that a window reads the same wherever it was cut.
    last = latest_windows(dataset.viewer_offsets(), 1, np.array([1]))
    assert pad(dataset.interactions, last, np.zeros((1, 0), np.int64)).recent.gap_BL.tolist() == [[0]]


def test_without_any_interaction_there_is_one_padded_place() -> None:
    windows = latest_windows(offsets_of(0, 0), 5, np.array([0, 1]))
    history = pad(no_interactions(), windows, np.array([[1], [2]]))
    assert history.recent.valid_BL.tolist() == [[False], [False]]
    assert history.recent.flags_BLF.shape == (2, 1, 7)
    assert history.recent.video_BL.tolist() == [[0], [0]]
    assert history.older.flags_BLF.shape == (2, 0, 7)


def test_the_first_interaction_with_a_video_is_the_viewers_own_earliest() -> None:
    rng = np.random.default_rng(1)
    rows = [(int(rng.integers(4)), int(rng.integers(6)), at, False) for at in range(60)]
    interactions = dataset_of(rows, viewers=4, uploaded=[0] * 6).interactions
    met: set[tuple[int, int]] = set()
    expected = []
    for pair in zip(interactions.viewer_I.tolist(), interactions.video_I.tolist(), strict=True):
        expected.append(pair not in met)
        met.add(pair)
    assert is_first(interactions).tolist() == expected
    assert is_first(no_interactions()).tolist() == []


@pytest.mark.parametrize("reach", [1, 2, 5, 100])
def test_what_is_drawn_is_one_of_the_viewers_next_so_many_and_each_as_often(reach: int) -> None:
    rng = np.random.default_rng(0)
    rows = [(int(rng.integers(3)), 0, at, bool(rng.random() < 0.4)) for at in range(40)]
    interactions = dataset_of(rows, viewers=4, uploaded=[0]).interactions
    ahead = Ahead.of(interactions, interactions.positive_I)
    end = np.append(np.searchsorted(interactions.viewer_I, np.arange(4), side="right"), 0)
    # Each row after each event of its viewer, the last of which has nobody's or another viewer's row next.
    after_T, viewer_T = np.arange(1, 41), interactions.viewer_I
    for after, viewer in zip(after_T, viewer_T, strict=True):
        own = [row for row in range(after, end[viewer]) if interactions.positive_I[row]][:reach]
        draws = ahead.draw(np.full(600, after), np.full(600, viewer), reach, rng)
        assert set(draws.tolist()) == (set(own) or {-1})
        if own:
            counts = np.unique(draws, return_counts=True)[1]
            assert counts == pytest.approx(600 / len(own), rel=0.4)


def test_a_viewer_without_any_target_is_asked_nothing() -> None:
    interactions = dataset_of([(0, 0, 1, True), (2, 0, 2, True)], viewers=4, uploaded=[0]).interactions
    ahead = Ahead.of(interactions, interactions.positive_I)
    drawn_T = ahead.draw(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 3]), 3, np.random.default_rng(0))
    assert drawn_T.tolist() == [0, -1, 1, -1]
    nothing = Ahead.of(interactions, ~interactions.positive_I)
    assert nothing.draw(np.array([0]), np.array([0]), 1, np.random.default_rng(0)).tolist() == [-1]


@pytest.mark.parametrize("lengths", [[], [0, 0], [3, 50, 0, 7], [50] * 39])
def test_few_windows_are_read_together_in_their_own_order(lengths: list[int]) -> None:
    assert [block_W.tolist() for block_W in like_lengths(np.array(lengths, np.int64))] == [[*range(len(lengths))]]


def test_many_windows_are_read_in_blocks_of_like_length_each_once() -> None:
    length_W = np.random.default_rng(0).integers(0, 51, 500)
    blocks = like_lengths(length_W)
    assert sorted(np.concatenate(blocks).tolist()) == [*range(500)]
    for block_W, next_W in pairwise(blocks):
        assert length_W[block_W].max() <= length_W[next_W].min()
    assert len(blocks) == pytest.approx((length_W + 1).sum() / 2048, abs=1)
    assert max((length_W[block_W] + 1).sum() for block_W in blocks) <= 2048 + 51
