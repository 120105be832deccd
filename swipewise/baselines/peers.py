"""Every recommender by name: how it is made, and what is searched over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from swipewise.baselines.bert4rec import LONG, BERT4RecRecommender, bert4rec_space
from swipewise.baselines.din import DINRecommender, din_space
from swipewise.baselines.itemcf import ItemCFRecommender, itemcf_space
from swipewise.baselines.popularity import PopularityRecommender, recent_space
from swipewise.baselines.sasrec import SASRecRecommender, sasrec_space
from swipewise.baselines.schedule import Schedule
from swipewise.baselines.tuning import EPOCHS, Build, Space
from swipewise.config import Config, ModelConfig
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.loop import Epoch
from swipewise.training.recommender import InterestRecommender

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A recommender to search over. ``defaults`` choose everything in ``space``, as its constructor does."""

    name: str
    title: str
    build: Build
    space: Space
    defaults: Mapping[str, Any]


def _plain(cls: Callable[..., Recommender]) -> Build:
    """A recommender that is fitted in one go."""

    def build(
        settings: Mapping[str, Any],
        *,
        validation: Dataset | None,  # noqa: ARG001
        on_epoch: Callable[[Epoch], None],  # noqa: ARG001
    ) -> Recommender:
        return cls(**settings)

    return build


def _by_epochs(cls: Callable[..., Recommender], schedule: Schedule) -> Build:
    """A recommender that is trained by epochs, as many as the settings say."""

    def build(
        settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Callable[[Epoch], None]
    ) -> Recommender:
        own = {name: value for name, value in settings.items() if name != EPOCHS}
        how = replace(schedule, epochs=settings.get(EPOCHS, schedule.epochs))
        return cls(**own, schedule=how, validation=validation, on_epoch=on_epoch)

    return build


_PEERS = (
    Peer(
        name="popularity",
        title="Popularity",
        build=_plain(PopularityRecommender),
        space=lambda _: {},
        defaults={},
    ),
    Peer(
        name="recent",
        title="Recent popularity",
        build=_plain(PopularityRecommender),
        space=recent_space,
        defaults={"days": 7},
    ),
    Peer(
        name="itemcf",
        title="ItemCF",
        build=_plain(ItemCFRecommender),
        space=itemcf_space,
        defaults={
            "neighbours": 100,
            "shrinkage": 10.0,
            "inverse_user_frequency": True,
            "exposure_weight": 0.0,
            "half_life_days": None,
        },
    ),
    Peer(
        name="sasrec",
        title="SASRec",
        build=_by_epochs(SASRecRecommender, Schedule()),
        space=sasrec_space,
        defaults={
            "width": 64,
            "layers": 1,
            "heads": 2,
            "dropout": 0.3,
            "learning_rate": 2e-3,
            "ahead": 16,
            "inputs": "exposures",
            "loss": "softmax",
            "negatives": 1024,
        },
    ),
    Peer(
        name="bert4rec",
        title="BERT4Rec",
        build=_by_epochs(BERT4RecRecommender, LONG),
        space=bert4rec_space,
        defaults={
            "width": 64,
            "layers": 2,
            "heads": 2,
            "dropout": 0.2,
            "learning_rate": 2e-3,
            "mask": 0.3,
            "inputs": "exposures",
            "negatives": 512,
        },
    ),
    Peer(
        name="din",
        title="DIN",
        build=_by_epochs(DINRecommender, Schedule()),
        space=din_space,
        defaults={
            "width": 32,
            "units": 16,
            "hidden": 64,
            "dropout": 0.3,
            "learning_rate": 2e-3,
            "negatives": 8,
            "exposure_weight": 0.0,
        },
    ),
)

PEERS: Final[Mapping[str, Peer]] = MappingProxyType({peer.name: peer for peer in _PEERS})
"""All baselines by name."""

USUAL: Final = ("itemcf", "recent", "popularity")
"""Those that need no training by epochs, and so take seconds."""


def model_peer(config: Config | None = None) -> Peer:
    """The model itself, to be searched over like everybody else, around the settings of ``config``.

    Its settings are keys of ``[model]`` and ``[training]``; all others stay as ``config`` has them.
    """
    base = config or Config()
    own = {each.name for each in fields(ModelConfig)}

    def now(name: str) -> Any:
        return getattr(base.model if name in own else base.training, name)

    def space(trial: BaseTrial) -> dict[str, Any]:
        def among(name: str, *choices: Any) -> Any:
            return trial.suggest_categorical(name, sorted({*choices, now(name)}))

        def between(name: str, low: float, high: float, *, log: bool = False) -> float:
            return trial.suggest_float(name, min(low, now(name)), max(high, now(name)), log=log)

        return {
            "width": among("width", *(width for width in (32, 64, 128) if width % base.model.heads == 0)),
            "layers": among("layers", 1, 2, 3),
            "dropout": between("dropout", 0.0, 0.5),
            "id_dropout": between("id_dropout", 0.0, 0.9),
            "neighbour_weight": between("neighbour_weight", 0.0, 4.0),
            "learning_rate": between("learning_rate", 3e-4, 1e-2, log=True),
            "negatives": among("negatives", 256, 512, 1024),
            "ahead": among("ahead", 1, 4, 16, 64),
            "hidden_share": between("hidden_share", 0.0, 0.5),
            "shown_weight": between("shown_weight", 0.0, 1.0),
        }

    def build(
        settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Callable[[Epoch], None]
    ) -> Recommender:
        model = {name: value for name, value in settings.items() if name in own}
        training = {name: value for name, value in settings.items() if name not in own}
        tuned = replace(base, model=replace(base.model, **model), training=replace(base.training, **training))
        return InterestRecommender(tuned, validation=validation, on_epoch=on_epoch)

    model_names = ("width", "layers", "dropout", "id_dropout", "neighbour_weight")
    training_names = ("learning_rate", "negatives", "ahead", "hidden_share", "shown_weight")
    return Peer(
        name=InterestRecommender.name,
        title="Swipewise",
        build=build,
        space=space,
        defaults={name: now(name) for name in model_names + training_names},
    )
