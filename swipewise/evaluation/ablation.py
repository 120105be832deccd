"""What each part of the model is worth: the model trained again without it, on the same data, split, seeds and budget.

Legend of shape suffixes: B = viewers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from swipewise.config import Config
from swipewise.errors import DataError
from swipewise.evaluation.ablation_store import AblationStore, Outcome, ablation_plan
from swipewise.evaluation.comparison import Against, Comparison, compare
from swipewise.evaluation.intervals import Estimate
from swipewise.evaluation.protocol import Measured, Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.shuffle import averaged
from swipewise.evaluation.significance import holm
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import Epoch, Step, fit_network, seeded
from swipewise.training.recommender import InterestRecommender
from swipewise.training.runs import fingerprint
from swipewise.training.split import TimeSplit

FULL: Final = "full"
"""Name of the variant that lacks nothing."""

ID_ONLY: Final = "id-only"
CONTENT_ONLY: Final = "content-only"

PARTS: Final = (
    *map(str, Modality),
    "sequence",
    "positions",
    "behavior",
    "profile",
    "alignment",
    "attention",
    "trends",
    "neighbours",
    "tastes",
    ID_ONLY,
    CONTENT_ONLY,
)
"""What can be taken away, and the two variants that videos are known by ids, or by content, alone.

Neighbours are told by ids, and so go with the id.
"""

SEGMENTS: Final = (Segment.ALL, Segment.WARM_VIEWERS, Segment.COLD_VIEWERS, Segment.COLD_VIDEOS)
"""The segments that are compared."""


def without(config: Config, part: str) -> Config:
    """The same configuration without one of PARTS.

    >>> without(Config(), "audio").model.modalities
    ('visual', 'text', 'attributes', 'id')
    >>> without(Config(), "positions").model.without
    ('positions',)
    """
    model = config.model
    if part in model.modalities:
        model = replace(model, modalities=tuple(name for name in model.modalities if name != part))
    elif part == ID_ONLY:
        model = replace(model, modalities=(Modality.ID.value,))
    elif part == CONTENT_ONLY:
        kept = tuple(name for name in model.modalities if name in CONTENT_MODALITIES)
        model = replace(model, modalities=kept)
    elif part == "trends":
        model = replace(model, trends=False)
    elif part == "neighbours":
        model = replace(model, neighbours=0)
    elif part == "tastes":
        model = replace(model, themes=0)
    elif part == "alignment":
        unaligned = replace(config.training, alignment_weight=0.0, alignment_epochs=0)
        return replace(config, training=unaligned)
    else:
        model = replace(model, without=(*model.without, part))
    return replace(config, model=model)


def parts_of(config: Config, train: Dataset) -> tuple[str, ...]:
    """Those of PARTS that a model of this configuration has when it is trained on this data, in their order."""
    with seeded(0):
        untrained = FittedModel.untrained(config.model, train, {})
    modalities = untrained.modalities
    content = [name for name in modalities if name in CONTENT_MODALITIES]
    several = len(modalities) > 1
    there = {str(name): several and name in modalities for name in Modality} | {
        "sequence": True,
        "positions": "sequence" not in config.model.without,
        "behavior": True,
        "profile": bool(train.profile_UP.any()),
        "alignment": bool(config.training.alignment_weight or config.training.alignment_epochs)
        and len(content) > 1,
        "attention": several,
        "trends": config.model.trends,
        "neighbours": bool(config.model.neighbours) and Modality.ID in modalities,
        "tastes": untrained.tastes is not None,
        ID_ONLY: several and Modality.ID in modalities,
        CONTENT_ONLY: bool(content) and len(content) < len(modalities),
    }
    return tuple(part for part in PARTS if there[part] and part not in config.model.without)


def chosen_parts(wanted: Iterable[str], available: Sequence[str]) -> tuple[str, ...]:
    """The wanted parts in the order of PARTS; all that are available where none is named.

    Raises:
        DataError: A part is unknown, or this model on this data has none of it.
    """
    names = tuple(wanted)
    for name in names:
        if name not in available:
            why = "this model on this data has none" if name in PARTS else "unknown"
            raise DataError(f"cannot take away {name!r} ({why}): choose among {', '.join(available)}")
    return tuple(part for part in available if not names or part in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a variant gains, or with a minus sign loses, against the full model.

    value: mean over viewers and seeds of the variant; change: the difference to the full model, paired by viewer.
    share: the change as a share of the full model's mean, None where that is 0.
    p: of the sign-flip test; p_holm: corrected for the variants within one segment and one metric.
    """

    variant: str
    segment: str
    metric: Metric
    value: Estimate
    change: Estimate
    share: float | None
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The full model and its variants on the same exam.

    variants: their names, without the full model. seed_means: NDCG@10 over all viewers for each variant, the full
    model first, and seed. facts: of each variant's trainings, one a seed.
    """

    protocol: Protocol
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    comparison: Comparison
    changes: tuple[Change, ...]
    seed_means: Mapping[str, tuple[float, ...]]
    facts: Mapping[str, tuple[Mapping[str, Any], ...]]

    def find(self, variant: str, metric: Metric = Metric.NDCG_10, segment: str = Segment.ALL) -> Change | None:
        """The change of a variant, None where it was not measured."""
        wanted = (variant, metric, segment)
        return next((one for one in self.changes if (one.variant, one.metric, one.segment) == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how an ablation goes.

    Attributes:
        on_variant: Told a variant, its seed, its number from 1, how many there are, and whether it was kept from an
            earlier time.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.
    """

    on_variant: Callable[[str, int, int, int, bool], None] = lambda *_: None
    on_step: Callable[[Step], None] = lambda _: None
    on_epoch: Callable[[Epoch], None] = lambda _: None


