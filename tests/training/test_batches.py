"""Batches, read back as (what a place knows, what it is asked) and held against a loop over all interactions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.config import ModelConfig, TrainingConfig
from swipewise.errors import DataError
from swipewise.model.interest import Events
from swipewise.training.batches import Batch, Batches, Targets
from swipewise.training.dataset import Dataset
from swipewise.training.trends import DAY_MS, Trends
from tests.training.hand_made import dataset_of

VIEWERS = 9
OPENING = -1


def behaviour(rows: int = 150, *, liked: float = 0.4, step: int = 10) -> Dataset:
    """Every interaction is with a video of its own, so that a video tells which interaction it is."""
    rng = np.random.default_rng(0)
    drawn = [(int(rng.integers(VIEWERS - 1)), 0, step * at, bool(rng.random() < liked)) for at in range(rows)]
    drawn.sort()
    uploaded = [0] * rows
    return dataset_of(
        [(u, row, at, good) for row, (u, _, at, good) in enumerate(drawn)], viewers=VIEWERS, uploaded=uploaded
    )


def repeats(rows: int = 150) -> Dataset:
    """Viewers meet the same few videos again and again."""
    rng = np.random.default_rng(0)
    drawn = [(int(rng.integers(4)), int(rng.integers(9)), 10 * at, bool(rng.random() < 0.4)) for at in range(rows)]
    return dataset_of(drawn, viewers=4, uploaded=[0] * 9)


def batches_of(dataset: Dataset, *, history: int = 6, memory: int = 0, **training: Any) -> Batches:
    return Batches(
        dataset,
        np.zeros((len(dataset.viewer_ids), 0), np.int64),
        Trends.of(dataset.interactions, dataset.uploaded_at_V),
        ModelConfig(history=history, memory=memory),
        TrainingConfig(**{"batch_events": 40, "negatives": 16, "hidden_share": 0.0} | training),
    )


def predictions(batch: Batch, targets: Targets) -> list[tuple[tuple[int, ...], int]]:
    """The videos that each place knows, oldest first, and its target."""
    video_BL = batch.videos_K[batch.history.recent.video_BL]
    length = video_BL.shape[1]
    assert batch.history.recent.valid_BL.shape == video_BL.shape
    return [
        (tuple(video_BL[place // (length + 1), : place % (length + 1)].tolist()), int(batch.videos_K[target]))
        for place, target in zip(targets.place_T.tolist(), targets.video_T.tolist(), strict=True)
    ]


def expected_predictions(dataset: Dataset, *, liked: bool) -> list[tuple[int, int, int]]:
    """(viewer, the last event known or OPENING, the viewer's next positive one, or next one at all)."""
    rows = dataset.interactions
    expected = []
    for viewer in range(VIEWERS):
        own = np.flatnonzero(rows.viewer_I == viewer)
        for known in (OPENING, *own):
            later = [row for row in own if row > known and (rows.positive_I[row] or not liked)]
            if later:
                expected.append((viewer, int(known), int(later[0])))
    return sorted(expected)


@pytest.mark.parametrize("kind", ["liked", "shown"])
@pytest.mark.parametrize(("history", "memory"), [(1, 0), (2, 3), (5, 100), (6, 0), (100, 10)])
def test_every_place_is_asked_its_viewers_next_positive_and_next_exposure_exactly_once(
    history: int, memory: int, kind: str
) -> None:
    dataset = behaviour()
    viewer_I = dataset.interactions.viewer_I
    found = []
    for batch in batches_of(dataset, history=history, memory=memory).steps(0):
        for known, target in predictions(batch, getattr(batch, kind)):
            # Nobody else's, and nothing that the place knows already.
            assert {int(viewer_I[row]) for row in (*known, target)} == {int(viewer_I[target])}
            assert max(known, default=OPENING) < target
            assert list(known) == sorted(known)
            found.append((int(viewer_I[target]), known[-1] if known else OPENING, target))
    assert sorted(found) == expected_predictions(dataset, liked=kind == "liked")


@pytest.mark.parametrize("history", [1, 4, 5, 100])
def test_every_event_teaches_once_what_is_done_with_a_video(history: int) -> None:
    taught: list[int] = []
    for batch in batches_of(behaviour(), history=history).steps(0):
        assert not bool((batch.learn_BL & ~batch.history.recent.valid_BL).any())
        taught += batch.videos_K[batch.history.recent.video_BL[batch.learn_BL]].tolist()
    assert sorted(taught) == list(range(150))


@pytest.mark.parametrize("memory", [0, 3, 100])
def test_older_events_are_the_last_so_many_before_the_window(memory: int) -> None:
    dataset = behaviour()
    first_U = dataset.viewer_offsets()
    begun = 0
    for batch in batches_of(dataset, history=4, memory=memory).steps(0):
        for recent, older in ((batch.history.recent, batch.history.older),):
            for row in range(len(recent.video_BL)):
                start = int(batch.videos_K[recent.video_BL[row, 0]])
                kept = batch.videos_K[older.video_BL[row, older.valid_BL[row]]].tolist()
                first = int(first_U[dataset.interactions.viewer_I[start]])
                assert kept == list(range(max(first, start - memory), start))
                begun += start > first
    assert begun > 10


def test_what_is_hidden_and_was_liked_is_asked_of_the_last_place_of_its_window() -> None:
    dataset = behaviour()
    liked_V = dataset.interactions.positive_I  # every interaction is with a video of its own
    asked = 0
    for plain, batch in zip(
        batches_of(dataset).steps(0), batches_of(dataset, hidden_share=0.3).steps(0), strict=True
    ):
        there_BL, kept_BL = plain.history.recent.valid_BL, batch.history.recent.valid_BL
        assert not bool((kept_BL & ~there_BL).any())
        video_BL = batch.videos_K[batch.history.recent.video_BL]
        expected = [
            (row * (there_BL.shape[1] + 1) + int(there_BL[row].sum()), int(video))
            for row in range(len(video_BL))
            for video in video_BL[row, there_BL[row] & ~kept_BL[row]]
            if liked_V[video]
        ]
        hidden = batch.hidden
        assert list(zip(hidden.place_T.tolist(), batch.videos_K[hidden.video_T].tolist(), strict=True)) == expected
        asked += len(expected)
    assert asked > 10


def test_the_share_of_events_hidden_is_the_one_asked_for_recent_and_older_alike() -> None:
    for part in ("recent", "older"):
        there, kept = (
            sum(
                int(getattr(batch.history, part).valid_BL.sum())
                for epoch in range(20)
                for batch in batches_of(behaviour(), memory=9, hidden_share=share).steps(epoch)
            )
            for share in (0.0, 0.3)
        )
        assert kept / there == pytest.approx(0.7, abs=0.03)


def test_nothing_hidden_is_nothing_to_find() -> None:
    assert all(len(batch.hidden) == 0 for batch in batches_of(behaviour()).steps(0))


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("kind", ["liked", "shown"])
def test_a_target_is_one_of_the_next_so_many_and_never_a_video_met_before(kind: str, ahead: int) -> None:
    dataset = repeats()
    rows = dataset.interactions
    first = {(u, v): at for u, v, at in zip(rows.viewer_I[::-1], rows.video_I[::-1], rows.at_I[::-1], strict=True)}
    is_target_I = np.array(
        [first[u, v] == at for u, v, at in zip(rows.viewer_I, rows.video_I, rows.at_I, strict=True)]
    )
    if kind == "liked":
        is_target_I &= rows.positive_I
    offsets = dataset.viewer_offsets()
    distances = set()
    for epoch in range(20):
        # One window a viewer, so that a place says how much of its viewer's history it knows.
        batches = batches_of(dataset, history=100, ahead=ahead, batch_events=1)
        for batch in batches.steps(epoch):
            [length] = batch.history.recent.valid_BL.sum(dim=1).tolist()
            [viewer] = np.flatnonzero(np.diff(offsets) == length)
            for known, target in predictions(batch, getattr(batch, kind)):
                later = np.flatnonzero(is_target_I)
                later = later[(later >= offsets[viewer] + len(known)) & (later < offsets[viewer + 1])]
                distances.add(rows.video_I[later].tolist().index(target))
                assert target not in known
    assert distances == set(range(ahead))


@pytest.mark.parametrize("places", [1, 3, 50])
def test_so_many_places_of_each_window_are_asked_and_in_time_all_of_them(places: int) -> None:
    """Everything is positive, so that every place but a viewer's very last has a target."""
    dataset = behaviour(liked=1.0)
    viewer_I = np.append(dataset.interactions.viewer_I, -1)
    everything: set[tuple[int, int]] = set()
    for epoch in range(40):
        for batch in batches_of(dataset, places=places).steps(epoch):
            assert torch.equal(batch.liked.place_T, batch.shown.place_T)
            video_BL = batch.videos_K[batch.history.recent.video_BL]
            length_B = batch.history.recent.valid_BL.sum(dim=1)
            asked_B = torch.bincount(batch.liked.place_T // (video_BL.shape[1] + 1), minlength=len(video_BL))
            for row, length in enumerate(length_B.tolist()):
                last = int(video_BL[row, length - 1])
                is_end = viewer_I[last + 1] != viewer_I[last]
                # The opening of a window that goes on from another is asked there.
                first = int(batch.learn_BL[row].int().argmax())
                possible = length + 1 if first == 0 else length - first
                assert int(asked_B[row]) in {min(places, possible), min(places, possible) - is_end}
            everything |= {
                (known[-1] if known else OPENING, target) for known, target in predictions(batch, batch.liked)
            }
    expected = {(known, target) for _, known, target in expected_predictions(dataset, liked=True)}
    assert everything <= expected
    assert len(everything) > 0.9 * len(expected)


def test_places_of_zero_asks_all_of_them() -> None:
    counts = [
        sum(len(batch.liked) for batch in batches_of(behaviour(), places=places).steps(0)) for places in (0, 99)
    ]
    assert counts[0] == counts[1] == len(expected_predictions(behaviour(), liked=True))


def test_padding_is_never_a_place_to_learn_from() -> None:
    for batch in batches_of(behaviour()).steps(0):
        length = batch.history.recent.valid_BL.shape[1]
        events_B = batch.history.recent.valid_BL.sum(dim=1)
        for targets in (batch.liked, batch.shown):
            assert (targets.place_T % (length + 1) <= events_B[targets.place_T // (length + 1)]).all()


def test_batches_hold_at_most_so_many_events_unless_one_window_is_longer() -> None:
    for batch in batches_of(behaviour(), batch_events=20).steps(0):
        windows, length = batch.history.recent.valid_BL.shape
        assert windows * (length + 1) <= 20
    singles = batches_of(behaviour(), batch_events=1).steps(0)
    assert all(len(batch.history.recent.valid_BL) == 1 for batch in singles)


def test_every_event_and_target_knows_the_trends_of_its_own_time() -> None:
    dataset = behaviour(step=DAY_MS // 7)
    rows = dataset.interactions
    trends = Trends.of(rows, dataset.uploaded_at_V)
    expected_I = trends.places(rows.at_I)
    assert len(set(expected_I.tolist())) > 10
    for batch in batches_of(dataset).steps(0):
        recent = batch.history.recent
        here = batch.videos_K[recent.video_BL[recent.valid_BL]].numpy()
        assert batch.moment_BL[recent.valid_BL].tolist() == expected_I[here].tolist()
        for targets in (batch.liked, batch.shown):
            assert targets.moment_T.tolist() == expected_I[batch.videos_K[targets.video_T].numpy()].tolist()


@pytest.mark.parametrize("kind", ["liked", "shown"])
def test_a_target_counts_half_as_much_for_every_half_life_before_the_end(kind: str) -> None:
    dataset = behaviour(step=DAY_MS // 7)
    rows = dataset.interactions
    for half_life, weights in (
        (0.0, lambda days_T: np.ones(len(days_T))),
        (3.0, lambda days_T: 0.5 ** (days_T / 3)),
    ):
        for batch in batches_of(dataset, half_life_days=half_life).steps(0):
            targets = getattr(batch, kind)
            days_T = (rows.at_I.max() - rows.at_I[batch.videos_K[targets.video_T].numpy()]) / DAY_MS
            assert targets.weight_T.numpy() == pytest.approx(weights(days_T), rel=1e-4)


def negatives_that_count(batch: Batch, targets: Targets) -> list[tuple[int, int]]:
    """(target, negative) pairs by catalogue row."""
    target_T, negative_N = batch.videos_K[targets.video_T], batch.videos_K[batch.negative_N]
    return [
        (int(target_T[row]), int(negative_N[column]))
        for row, column in torch.nonzero(~targets.excluded_TN).tolist()
    ]


@pytest.mark.parametrize("kind", ["liked", "shown"])
def test_a_video_that_was_not_uploaded_yet_never_counts_as_a_negative(kind: str) -> None:
    dataset = behaviour()
    at_V = dataset.interactions.at_I  # of the one interaction with each video
    dataset = replace(dataset, uploaded_at_V=at_V)
    batches = list(batches_of(dataset).steps(0))
    pairs = [pair for batch in batches for pair in negatives_that_count(batch, getattr(batch, kind))]
    assert pairs
    assert all(at_V[negative] <= at_V[target] for target, negative in pairs)
    assert any(getattr(batch, kind).excluded_TN.any() for batch in batches)


def test_all_other_negatives_but_the_target_itself_count() -> None:
    for batch in batches_of(behaviour()).steps(0):
        for targets in (batch.liked, batch.shown):
            same_TN = batch.videos_K[targets.video_T][:, None] == batch.videos_K[batch.negative_N]
            assert torch.equal(targets.excluded_TN, same_TN)


def test_negatives_are_videos_of_the_training_period() -> None:
    dataset = behaviour().before(1000)
    seen = set(dataset.interactions.video_I.tolist())
    for batch in batches_of(dataset).steps(0):
        assert set(batch.videos_K[batch.negative_N].tolist()) <= seen
        assert torch.isfinite(batch.liked.logq_T).all()
        assert torch.isfinite(batch.shown.logq_T).all()
        assert torch.isfinite(batch.negative_logq_N).all()


def test_logq_is_the_log_of_how_often_a_video_is_drawn() -> None:
    rows = [(0, 0, 1, True), (0, 0, 2, True), (0, 1, 3, True), (0, 2, 4, False)]
    dataset = dataset_of(rows, viewers=1, uploaded=[0] * 3)
    drawn, logq, target_logq = np.zeros(3), np.full(3, np.nan), np.full(3, np.nan)
    for epoch in range(50):
        for batch in batches_of(dataset, negatives=100).steps(epoch):
            negative_N = batch.videos_K[batch.negative_N].numpy()
            drawn += np.bincount(negative_N, minlength=3)
            logq[negative_N] = batch.negative_logq_N
            target_logq[batch.videos_K[batch.shown.video_T].numpy()] = batch.shown.logq_T
    assert np.exp(logq) == pytest.approx(drawn / 50, rel=0.05)
    assert target_logq.tolist() == logq.tolist()


def tensors(part: Batch | Targets | Events | object) -> list[torch.Tensor]:
    """Every tensor of a batch, whatever it lies in."""
    found = [getattr(part, f.name) for f in fields(part)]  # type: ignore[arg-type]
    values = [value for value in found if value is not None]
    return [each for value in values for each in ([value] if isinstance(value, torch.Tensor) else tensors(value))]


def same(one: Batch, other: Batch) -> bool:
    return all(map(torch.equal, tensors(one), tensors(other)))


def test_the_same_seed_gives_the_same_batches_and_another_seed_or_epoch_others() -> None:
    draws = {"places": 3, "ahead": 4}
    first, again = (list(batches_of(behaviour(), **draws).steps(3)) for _ in range(2))
    assert len(first) == len(again) == len(batches_of(behaviour()).epoch(3)) > 3
    assert all(map(same, first, again))
    for other in (batches_of(behaviour(), seed=1, **draws).steps(3), batches_of(behaviour(), **draws).steps(4)):
        assert not all(map(same, first, other))


@pytest.mark.parametrize("step", [0, 1, 3])
def test_from_a_later_step_on_come_the_batches_that_were_still_to_come(step: int) -> None:
    batches = batches_of(behaviour(), places=3, ahead=4)
    rest = list(batches.steps(2, step))
    everything = list(batches.steps(2))
    assert len(rest) == len(everything) - step
    assert all(map(same, rest, everything[step:]))


def test_a_batch_moves_whole() -> None:
    batch = next(batches_of(behaviour()).steps(0))
    assert same(batch.to(torch.device("cpu")), batch)
    assert {tensor.device.type for tensor in tensors(batch.to(torch.device("meta")))} == {"meta"}


def test_nothing_positive_is_an_error() -> None:
    dataset = dataset_of([(0, 0, 1, False), (0, 1, 2, False)], viewers=1, uploaded=[0, 0])
    with pytest.raises(DataError, match="none of the 2 interactions in the training period is positive: see"):
        batches_of(dataset)
