"""Every baseline can be made, searched over and fitted by its name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import optuna
import pytest

from swipewise.baselines.bert4rec import BERT4RecRecommender
from swipewise.baselines.din import DINRecommender
from swipewise.baselines.itemcf import ItemCFRecommender
from swipewise.baselines.peers import PEERS, USUAL, Peer, model_peer
from swipewise.baselines.sasrec import SASRecRecommender
from swipewise.config import Config, ModelConfig, TrainingConfig
from swipewise.training.loop import Epoch
from tests.baselines.worlds import VIDEOS, walks

CLASSES: dict[str, Any] = {
    "itemcf": ItemCFRecommender,
    "sasrec": SASRecRecommender,
    "bert4rec": BERT4RecRecommender,
    "din": DINRecommender,
}


def nothing(_: Epoch) -> None:
    pass


OURS = model_peer(Config(model=ModelConfig(width=24, heads=3, neighbour_weight=7.5)))


@pytest.mark.parametrize("peer", [*PEERS.values(), OURS], ids=lambda peer: peer.name)
def test_the_space_can_be_searched_and_holds_the_defaults(peer: Peer) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(dict(peer.defaults))
    assert peer.space(study.ask()) == peer.defaults
    for _ in range(30):
        settings = peer.space(study.ask())
        assert set(settings) == set(peer.defaults)
        assert peer.build(settings, validation=None, on_epoch=nothing).name == peer.name


@pytest.mark.parametrize("name", CLASSES)
def test_the_defaults_are_those_of_the_constructor(name: str) -> None:
    own = inspect.signature(CLASSES[name]).parameters
    assert dict(PEERS[name].defaults) == {key: own[key].default for key in PEERS[name].defaults}


@pytest.mark.parametrize("name", ["sasrec", "bert4rec", "din"])
def test_epochs_are_a_setting_of_what_is_trained(name: str) -> None:
    told: list[Epoch] = []
    dataset = walks(viewers=6)
    settings = {**PEERS[name].defaults, "width": 8, "epochs": 2}
    recommender = PEERS[name].build(settings, validation=None, on_epoch=told.append).fit(dataset)
    assert [epoch.number for epoch in told] == [1, 2]
    assert recommender.score(np.arange(6), np.arange(VIDEOS)).shape == (6, VIDEOS)


def test_the_usual_ones_are_known() -> None:
    assert set(USUAL) <= set(PEERS)


def test_the_model_is_searched_over_like_everybody_else() -> None:
    told: list[Epoch] = []
    dataset = walks(viewers=6)
    training = TrainingConfig(negatives=8, device="cpu", epochs=5)
    peer = model_peer(Config(model=ModelConfig(width=16, heads=1, layers=1), training=training))
    assert peer.defaults["width"] == 16
    settings = {**peer.defaults, "width": 8, "epochs": 2}
    recommender = peer.build(settings, validation=None, on_epoch=told.append).fit(dataset)
    assert [epoch.number for epoch in told] == [1, 2]
    assert recommender.name == "swipewise"
