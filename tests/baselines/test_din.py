"""DIN: the fast scores are those of the plain network, actions are predicted from what came before alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from swipewise.baselines import din_scores
from swipewise.baselines.activation import DIN, LocalActivation
from swipewise.baselines.din import DINRecommender
from swipewise.baselines.din_learner import DINLearner
from swipewise.baselines.schedule import Schedule
from swipewise.schema import Action
from swipewise.training.dataset import ActionPredictor, Dataset
from tests.baselines.worlds import VIDEOS, VIEWERS, tastes
from tests.training.hand_made import dataset_of

EVERYBODY, EVERYTHING = np.arange(VIEWERS), np.arange(VIDEOS)


def small(**settings: Any) -> DINRecommender:
    schedule = Schedule(epochs=60, patience=60, batch_events=128, average=0.8, device="cpu")
    defaults = {"width": 4, "units": 4, "hidden": 8, "dropout": 0.0, "learning_rate": 0.03, "history": 6}
    return DINRecommender(**{**defaults, "schedule": schedule, **settings})


@pytest.fixture(scope="module")
def fitted() -> DINRecommender:
    dataset = tastes(events=12)
    return small(validation=dataset.between(9, 12)).fit(dataset.before(9))


def test_a_viewers_kind_of_videos_is_found(fitted: DINRecommender) -> None:
    best = fitted.observe(tastes(events=12).before(9)).score(EVERYBODY, EVERYTHING).argmax(axis=1)
    assert (best % 2 == EVERYBODY % 2).mean() > 0.9


def plain_scores(recommender: DINRecommender, dataset: Dataset, viewer: int, video: int) -> NDArray[np.float32]:
    """All outputs, one pair at a time, by the network as it is trained."""
    network, rows = recommender._network, dataset.interactions
    assert network is not None
    mine = np.flatnonzero(rows.viewer_I == viewer)[-recommender.history :]
    t_BLD = network.events(
        torch.from_numpy(rows.video_I[mine]), torch.from_numpy(rows.positive_I[mine].astype(np.int64))
    ).unsqueeze(0)
    profile_BP = torch.from_numpy(recommender.profiles(dataset)[[viewer]])
    seen = torch.ones(1, len(mine), 1, dtype=torch.bool)
    with torch.no_grad():
        found_A = network(t_BLD, network.videos(torch.tensor([[video]])), seen, profile_BP)[0, 0]
        found_A[0] += network.own_bias(torch.tensor(video))
    found: NDArray[np.float32] = found_A.numpy()
    return found


@pytest.mark.parametrize(
    ("table", "block"), [(10**9, 10**9), (10**9, 40), (0, 10**9)], ids=["table", "in blocks", "no table"]
)
def test_scores_of_everything_are_those_of_single_pairs(
    fitted: DINRecommender, monkeypatch: pytest.MonkeyPatch, table: int, block: int
) -> None:
    monkeypatch.setattr(din_scores, "_TABLE_WEIGHTS", table)
    monkeypatch.setattr(din_scores, "_BLOCK_UNITS", block)
    dataset = tastes(events=12)
    fitted.observe(dataset)
    viewers_B = np.array([5, 2, 7])
    expected = [[plain_scores(fitted, dataset, u, v)[0] for v in EVERYTHING] for u in viewers_B]
    assert fitted.score(viewers_B, EVERYTHING) == pytest.approx(np.array(expected), abs=1e-4)
    assert fitted.score(viewers_B, EVERYTHING) == pytest.approx(np.array(expected), abs=1e-4)  # from the table
    some = fitted.score(viewers_B[::-1], np.array([6, 1]))
    assert some == pytest.approx(np.array(expected)[::-1, [6, 1]], abs=1e-4)


def test_weights_are_no_softmax_and_of_the_papers_form() -> None:
    unit = LocalActivation(width=2, units=3)
    t_BLD, x_BCD = torch.randn(1, 2, 2), torch.randn(1, 4, 2)
    found_BLC = unit(t_BLD, x_BCD)
    t, x = t_BLD[0, 1], x_BCD[0, 3]
    summed = unit.event(t) + unit.candidate(x) + unit.product(t * x)
    assert found_BLC[0, 1, 3].item() == pytest.approx(unit.out(unit.curve(summed)).item(), abs=1e-6)


def test_in_training_a_candidate_is_judged_from_what_came_before_it_alone(fitted: DINRecommender) -> None:
    network = fitted._network
    assert network is not None
    dataset = tastes(events=12)

    def learner(of: Dataset) -> DINLearner:
        return DINLearner(
            network,
            of,
            fitted.profiles(of),
            columns=(0,),
            history=6,
            negatives=2,
            exposure_weight=1.0,
            action_weight=1.0,
            schedule=Schedule(batch_events=64, device="cpu"),
            scorer=fitted.scorer,
        )

    rows = dataset.interactions
    last_I = np.append(rows.viewer_I[1:] != rows.viewer_I[:-1], True)
    turned = replace(rows, positive_I=rows.positive_I ^ last_I, actions_IF=rows.actions_IF ^ last_I[:, None])
    with torch.no_grad():
        for one, other in zip(
            learner(dataset).batches(0, 0),
            learner(replace(dataset, interactions=turned)).batches(0, 0),
            strict=True,
        ):
            before, after = learner(dataset).logits(one), learner(dataset).logits(other)
            assert torch.allclose(before[0], after[0], rtol=1e-4, atol=1e-3)
            assert torch.allclose(before[1], after[1], rtol=1e-4, atol=1e-3)


def test_every_exposure_is_learned_from_once_and_negatives_go_with_what_was_liked() -> None:
    dataset = tastes(viewers=6, events=12)
    recommender = small(schedule=Schedule(epochs=1, device="cpu")).fit(dataset)
    network = recommender._network
    assert network is not None
    learner = DINLearner(
        network,
        replace(dataset, uploaded_at_V=np.arange(VIDEOS)),
        recommender.profiles(dataset),
        columns=(0,),
        history=6,
        negatives=3,
        exposure_weight=0.0,
        action_weight=0.0,
        schedule=Schedule(batch_events=32, device="cpu"),
        scorer=recommender.scorer,
    )
    learned = 0
    for batch in learner.batches(0, 0):
        learned += int(batch.learn_BL.sum())
        liked_BL = batch.learn_BL & batch.tokens.positive_BL.bool()
        for window, place in batch.drawn_BJN.any(dim=2).nonzero().tolist():
            assert liked_BL[window, batch.place_BJ[window, place]]
        target_BJ = batch.tokens.video_BL.gather(1, batch.place_BJ)
        assert not ((batch.negative_BJN == target_BJ.unsqueeze(2)) & batch.drawn_BJN).any()
    assert learned == len(dataset.interactions)


def test_viewers_without_history_and_videos_without_id_are_scored() -> None:
    dataset = tastes(viewers=6)
    wider = replace(
        dataset,
        video_ids=(*dataset.video_ids, "new"),
        uploaded_at_V=np.zeros(VIDEOS + 1, np.int64),
        attributes_VA=np.append(dataset.attributes_VA, [[1]], axis=0),
    )
    recommender = small(schedule=Schedule(epochs=1, device="cpu")).fit(wider)
    scores = recommender.observe(wider.before(0)).score(np.arange(6), np.arange(VIDEOS + 1))
    assert np.isfinite(scores).all()
    # Viewers of one age who did nothing cannot be told apart.
    assert scores[0] == pytest.approx(scores[3])
    best = recommender.observe(wider).recommend(np.arange(6), 3)
    rows = wider.interactions
    assert all(not set(best[u].tolist()) & set(rows.video_I[rows.viewer_I == u].tolist()) for u in range(6))


def test_actions_are_predicted_and_calibrated(fitted: DINRecommender) -> None:
    assert isinstance(fitted, ActionPredictor)
    assert fitted.actions == (Action.FINISH, Action.SKIP)
    dataset = tastes(events=12)
    late = dataset.between(9, 12).interactions
    probability_IA = fitted.observe(dataset).predict(late)
    assert probability_IA.shape == (len(late), 2)
    assert probability_IA.min() >= 0
    assert probability_IA.max() <= 1
    finish_I = probability_IA[:, 0]
    assert finish_I[late.positive_I].mean() > 0.6 > 0.4 > finish_I[~late.positive_I].mean()
    assert finish_I.mean() == pytest.approx(late.positive_I.mean(), abs=0.05)


def test_an_exposure_is_predicted_from_what_came_before_it_alone(fitted: DINRecommender) -> None:
    dataset = tastes(events=12)
    rows = dataset.interactions
    asked = rows.where(rows.at_I == 5)
    whole = fitted.observe(dataset).predict(asked)
    before = fitted.observe(dataset.before(5)).predict(asked)
    assert whole == pytest.approx(before, abs=1e-6)
    earlier = fitted.observe(dataset.before(4)).predict(asked)
    assert np.abs(whole - earlier).max() > 1e-4
    # What was made of it is never looked at, nor is the order of the question.
    turned = replace(asked, positive_I=~asked.positive_I, actions_IF=~asked.actions_IF)
    assert fitted.observe(dataset).predict(turned).tolist() == whole.tolist()
    flipped = fitted.predict(asked.where(np.arange(len(asked)) < 3))
    assert flipped == pytest.approx(whole[:3], abs=1e-6)


def test_blocks_of_exposures_give_the_same_probabilities(
    fitted: DINRecommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tastes(events=12)
    whole = fitted.observe(dataset).predict(dataset.interactions)
    monkeypatch.setattr(din_scores, "_BLOCK_EXPOSURES", 7)
    assert fitted.predict(dataset.interactions) == pytest.approx(whole, abs=1e-5)


def test_without_attributes_profiles_and_actions_there_is_still_something_to_rank() -> None:
    rng = np.random.default_rng(0)
    rows = [(u, int(rng.integers(5)), at, True) for u in range(4) for at in range(5)]
    dataset = dataset_of(rows, viewers=4, uploaded=[0] * 5)
    recommender = small(schedule=Schedule(epochs=1, device="cpu"), validation=dataset).fit(dataset)
    assert recommender.actions == ()
    assert recommender.predict(dataset.interactions).shape == (20, 0)
    assert np.isfinite(recommender.score(np.arange(4), np.arange(5))).all()


def test_the_network_needs_no_video_to_be_known() -> None:
    network = DIN(
        video_row_V=torch.tensor([-1, -1]),
        attributes_VS=torch.zeros(2, 0, dtype=torch.int64),
        attribute_values=0,
        profile_values=0,
        width=2,
        units=2,
        hidden=4,
        outputs=1,
        dropout=0.0,
    )
    assert not network.videos(torch.arange(2)).any()
