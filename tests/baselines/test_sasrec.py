"""SASRec finds the rule of a walk, reads what it is told to read, and ranks with whatever histories it is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from swipewise.baselines.ids import UNKNOWN_SCORE
from swipewise.baselines.sasrec import SASRecRecommender
from swipewise.baselines.schedule import Schedule
from swipewise.errors import DataError
from swipewise.training.loop import Epoch
from tests.baselines.worlds import VIDEOS, VIEWERS, walks
from tests.training.hand_made import dataset_of

EVERYBODY, EVERYTHING = np.arange(VIEWERS), np.arange(VIDEOS)


def small(**settings: Any) -> SASRecRecommender:
    schedule = Schedule(epochs=25, batch_events=64, average=0.8, device="cpu")
    defaults = {
        "width": 16,
        "layers": 1,
        "heads": 1,
        "dropout": 0.0,
        "learning_rate": 0.03,
        "ahead": 1,
        "negatives": 8,
    }
    return SASRecRecommender(**{**defaults, "schedule": schedule, **settings})


@pytest.mark.parametrize(
    "settings",
    [{}, {"inputs": "positives"}, {"loss": "bce"}, {"negatives": None}],
    ids=["softmax", "positives", "bce", "full softmax"],
)
def test_the_next_video_of_a_walk_is_found(settings: dict[str, Any]) -> None:
    dataset = walks()
    scores = small(**settings).fit(dataset).score(EVERYBODY, EVERYTHING)
    rows = dataset.interactions
    liked = [rows.video_I[(rows.viewer_I == viewer) & rows.positive_I][-1] for viewer in EVERYBODY]
    assert (scores.argmax(axis=1) == (np.array(liked) + 1) % VIDEOS).mean() > 0.7


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    dataset = walks(viewers=6)

    def scores(seed: int) -> list[list[float]]:
        schedule = Schedule(epochs=1, seed=seed, device="cpu")
        found: list[list[float]] = small(schedule=schedule).fit(dataset).score(np.arange(6), EVERYTHING).tolist()
        return found

    assert scores(0) == scores(0)
    assert scores(0) != scores(1)


def test_observed_histories_are_ranked_with_and_seen_videos_left_out() -> None:
    dataset = walks(viewers=6)
    recommender = small(schedule=Schedule(epochs=2, device="cpu")).fit(dataset)
    before = recommender.score(np.arange(6), EVERYTHING)
    recommender.observe(dataset.before(4))
    after = recommender.score(np.arange(6), EVERYTHING)
    assert (before != after).any(axis=1).all()
    best = recommender.recommend(np.array([2]), 5)[0]
    rows = dataset.before(4).interactions
    assert not set(best.tolist()) & set(rows.video_I[rows.viewer_I == 2].tolist())


def test_viewers_without_history_are_ranked_for_too_and_unseen_videos_come_last() -> None:
    dataset = walks(viewers=6)
    wider = replace(dataset, video_ids=(*dataset.video_ids, "new"), uploaded_at_V=np.zeros(VIDEOS + 1, np.int64))
    wider = replace(wider, attributes_VA=np.zeros((VIDEOS + 1, 0), np.int64))
    recommender = small(schedule=Schedule(epochs=1, device="cpu")).fit(wider)
    scores = recommender.observe(wider.before(0)).score(np.arange(6), np.arange(VIDEOS + 1))
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(scores[5], abs=1e-5)
    assert (scores[:, VIDEOS] == UNKNOWN_SCORE).all()
    assert scores[:, :VIDEOS].min() > UNKNOWN_SCORE


def test_scores_are_those_of_the_videos_asked_for() -> None:
    recommender = small(schedule=Schedule(epochs=1, device="cpu")).fit(walks(viewers=6))
    whole = recommender.score(np.arange(6), EVERYTHING)
    some = recommender.score(np.array([3, 1]), np.array([7, 0]))
    assert some == pytest.approx(whole[[3, 1]][:, [7, 0]], abs=1e-5)


def test_early_stopping_looks_at_the_validation_and_tells_every_epoch() -> None:
    told: list[Epoch] = []
    dataset = walks()
    schedule = Schedule(epochs=30, patience=1, batch_events=64, average=0.5, device="cpu")
    small(schedule=schedule, validation=dataset.between(6, 9), on_epoch=told.append).fit(dataset.before(6))
    assert 1 < len(told) < 30
    figures = [epoch.validation_ndcg or 0.0 for epoch in told]
    assert max(figures) > 0.3
    assert figures[-1] <= max(figures[:-1])


def test_what_is_not_among_the_choices_is_refused() -> None:
    with pytest.raises(ValueError, match="'neither' is not a valid Inputs"):
        small(inputs="neither")


def test_nothing_positive_is_an_error() -> None:
    with pytest.raises(DataError, match="none of the 1 interactions in the training period is positive"):
        small().fit(dataset_of([(0, 0, 1, False)], viewers=1, uploaded=[0]))


@pytest.mark.parametrize("feed", [1, 4])
def test_feed_forward_layers_are_as_wide_within_as_asked_and_scores_come_of_them(feed: int) -> None:
    recommender = small(feed=feed, schedule=Schedule(epochs=1, device="cpu")).fit(walks(viewers=6))
    assert np.isfinite(recommender.score(np.arange(6), EVERYTHING)).all()
    shapes = {tuple(value.shape) for value in recommender._fitted.encoder.blocks.state_dict().values()}
    assert (feed * recommender.width, recommender.width) in shapes
    assert max(rows for rows, *_ in shapes) == max(3, feed) * recommender.width
