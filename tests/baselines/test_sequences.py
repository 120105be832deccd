"""What the sequence baselines read, and what each place is to predict."""

from __future__ import annotations

import numpy as np

from swipewise.baselines.sequences import (
    Inputs,
    NextPositives,
    WindowBatches,
    latest_tokens,
    pad_tokens,
    read_inputs,
    viewer_offsets,
)
from swipewise.training.histories import training_windows
from tests.training.hand_made import dataset_of

# u0: likes v1, is shown v2, likes v3, is shown v0; u1: nothing; u2: likes v3.
DATASET = dataset_of(
    [(0, 1, 10, True), (0, 2, 20, False), (0, 3, 30, True), (0, 0, 40, False), (2, 3, 15, True)],
    viewers=3,
    uploaded=[0] * 4,
)


def test_only_what_was_liked_is_read_when_that_is_asked_for() -> None:
    assert read_inputs(DATASET, Inputs.POSITIVES).video_I.tolist() == [1, 3, 3]
    assert len(read_inputs(DATASET, Inputs.EXPOSURES)) == 5


def test_the_latest_events_padded_at_the_end() -> None:
    offsets_U = viewer_offsets(DATASET.interactions, 3)
    tokens = latest_tokens(DATASET.interactions, offsets_U, np.array([2, 0, 1]), history=3)
    assert tokens.length_B.tolist() == [1, 3, 0]
    assert tokens.valid_BL.tolist() == [[True, False, False], [True] * 3, [False] * 3]
    assert tokens.video_BL[1].tolist() == [2, 3, 0]
    assert tokens.positive_BL[1].tolist() == [0, 1, 0]
    assert tokens.video_BL[0, 0].item() == 3


def test_no_interactions_at_all_can_be_read() -> None:
    rows = DATASET.before(0).interactions
    tokens = latest_tokens(rows, viewer_offsets(rows, 3), np.array([0, 1]), history=5)
    assert not tokens.valid_BL.any()
    assert tokens.video_BL.shape == (2, 1)


def test_each_place_is_to_predict_the_next_positive_after_what_it_knows() -> None:
    windows = training_windows(DATASET.viewer_offsets(), 10)
    place_T, row_T = NextPositives(DATASET.interactions).of(windows, 4, np.random.default_rng(0))
    videos = DATASET.interactions.video_I[row_T].tolist()
    # u0: nothing known -> v1; v1 or v1, v2 known -> v3; then nothing is left. u2: nothing known -> v3.
    assert list(zip(place_T.tolist(), videos, strict=True)) == [(0, 1), (1, 3), (2, 3), (5, 3)]


def test_no_event_is_a_target_twice_where_windows_overlap() -> None:
    rows = [(0, video % 4, video, True) for video in range(9)]
    dataset = dataset_of(rows, viewers=1, uploaded=[0] * 4)
    windows = training_windows(dataset.viewer_offsets(), 4)
    assert len(windows) > 1
    _, row_T = NextPositives(dataset.interactions).of(windows, 4, np.random.default_rng(0))
    assert sorted(row_T.tolist()) == list(range(9))


def test_batches_of_windows_are_a_function_of_epoch_and_seed() -> None:
    rng = np.random.default_rng(0)
    rows = [(u, int(rng.integers(4)), at, True) for u in range(20) for at in range(int(rng.integers(1, 9)))]
    dataset = dataset_of(rows, viewers=20, uploaded=[0] * 4)

    def seen(epoch: int, start: int, seed: int = 0) -> list[tuple[list[int], float]]:
        batches = WindowBatches(dataset.viewer_offsets(), history=8, batch_events=24, seed=seed)
        assert batches.steps(epoch) == len(list(batches.windows(epoch, 0)))
        return [(windows.viewer_W.tolist(), rng.random()) for windows, rng in batches.windows(epoch, start)]

    whole = seen(1, 0)
    assert len(whole) > 3
    assert seen(1, 2) == whole[2:]
    assert seen(2, 0) != whole != seen(1, 0, seed=1)


def test_windows_are_gathered_from_any_stretch() -> None:
    tokens = pad_tokens(DATASET.interactions, np.array([1, 4]), np.array([3, 5]))
    assert tokens.video_BL.tolist()[0] == [2, 3]
    assert tokens.video_BL[1, 0].item() == 3


def test_further_ahead_any_of_the_next_positives_is_the_target() -> None:
    rows = dataset_of([(0, video, video, True) for video in range(4)], viewers=1, uploaded=[0] * 4).interactions
    windows, rng, seen = training_windows(np.array([0, 4]), 10), np.random.default_rng(0), set()
    for _ in range(50):
        place_T, row_T = NextPositives(rows, ahead=2).of(windows, 4, rng)
        seen |= set(zip(place_T.tolist(), row_T.tolist(), strict=True))
    assert seen == {(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)}
