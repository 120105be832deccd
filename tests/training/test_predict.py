"""The fitted network at work: what is told of an exposure comes from before it, and nothing that is unknown spreads.

Legend of shape suffixes: I = interactions, B = viewers, N = videos, A = actions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS
from swipewise.training import ranking
from swipewise.training.calibration import Calibration
from swipewise.training.dataset import ActionPredictor, Dataset, Interactions, no_interactions
from swipewise.training.finishing import calibrated, with_best_weights
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.kin import KIN
from swipewise.training.predicting import predict_logits
from swipewise.training.ranking import ranking_task
from swipewise.training.recommender import InterestRecommender
from swipewise.training.trends import Trends
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split

EVERYBODY, EVERYTHING = np.arange(60), np.arange(60)


def model(**settings: Any) -> FittedModel:
    """Fresh weights do as well as trained ones here; trends have a say at once, neighbours only where asked for."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = replace(tiny_config().model, **{"neighbours": 0} | settings)
        made = FittedModel.untrained(config, tiny_dataset(), {})
        torch.nn.init.normal_(made.network.trend.weight)
    made.network.eval()
    return made


def with_rows(dataset: Dataset, **columns: Any) -> Dataset:
    return replace(dataset, interactions=replace(dataset.interactions, **columns))


def turned(dataset: Dataset, at_I: NDArray[np.bool_], *, videos: bool = False) -> Dataset:
    """The same data set in which everything that was done went otherwise at some interactions."""
    rows = dataset.interactions
    video_I = (rows.video_I + 1) % len(dataset.video_ids)
    return with_rows(
        dataset,
        actions_IF=rows.actions_IF ^ at_I[:, None],
        positive_I=rows.positive_I ^ at_I,
        watch_ratio_I=np.where(at_I, 1.5 - rows.watch_ratio_I, rows.watch_ratio_I).astype(np.float32),
        video_I=np.where(at_I, video_I, rows.video_I) if videos else rows.video_I,
    )


def near_of(
    projected: Projected, dataset: Dataset, viewers_B: NDArray[np.int64] = EVERYBODY
) -> NDArray[np.float32]:
    near = projected.interest(dataset, viewers_B).near
    assert near is not None
    return projected._kinship.carried(near, np.arange(len(dataset.video_ids)))


def longest(dataset: Dataset) -> NDArray[np.int64]:
    """The rows of the viewer who did most."""
    offsets = dataset.viewer_offsets()
    viewer = int(np.diff(offsets).argmax())
    return np.arange(offsets[viewer], offsets[viewer + 1])


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_neither_an_exposure_itself_nor_anything_later_has_influence_on_its_logits(share: float) -> None:
    dataset, fitted = tiny_dataset(), model(history=5, memory=7)
    rows = dataset.interactions
    cut = int(np.sort(rows.at_I)[int(share * len(rows))])  # the time of an exposure
    plain_IA = predict_logits(fitted, dataset, rows)
    for other, until in (
        (turned(dataset, rows.at_I >= cut), rows.at_I <= cut),
        # Another video is another exposure, but none to what came before it.
        (turned(dataset, rows.at_I >= cut, videos=True), rows.at_I < cut),
    ):
        other_IA = predict_logits(fitted, other, other.interactions)
        assert np.array_equal(other_IA[until], plain_IA[until])
        assert (np.abs(other_IA - plain_IA)[~until] > 1e-6).mean() > 0.5


def test_an_exposure_is_judged_as_if_its_viewer_had_stopped_there() -> None:
    """Whatever window it is read in, and whatever else is asked in the same call."""
    dataset, fitted = tiny_dataset(), model(history=5, memory=7, trends=False)
    rows = dataset.interactions
    whole_IA = predict_logits(fitted, dataset, rows)
    for row in longest(dataset)[::4]:
        keep_I = (rows.viewer_I != rows.viewer_I[row]) | (np.arange(len(rows)) <= row)
        exposure = rows.where(np.arange(len(rows)) == row)
        alone_A = predict_logits(fitted, replace(dataset, interactions=rows.where(keep_I)), exposure)[0]
        assert alone_A == pytest.approx(whole_IA[row], abs=1e-5)