def ablate(
    dataset: Dataset,
    split: TimeSplit,
    config: Config,
    *,
    parts: Iterable[str] = (),
    seeds: int = 1,
    store: AblationStore | None = None,
    watch: Watch | None = None,
) -> Ablation:
    """Train the model and its variants, and compare them on the test period.

    Args:
        dataset: Everything.
        split: Of ``dataset``; variants are fitted on its train part, stopped by its validation part and judged on
            what follows.
        config: The full model's ``model`` and ``training`` sections.
        parts: Which of PARTS to take away; all that the model has by default.
        seeds: Trainings of each variant, with seeds from ``training.seed`` on; figures are means over them.
        store: Keeps what is finished and half finished; what it holds of the same plan is not trained again.
        watch: Told how it goes.

    Raises:
        DataError: A part is not there to be taken away, or nobody likes anything new in the test period.
        ArtifactError: The store cannot be written.
    """
    watch = watch or Watch()
    chosen = chosen_parts(parts, parts_of(config, split.train))
    protocol = Protocol.at(dataset, split.test_start)
    data = fingerprint(dataset)
    configs = {FULL: config} | {part: without(config, part) for part in chosen}
    every_seed = tuple(range(config.training.seed, config.training.seed + seeds))
    memory: dict[str, Outcome] = {}  # two variants may be the same model
    outcomes: dict[str, list[Outcome]] = {name: [] for name in configs}
    work = [(name, seed) for name in configs for seed in every_seed]
    for number, (name, seed) in enumerate(work, 1):
        seeded_config = replace(configs[name], training=replace(configs[name].training, seed=seed))
        plan = ablation_plan(seeded_config, data, split)
        known = memory.get(plan.digest) or (store.find(plan) if store else None)
        watch.on_variant(name, seed, number, len(work), known is not None)
        if known is None:
            checkpoint = store.checkpoint(plan) if store else None
            fit = fit_network(
                split.train,
                split.validation,
                seeded_config,
                checkpoint=checkpoint,
                on_step=watch.on_step,
                on_epoch=watch.on_epoch,
            )
            measured = evaluate(InterestRecommender.of(fit.fitted, protocol.history), protocol)
            known = Outcome.of(measured, fit, SEGMENTS)
        if store:
            store.keep(name, seed, plan, known)
        memory[plan.digest] = known
        outcomes[name].append(known)
    return _compared(protocol, outcomes, every_seed)


def _compared(protocol: Protocol, outcomes: Mapping[str, Sequence[Outcome]], seeds: tuple[int, ...]) -> Ablation:
    measured = [_mean(name, each) for name, each in outcomes.items()]
    comparison = compare(measured, model=FULL)
    return Ablation(
        protocol=protocol,
        variants=tuple(name for name in outcomes if name != FULL),
        seeds=seeds,
        comparison=comparison,
        changes=tuple(_changes(comparison)),
        seed_means={
            name: tuple(float(one.values[Segment.ALL][Metric.NDCG_10].mean()) for one in each)
            for name, each in outcomes.items()
        },
        facts={name: tuple(one.facts for one in each) for name, each in outcomes.items()},
    )


def _mean(name: str, outcomes: Sequence[Outcome]) -> Measured:
    """Over seeds, viewer by viewer."""
    none_BK = np.zeros((0, 0), np.int64)  # rankings are not kept
    return averaged([Measured(name=name, values=one.values, best_BK=none_BK) for one in outcomes], name=name)


def _changes(comparison: Comparison) -> list[Change]:
    """Every comparison seen from the variant, corrected within its segment and metric."""
    families: dict[tuple[str, Metric], list[Against]] = {}
    for against in comparison.against:
        families.setdefault((against.segment, against.metric), []).append(against)
    changes = []
    for (segment, metric), family in families.items():
        corrected = holm(np.array([against.p for against in family])).tolist()
        whole = comparison.figures[segment][FULL][metric].value
        for against, p_holm in zip(family, corrected, strict=True):
            loss = against.difference
            changes.append(
                Change(
                    variant=against.other,
                    segment=segment,
                    metric=metric,
                    value=comparison.figures[segment][against.other][metric],
                    change=Estimate(value=0.0 - loss.value, low=0.0 - loss.high, high=0.0 - loss.low),
                    share=(0.0 - loss.value) / whole if whole > 0 else None,
                    p=against.p,
                    p_holm=p_holm,
                )
            )
    return changes
