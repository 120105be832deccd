"""Batches, read back as (what a place knows, what it is to predict) and held against a loop over all interactions."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from swipewise.errors import DataError
from swipewise.training.batches import Batch, Batches
from swipewise.training.dataset import Dataset
from tests.training.hand_made import dataset_of

VIEWERS = 9
OPENING = -1


def behaviour(rows: int = 150) -> Dataset:
    """Every interaction is with a video of its own, so that a video tells which interaction it is."""
    rng = np.random.default_rng(0)
    drawn = [(int(rng.integers(VIEWERS - 1)), 0, 10 * at, bool(rng.random() < 0.4)) for at in range(rows)]
    drawn.sort()
    uploaded = [0] * rows
    return dataset_of(
        [(u, row, at, good) for row, (u, _, at, good) in enumerate(drawn)], viewers=VIEWERS, uploaded=uploaded
    )


def batches_of(
    dataset: Dataset, *, history: int = 6, batch_events: int = 40, negatives: int = 16, seed: int = 0
) -> Batches:
    profile_UP = np.zeros((len(dataset.viewer_ids), 0), np.int64)
    return Batches(dataset, profile_UP, history=history, batch_events=batch_events, negatives=negatives, seed=seed)


def predictions(batch: Batch) -> list[tuple[tuple[int, ...], int]]:
    """The videos that each counting place knows, oldest first, and its target."""
    video_BL = batch.videos_K[batch.history.video_BL]
    length = video_BL.shape[1]
    assert batch.history.valid_BL.shape == video_BL.shape
    return [
        (tuple(video_BL[place // (length + 1), : place % (length + 1)].tolist()), int(batch.videos_K[target]))
        for place, target in zip(batch.place_T.tolist(), batch.target_T.tolist(), strict=True)
    ]


def expected_predictions(dataset: Dataset) -> list[tuple[int, int, int]]:
    """(viewer, the last event known or OPENING, the viewer's next positive one)."""
    rows = dataset.interactions
    expected = []
    for viewer in range(VIEWERS):
        own = np.flatnonzero(rows.viewer_I == viewer)
        for known in (OPENING, *own):
            later = [row for row in own if row > known and rows.positive_I[row]]
            if later:
                expected.append((viewer, int(known), int(later[0])))
    return sorted(expected)


@pytest.mark.parametrize("history", [1, 2, 5, 6, 100])
def test_every_place_predicts_its_viewers_next_positive_exactly_once(history: int) -> None:
    dataset = behaviour()
    viewer_I = dataset.interactions.viewer_I
    found = []
    for batch in batches_of(dataset, history=history).steps(0):
        for known, target in predictions(batch):
            # Nobody else's, and nothing that the place knows already.
            assert {int(viewer_I[row]) for row in (*known, target)} == {int(viewer_I[target])}
            assert max(known, default=OPENING) < target
            assert list(known) == sorted(known)
            found.append((int(viewer_I[target]), known[-1] if known else OPENING, target))
    assert sorted(found) == expected_predictions(dataset)


def test_padding_is_never_a_place_to_learn_from() -> None:
    for batch in batches_of(behaviour()).steps(0):
        length = batch.history.valid_BL.shape[1]
        events_B = batch.history.valid_BL.sum(dim=1)
        assert (batch.place_T % (length + 1) <= events_B[batch.place_T // (length + 1)]).all()


def test_batches_hold_at_most_so_many_events_unless_one_window_is_longer() -> None:
    for batch in batches_of(behaviour(), batch_events=20).steps(0):
        windows, length = batch.history.valid_BL.shape
        assert windows * (length + 1) <= 20
    assert all(len(batch.history.valid_BL) == 1 for batch in batches_of(behaviour(), batch_events=1).steps(0))


def negatives_that_count(batch: Batch) -> list[tuple[int, int]]:
    """(target, negative) pairs by catalogue row."""
    target_T, negative_N = batch.videos_K[batch.target_T], batch.videos_K[batch.negative_N]
    return [
        (int(target_T[row]), int(negative_N[column])) for row, column in torch.nonzero(~batch.excluded_TN).tolist()
    ]


def test_a_video_that_was_not_uploaded_yet_never_counts_as_a_negative() -> None:
    dataset = behaviour()
    at_V = dataset.interactions.at_I  # of the one interaction with each video
    dataset = replace(dataset, uploaded_at_V=at_V)
    batches = list(batches_of(dataset).steps(0))
    pairs = [pair for batch in batches for pair in negatives_that_count(batch)]
    assert pairs
    assert all(at_V[negative] <= at_V[target] for target, negative in pairs)
    assert any(batch.excluded_TN.any() for batch in batches)


def test_all_other_negatives_but_the_target_itself_count() -> None:
    for batch in batches_of(behaviour()).steps(0):
        same_TN = batch.videos_K[batch.target_T][:, None] == batch.videos_K[batch.negative_N]
        assert torch.equal(batch.excluded_TN, same_TN)


def test_negatives_are_videos_of_the_training_period() -> None:
    dataset = behaviour().before(1000)
    seen = set(dataset.interactions.video_I.tolist())
    for batch in batches_of(dataset).steps(0):
        assert set(batch.videos_K[batch.negative_N].tolist()) <= seen
        assert torch.isfinite(batch.target_logq_T).all()
        assert torch.isfinite(batch.negative_logq_N).all()


def test_logq_is_the_log_of_how_often_a_video_is_drawn() -> None:
    rows = [(0, 0, 1, True), (0, 0, 2, True), (0, 1, 3, True), (0, 2, 4, False)]
    dataset = dataset_of(rows, viewers=1, uploaded=[0] * 3)
    drawn, logq = np.zeros(3), np.full(3, np.nan)
    for epoch in range(50):
        for batch in batches_of(dataset, negatives=100).steps(epoch):
            negative_N = batch.videos_K[batch.negative_N].numpy()
            drawn += np.bincount(negative_N, minlength=3)
            logq[negative_N] = batch.negative_logq_N
    assert np.exp(logq) == pytest.approx(drawn / 50, rel=0.05)


def same(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(Batch) if f.name != "history"]
    pairs += [(getattr(one.history, f.name), getattr(other.history, f.name)) for f in fields(one.history)]
    return all(torch.equal(left, right) for left, right in pairs)


def test_the_same_seed_gives_the_same_batches_and_another_seed_or_epoch_others() -> None:
    first, again = list(batches_of(behaviour()).steps(3)), list(batches_of(behaviour()).steps(3))
    assert len(first) == len(again) == len(batches_of(behaviour()).epoch(3)) > 3
    assert all(map(same, first, again))
    for other in (batches_of(behaviour(), seed=1).steps(3), batches_of(behaviour()).steps(4)):
        assert not all(map(same, first, other))


@pytest.mark.parametrize("step", [0, 1, 3])
def test_from_a_later_step_on_come_the_batches_that_were_still_to_come(step: int) -> None:
    batches = batches_of(behaviour())
    rest = list(batches.steps(2, step))
    everything = list(batches.steps(2))
    assert len(rest) == len(everything) - step
    assert all(map(same, rest, everything[step:]))


def test_a_batch_moves_whole() -> None:
    batch = next(batches_of(behaviour()).steps(0))
    assert same(batch.to(torch.device("cpu")), batch)
    moved = batch.to(torch.device("meta"))
    assert {moved.target_T.device.type, moved.history.video_BL.device.type} == {"meta"}


def test_nothing_positive_is_an_error() -> None:
    dataset = dataset_of([(0, 0, 1, False), (0, 1, 2, False)], viewers=1, uploaded=[0, 0])
    with pytest.raises(DataError, match="none of the 2 interactions in the training period is positive: see"):
        batches_of(dataset)