@pytest.mark.parametrize("memory", [0, 4, 100])
def test_what_lies_before_the_window_counts_as_far_as_the_memory_reaches(memory: int) -> None:
    """Held against the last exposure and the score after it; the window is five events long."""
    dataset, fitted = tiny_dataset(), model(history=5, memory=memory, trends=False)
    own = longest(dataset)
    count = len(dataset.interactions)
    assert len(own) > 20
    last = dataset.interactions.where(np.arange(count) == own[-1])
    viewer_B = np.array([dataset.interactions.viewer_I[own[0]]])

    def told(changed: Dataset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        projected = Projected(fitted, changed)
        score_N = projected.score(projected.interest(changed, viewer_B), EVERYTHING).numpy()
        return predict_logits(fitted, changed, last), score_N

    plain_logits, plain_score = told(dataset)
    for back in (6, 5 + 4, 5 + 4 + 1, len(own)):
        logits, score = told(turned(dataset, np.arange(count) == own[len(own) - back]))
        assert np.array_equal(score, plain_score) == (back > 5 + memory), back
        if back > 10:
            # The windows of training end elsewhere, but not that much.
            assert np.array_equal(logits, plain_logits) == (memory < 10)


def test_the_order_and_number_of_what_is_asked_does_not_matter() -> None:
    dataset, fitted = tiny_dataset(), model(history=4, memory=3)
    rows = dataset.interactions
    whole_IA = predict_logits(fitted, dataset, rows)
    assert whole_IA.shape == (len(rows), len(FLAG_ACTIONS))
    chosen = np.random.default_rng(0).integers(0, len(rows), 30)
    some = Interactions(**{name: getattr(rows, name)[chosen] for name in Interactions.__slots__})
    assert predict_logits(fitted, dataset, some) == pytest.approx(whole_IA[chosen], abs=1e-5)
    assert predict_logits(fitted, dataset, no_interactions()).shape == (0, len(FLAG_ACTIONS))


def test_exposures_of_one_millisecond_are_found_whatever_their_order() -> None:
    """Stores keep times finer than that, so that rows of one millisecond need not be in the order of their videos."""
    dataset = tiny_dataset()
    rows = dataset.interactions
    own = longest(dataset)
    at_I = rows.at_I.copy()
    at_I[own[3:7]] = at_I[own[3]]
    crowded = with_rows(dataset, at_I=at_I)
    assert (np.diff(rows.video_I[own[3:7]]) < 0).any()
    fitted = model()
    found_IA = predict_logits(fitted, crowded, crowded.interactions)
    assert found_IA.shape == (len(rows), len(FLAG_ACTIONS))
    one = crowded.interactions.where(np.arange(len(rows)) == own[5])
    assert predict_logits(fitted, crowded, one)[0] == pytest.approx(found_IA[own[5]], abs=1e-5)


@pytest.mark.parametrize("field", ["viewer_I", "video_I", "at_I"])
def test_exposures_that_were_not_observed_are_an_error(field: str) -> None:
    dataset, fitted = tiny_dataset(), model()
    recommender = InterestRecommender.of(fitted, dataset)
    some = dataset.interactions.where(np.arange(len(dataset.interactions)) < 3)
    values = getattr(some, field).copy()
    values[[0, 2]] += 10_000
    with pytest.raises(
        DataError,
        match="2 of 3 exposures are not among the observed interactions: observe the data set that holds",
    ):
        recommender.predict(replace(some, **{field: values}))
    with pytest.raises(DataError, match="3 of 3 exposures are not among the observed interactions"):
        InterestRecommender.of(fitted, dataset.before(0)).predict(some)


def test_watch_ratios_that_are_not_known_spread_to_no_score_and_no_prediction() -> None:
    dataset = tiny_dataset()
    rows = dataset.interactions
    unknown_I = np.random.default_rng(0).random(len(rows)) < 0.5
    holed = with_rows(dataset, watch_ratio_I=np.where(unknown_I, np.nan, rows.watch_ratio_I).astype(np.float32))
    recommender = InterestRecommender.of(model(history=4, memory=50), holed)
    assert np.isfinite(recommender.score(EVERYBODY, EVERYTHING)).all()
    assert np.isfinite(recommender.modality_weights(EVERYBODY)).all()
    assert np.isfinite(recommender.predict(holed.interactions)).all()


def test_predictions_are_calibrated_probabilities_of_the_actions_named() -> None:
    dataset = tiny_dataset()
    fitted = model()
    bent = Calibration(
        scale_A=np.linspace(0.5, 2, len(FLAG_ACTIONS)), shift_A=np.linspace(-1, 1, len(FLAG_ACTIONS))
    )
    recommender = InterestRecommender.of(replace(fitted, calibration=bent), dataset)
    assert isinstance(recommender, ActionPredictor)
    assert recommender.actions == tuple(map(str, FLAG_ACTIONS))
    logits_IA = predict_logits(fitted, dataset, dataset.interactions)
    expected_IA = 1 / (1 + np.exp(-(bent.scale_A * logits_IA + bent.shift_A)))
    assert recommender.predict(dataset.interactions) == pytest.approx(expected_IA, abs=1e-5)


def test_calibration_makes_the_mean_prediction_what_happened_in_the_validation_period() -> None:
    split, fitted = tiny_split(), model()
    made = calibrated(fitted, split.train, split.validation)
    whole = split.train.followed_by(split.validation)
    happened_IA = split.validation.interactions.actions_IF
    enough_A = np.minimum(happened_IA.sum(axis=0), (~happened_IA).sum(axis=0)) >= 10
    assert enough_A.any()
    predicted_A = InterestRecommender.of(made, whole).predict(split.validation.interactions).mean(axis=0)
    raw_A = InterestRecommender.of(fitted, whole).predict(split.validation.interactions).mean(axis=0)
    assert predicted_A[enough_A] == pytest.approx(happened_IA.mean(axis=0)[enough_A], abs=0.02)
    assert raw_A[enough_A] != pytest.approx(happened_IA.mean(axis=0)[enough_A], abs=0.02)
    few = len(happened_IA)  # of the others half a case of each kind is added to what happened
    assert predicted_A[~enough_A] == pytest.approx(
        (happened_IA.sum(axis=0)[~enough_A] + 0.5) / (few + 1), rel=1e-3
    )


def test_nearness_to_what_was_watched_adds_to_the_score_in_its_weight_and_new_videos_get_that_of_their_like() -> (
    None
):
    dataset = tiny_dataset()
    late = int(np.quantile(dataset.interactions.at_I, 0.1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = replace(tiny_config().model, neighbours=10, neighbour_weight=2.0)
        fitted = FittedModel.untrained(config, dataset.before(late), {})
    assert fitted.neighbourhood is not None
    known_V = np.isin(dataset.video_ids, fitted.vocabulary.video_ids)
    assert 0 < known_V.sum() < 60
    plain = replace(fitted, neighbourhood=None)
    with_near, without = (
        InterestRecommender.of(one, dataset).score(EVERYBODY, EVERYTHING) for one in (fitted, plain)
    )
    projected = Projected(fitted, dataset)
    near_BV = near_of(projected, dataset)
    assert with_near - without == pytest.approx(2.0 * near_BV, abs=1e-4)
    vectors_VD = projected.index_vectors_VD.numpy()
    unit_VD = vectors_VD / np.linalg.norm(vectors_VD, axis=1, keepdims=True)
    for video in np.flatnonzero(~known_V):
        likeness_V = np.where(known_V, unit_VD @ unit_VD[video], -2)
        kin_Q = np.argsort(-likeness_V)[:KIN]
        assert near_BV[:, video] == pytest.approx(near_BV[:, kin_Q].mean(axis=1), abs=1e-5)
    assert np.ptp(near_BV[:, known_V], axis=1).max() > 0.5
    # A viewer of whom nothing is known is near to nothing.
    assert not near_of(Projected(fitted, dataset.before(0)), dataset.before(0)).any()


def test_where_every_video_is_new_or_one_has_nothing_to_be_like_by_nearness_says_nothing() -> None:
    dataset, fitted = tiny_dataset(), model(neighbours=20, neighbour_weight=1.0)
    elsewhere = replace(dataset, video_ids=tuple(f"other{name}" for name in dataset.video_ids))
    assert not near_of(Projected(fitted, elsewhere), elsewhere).any()
    bare = replace(
        dataset,
        video_ids=("other", *dataset.video_ids[1:]),
        content={
            name: replace(one, present_V=one.present_V & (np.arange(60) > 0))
            for name, one in dataset.content.items()
        },
        attributes_VA=dataset.attributes_VA * (np.arange(60) > 0)[:, None],
    )
    near_BV = near_of(Projected(fitted, bare), bare)
    assert near_BV[:, 1:].any()
    assert not near_BV[:, 0].any()


@pytest.mark.parametrize("memory", [0, 10])
def test_nearness_too_reaches_as_far_back_as_the_memory(memory: int) -> None:
    dataset, fitted = tiny_dataset(), model(history=5, memory=memory, neighbours=20, neighbour_weight=1.0)
    own = longest(dataset)
    viewer_B, rows = dataset.interactions.viewer_I[own[:1]], np.arange(len(dataset.interactions))
    near = []
    for back in (None, 5 + memory, 5 + memory + 1, 1):
        at_I = np.zeros(len(rows), bool) if back is None else rows == own[len(own) - back]
        changed = turned(dataset, at_I, videos=True)
        near.append(near_of(Projected(fitted, changed), changed, viewer_B))
    assert not np.array_equal(near[1], near[0])
    assert np.array_equal(near[2], near[0])
    assert not np.array_equal(near[3], near[0])


def test_the_score_is_z_f_and_what_the_viewer_makes_of_trends() -> None:
    dataset = tiny_dataset()
    fitted, blind = model(), model(trends=False)
    with_trends, without = Projected(fitted, dataset), Projected(blind, dataset)
    interests = with_trends.interest(dataset, EVERYBODY)
    latest_VS = torch.from_numpy(Trends.of(dataset.interactions, dataset.uploaded_at_V).latest_VS)
    with torch.no_grad():
        say_BN = fitted.network.trend(interests.z_BD) @ latest_VS.T
    expected_BN = without.score(without.interest(dataset, EVERYBODY), EVERYTHING) + say_BN
    assert torch.allclose(with_trends.score(interests, EVERYTHING), expected_BN, atol=1e-5)
    assert say_BN.abs().max() > 0.1
    assert torch.equal(with_trends.weights(interests, EVERYTHING), without.weights(interests, EVERYTHING))


def test_what_is_predicted_of_candidates_is_what_is_predicted_of_the_next_exposure() -> None:
    dataset, fitted = tiny_dataset(), model(trends=False, history=50)
    own = longest(dataset)[:40]
    last = own[-1]
    rows = dataset.interactions
    before = replace(
        dataset, interactions=rows.where((rows.viewer_I != rows.viewer_I[last]) | (rows.at_I < rows.at_I[last]))
    )
    viewer_B, video_N = rows.viewer_I[[last]], rows.video_I[[last]]
    projected = Projected(fitted, before)
    logits_BNA, watch_BN = projected.predict(projected.interest(before, viewer_B), video_N)
    expected_IA = predict_logits(fitted, dataset, rows.where(np.array([last])))
    assert logits_BNA[0].numpy() == pytest.approx(expected_IA, abs=1e-4)
    assert watch_BN.shape == (1, 1)


def test_weights_are_chosen_the_same_in_blocks_of_few_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    split = tiny_split()
    task = ranking_task(split.train, split.validation)
    fitted = model(neighbours=20, taste_weight=0.0, group_weight=0.0)
    whole = with_best_weights(fitted, task).weights
    monkeypatch.setattr(ranking, "_BLOCK_SCORES", 3 * len(split.train.video_ids))
    assert with_best_weights(fitted, task).weights == whole
    assert len(task.viewers_B) > 3
