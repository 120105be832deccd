"""What is altered and what stays, and a model that reads altered histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from swipewise.evaluation.protocol import Measured, Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.shuffle import (
    AlteredRecommender,
    averaged,
    permuted_profiles,
    shuffled,
    some_videos,
    without_modality,
    without_profiles,
)
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import seeded
from swipewise.training.recommender import InterestRecommender
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split


def bundles(rows: Interactions) -> list[Counter[tuple[object, ...]]]:
    """For each viewer what was done with which video."""
    found: dict[int, Counter[tuple[object, ...]]] = {}
    for viewer, video, ratio, flags, positive in zip(
        rows.viewer_I, rows.video_I, rows.watch_ratio_I, rows.actions_IF, rows.positive_I, strict=True
    ):
        found.setdefault(int(viewer), Counter())[int(video), str(ratio), tuple(flags), bool(positive)] += 1
    return [found[viewer] for viewer in sorted(found)]


def test_a_shuffle_moves_videos_with_what_was_done_and_leaves_times_and_viewers() -> None:
    before = tiny_dataset().interactions
    after = shuffled(tiny_dataset(), seed=1).interactions
    assert (after.viewer_I == before.viewer_I).all()
    assert (after.at_I == before.at_I).all()
    assert bundles(after) == bundles(before)
    assert (after.video_I != before.video_I).mean() > 0.8


def test_seeds_are_kept_and_tell_shuffles_apart() -> None:
    first, again, other = (shuffled(tiny_dataset(), seed).interactions.video_I for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_profiles_are_permuted_among_those_who_have_one() -> None:
    dataset = tiny_dataset()
    profile_UP = dataset.profile_UP.copy()
    profile_UP[:10] = 0
    dataset = replace(dataset, profile_UP=profile_UP)
    after_UP = permuted_profiles(dataset).profile_UP
    assert not after_UP[:10].any()
    assert sorted(after_UP[10:].ravel()) == sorted(profile_UP[10:].ravel())
    assert (after_UP != profile_UP).any()
    assert not without_profiles(dataset).profile_UP.any()


def test_some_videos_lose_a_modality_and_the_rest_keeps_it() -> None:
    dataset = tiny_dataset()
    lost_V = some_videos(dataset, 0.5, seed=3)
    assert lost_V.sum() == len(lost_V) / 2
    feature = without_modality(dataset, "text", lost_V).content["text"]
    before = dataset.content["text"]
    assert (feature.present_V == (before.present_V & ~lost_V)).all()
    assert not feature.values_VD[lost_V].any()
    assert (feature.values_VD[~lost_V] == before.values_VD[~lost_V]).all()
    assert not without_modality(dataset, "visual").content["visual"].present_V.any()
    assert not without_modality(dataset, "attributes").attributes_VA.any()


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    with seeded(0):
        return FittedModel.untrained(tiny_config().model, tiny_split().train, {})


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return Protocol.at(tiny_dataset(), tiny_split().test_start)


def test_nothing_altered_is_the_model_itself(fitted: FittedModel, protocol: Protocol) -> None:
    plain = evaluate(InterestRecommender.of(fitted, protocol.history), protocol)
    same = evaluate(AlteredRecommender(fitted, lambda dataset: dataset, name="same"), protocol)
    assert same.name == "same"
    assert (same.best_BK == plain.best_BK).all()


def test_altered_histories_are_read_while_trends_stay(fitted: FittedModel, protocol: Protocol) -> None:
    history = protocol.history
    viewers_B, videos_N = np.arange(5), np.arange(len(history.video_ids))
    without = AlteredRecommender(fitted, nobody_did_anything, name="nothing").observe(history)
    scores_BN = without.score(viewers_B, videos_N)
    alone = InterestRecommender.of(fitted, nobody_did_anything(history))
    # A viewer without a history is the same whoever reads it, but only one of the two knows what is trending.
    with_trends = FittedModel(
        config=fitted.config,
        vocabulary=fitted.vocabulary,
        standards=fitted.standards,
        encoders={},
        network=fitted.network,
    )
    assert np.allclose(scores_BN, alone.score(viewers_B, videos_N), atol=1e-5)  # untrained trends have no say
    weight = with_trends.network.trend.weight
    before = weight.detach().clone()
    try:
        weight.data.fill_(0.5)
        says_BN = AlteredRecommender(fitted, nobody_did_anything, name="nothing").observe(history)
        knows = says_BN.score(viewers_B, videos_N) - scores_BN
        ignorant = (
            InterestRecommender.of(fitted, nobody_did_anything(history)).score(viewers_B, videos_N) - scores_BN
        )
        assert np.abs(knows).max() > 0.1
        assert np.abs(ignorant).max() < 1e-4
    finally:
        weight.data.copy_(before)


def nobody_did_anything(dataset: Dataset) -> Dataset:
    rows = dataset.interactions
    return replace(dataset, interactions=rows.where(np.zeros(len(rows), bool)))


def test_measurements_are_averaged_viewer_by_viewer() -> None:
    def measured(*ndcg: float) -> Measured:
        values = {Segment.ALL: {metric: np.array(ndcg) for metric in Metric}}
        return Measured(name="one", values=values, best_BK=np.zeros((2, 1), np.int64))

    mean = averaged([measured(0.0, 1.0), measured(1.0, 1.0)], name="mean")
    assert mean.name == "mean"
    assert mean.values[Segment.ALL][Metric.NDCG_10].tolist() == [0.5, 1.0]
