"""The whole examination: tune and fit the baselines, put everybody through the protocol, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from typing import Protocol as Face

from swipewise.baselines.peers import PEERS, USUAL, Peer
from swipewise.baselines.tuning import Tried, Tuned, search
from swipewise.evaluation.actions import ActionExam, measure_actions
from swipewise.evaluation.beyond import BeyondAccuracy, beyond_accuracy
from swipewise.evaluation.comparison import Comparison, compare
from swipewise.evaluation.fusion import Attention, Attentive, PlantedWeights, attention_of
from swipewise.evaluation.oracle import OracleRecommender
from swipewise.evaluation.oracle import Truth as Utilities
from swipewise.evaluation.protocol import Protocol, evaluate
from swipewise.training.dataset import ActionPredictor, Dataset, Recommender
from swipewise.training.loop import validation_task


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
    title: str
    kind: Kind
    settings: Mapping[str, Any] = field(default_factory=dict)
    validation: float | None = None
    tried: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the settings of baselines are found.

    Attributes:
        trials: Settings that are looked at for each baseline.
        seed: Of the choices.
        viewers: How many viewers are searched on; None: all.
        known: What an earlier search found, by baseline; these are not searched again.
        on_trial: Told the baseline and what became of a trial.
        on_found: Told the baseline and what its search found.
    """

    trials: int = 20
    seed: int = 0
    viewers: int | None = None
    known: Mapping[str, Tuned] = field(default_factory=dict)
    on_trial: Callable[[str, Tried], None] = lambda _name, _tried: None
    on_found: Callable[[str, Tuned], None] = lambda _name, _tuned: None


class Truth(Utilities, PlantedWeights, Face):
    """What an examination asks of a simulated world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """All that an examination found; the first contender is the model.

    ``actions`` are None where no contender predicts what viewers do.
    """

    protocol: Protocol
    contenders: tuple[Contender, ...]
    comparison: Comparison
    beyond: BeyondAccuracy
    actions: ActionExam | None
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
    against: Sequence[str | Peer] = USUAL,
    search_with: Search | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Exam:
    """Compare a fitted model with baselines and, where the truth is known, the oracle.

    Args:
        dataset: Everything, also what happened after the cut.
        model: Fitted on nothing later than ``test_start``.
        valid_start: Milliseconds; baselines are fitted before it and tuned on what follows.
        test_start: Milliseconds; baselines are fitted again on all before it, and what follows is predicted.
        truth: Of a simulated world, by the data set's ids.
        against: Baselines in the order of the report, those of :data:`~swipewise.baselines.peers.PEERS` by name.
        search_with: How their settings are found.
        seed: Of the bootstrap.
        on_step: Told what is about to be done.

    Raises:
        DataError: Nobody likes anything new after ``test_start``.
    """
    protocol = Protocol.at(dataset, test_start)
    train, validation = dataset.before(valid_start), dataset.between(valid_start, test_start)
    contenders, measured = [Contender(name=model.name, title="Swipewise", kind=Kind.MODEL)], []
    on_step(f"ranking with {model.name}")
    model = model.observe(protocol.history)
    measured.append(evaluate(model, protocol))
    attention = attention_of(model, protocol.history, truth) if isinstance(model, Attentive) else None
    fitted = {model.name: model}
    for peer in (PEERS[each] if isinstance(each, str) else each for each in against):
        on_step(f"tuning {peer.name}")
        contender = tuned(peer, train, validation, search_with or Search())
        contenders.append(contender)
        recommender = peer.build(contender.settings or peer.defaults, validation=None, on_epoch=lambda _: None)
        fitted[peer.name] = recommender.fit(protocol.history)
        measured.append(evaluate(fitted[peer.name], protocol))
    if truth is not None:
        on_step("asking the oracle")
        contenders.append(Contender(name=OracleRecommender.name, title="Oracle", kind=Kind.ORACLE))
        measured.append(evaluate(OracleRecommender.of_truth(truth, protocol), protocol))
    predictors = {name: one for name, one in fitted.items() if isinstance(one, ActionPredictor)}
    if predictors:
        on_step("predicting actions")
    actions = measure_actions(
        {name: one.observe(dataset) for name, one in predictors.items()},
        dataset,
        valid_start=valid_start,
        test_start=test_start,
        seed=seed,
    )
    on_step("resampling viewers")
    return Exam(
        protocol=protocol,
        contenders=tuple(contenders),
        comparison=compare(measured, model=model.name, ceilings=(OracleRecommender.name,), seed=seed),
        beyond=beyond_accuracy(measured, protocol, seed=seed),
        actions=actions,
        attention=attention,
        seed=seed,
    )


def tuned(peer: Peer, train: Dataset, validation: Dataset, how: Search) -> Contender:
    """The baseline with the settings that are known of it, or else with those that a search finds."""
    contender = Contender(name=peer.name, title=peer.title, kind=Kind.BASELINE)
    found = how.known.get(peer.name)
    if found is None:
        if validation_task(train, validation) is None:  # nothing to choose by
            return contender
        found = search(
            peer.build,
            peer.space,
            train,
            validation,
            defaults=peer.defaults,
            trials=how.trials,
            seed=how.seed,
            viewers=how.viewers,
            on_trial=lambda tried: how.on_trial(peer.name, tried),
        )
        how.on_found(peer.name, found)
    return replace(contender, settings=found.settings, validation=found.validation, tried=found.tried)
