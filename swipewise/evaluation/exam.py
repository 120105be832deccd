"""The whole examination: tune and fit the baselines, put everybody through the protocol, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from typing import Protocol as Face

from swipewise.baselines.itemcf import ItemCFRecommender
from swipewise.baselines.popularity import PopularityRecommender
from swipewise.baselines.tuning import ITEMCF_GRID, POPULARITY_GRID, tune
from swipewise.errors import DataError
from swipewise.evaluation.comparison import Comparison, compare
from swipewise.evaluation.fusion import Attention, Attentive, PlantedWeights, attention_of
from swipewise.evaluation.oracle import OracleRecommender
from swipewise.evaluation.oracle import Truth as Utilities
from swipewise.evaluation.protocol import Protocol, evaluate
from swipewise.training.dataset import Dataset, Recommender


class Kind(StrEnum):
    """What part a recommender plays in a comparison."""

    MODEL = "model"
    BASELINE = "baseline"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A recommender as it was compared.

    ``settings`` are a baseline's, chosen from ``tried`` on the validation period, where it had the NDCG@10
    ``validation`` (None when nobody liked anything new then, and the settings are the defaults).
    """

    name: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    validation: float | None = None
    tried: int = 0


class Truth(Utilities, PlantedWeights, Face):
    """What an examination asks of a simulated world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """All that an examination found; the first contender is the model."""

    protocol: Protocol
    contenders: tuple[Contender, ...]
    comparison: Comparison
    attention: Attention | None
    seed: int

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The contenders of one kind."""
        return tuple(contender.name for contender in self.contenders if contender.kind == kind)


def examine(
    dataset: Dataset,
    model: Recommender,
    *,
    valid_start: int,
    test_start: int,
    truth: Truth | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Exam:
    """Compare a fitted model with popularity, ItemCF and, where the truth is known, the oracle.

    Args:
        dataset: Everything, also what happened after the cut.
        model: Fitted on nothing later than ``test_start``.
        valid_start: Milliseconds; baselines are fitted before it and tuned on what follows.
        test_start: Milliseconds; baselines are fitted again on all before it, and what follows is predicted.
        truth: Of a simulated world, by the data set's ids.
        seed: Of the bootstrap.
        on_step: Told what is about to be done.

    Raises:
        DataError: Nobody likes anything new after ``test_start``.
    """
    protocol = Protocol.at(dataset, test_start)
    train, validation = dataset.before(valid_start), dataset.between(valid_start, test_start)
    contenders, measured = [Contender(name=model.name, kind=Kind.MODEL)], []
    on_step(f"ranking with {model.name}")
    model = model.observe(protocol.history)
    measured.append(evaluate(model, protocol))
    for build, grid in ((ItemCFRecommender, ITEMCF_GRID), (PopularityRecommender, POPULARITY_GRID)):
        on_step(f"tuning {build.name}")
        contender = _tuned(build, grid, train, validation)
        contenders.append(contender)
        measured.append(evaluate(build(**contender.settings).fit(protocol.history), protocol))
    if truth is not None:
        on_step("asking the oracle")
        contenders.append(Contender(name=OracleRecommender.name, kind=Kind.ORACLE))
        measured.append(evaluate(OracleRecommender.of_truth(truth, protocol), protocol))
    on_step("resampling viewers")
    return Exam(
        protocol=protocol,
        contenders=tuple(contenders),
        comparison=compare(measured, model=model.name, seed=seed),
        attention=attention_of(model, protocol.history, truth) if isinstance(model, Attentive) else None,
        seed=seed,
    )


def _tuned(
    build: type[ItemCFRecommender | PopularityRecommender],
    grid: Mapping[str, Sequence[Any]],
    train: Dataset,
    validation: Dataset,
) -> Contender:
    try:
        tuned = tune(build, grid, train, validation)
    except DataError:  # nobody likes anything new in the validation period: nothing to choose by
        return Contender(name=build.name, kind=Kind.BASELINE)
    return Contender(
        name=build.name, kind=Kind.BASELINE, settings=tuned.settings, validation=tuned.figure, tried=tuned.tried
    )
