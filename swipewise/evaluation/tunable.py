"""The model as one more recommender whose settings are searched for, on the terms of the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from swipewise.baselines.peers import Peer
from swipewise.config import Config
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.loop import Epoch
from swipewise.training.recommender import InterestRecommender

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


def tunable_model(base: Config | None = None) -> Peer:
    """The interest model to be searched over as the baselines are; ``base`` holds what is not searched over."""
    base = base or Config()

    def build(
        settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Callable[[Epoch], None]
    ) -> Recommender:
        return InterestRecommender(with_settings(base, settings), validation=validation, on_epoch=on_epoch)

    names = (
        "layers",
        "dropout",
        "id_dropout",
        "learning_rate",
        "negatives",
        "ahead",
        "shown_weight",
        "neighbour_weight",
    )
    known = {f.name: getattr(base.model, f.name) for f in fields(base.model)}
    known |= {f.name: getattr(base.training, f.name) for f in fields(base.training)}
    return Peer(
        name=InterestRecommender.name,
        title="Swipewise",
        build=build,
        space=model_space,
        defaults={name: known[name] for name in names},
    )


def model_space(trial: BaseTrial) -> dict[str, Any]:
    """The settings that the model is searched over: keys of the sections ``model`` and ``training``."""
    return {
        "layers": trial.suggest_int("layers", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "id_dropout": trial.suggest_float("id_dropout", 0.0, 0.6),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "negatives": trial.suggest_int("negatives", 64, 2048, log=True),
        "ahead": trial.suggest_int("ahead", 1, 100, log=True),
        "shown_weight": trial.suggest_float("shown_weight", 0.0, 1.0),
        "neighbour_weight": trial.suggest_float("neighbour_weight", 0.0, 4.0),
    }


def with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    """A configuration with other values for some keys of its sections ``model`` and ``training``."""
    parts = {}
    for section in ("model", "training"):
        part = getattr(config, section)
        own = {f.name for f in fields(part)} & settings.keys()
        parts[section] = replace(part, **{name: settings[name] for name in own})
    return replace(config, **parts)
