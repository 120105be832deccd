"""Asks of a fitted model whether it uses what it was built to use, and judges every answer by a threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from swipewise.config import TrainingConfig
from swipewise.evaluation.actions import ActionExam, measure_actions
from swipewise.evaluation.audit_alignment import Alignment, alignments
from swipewise.evaluation.audit_attention import (
    AttentionSpread,
    SegmentWeights,
    attention_by_segment,
    attention_spread,
)
from swipewise.evaluation.audit_findings import Finding, Thresholds, Verdict
from swipewise.evaluation.audit_judgement import (
    judge_actions,
    judge_alignment,
    judge_attention,
    judge_lost,
    judge_order,
    judge_popularity,
    judge_profiles,
    judge_segments,
)
from swipewise.evaluation.audit_ranking import AS_IT_IS, REPEATS, RankingEffects, ranking_effects
from swipewise.evaluation.beyond import BeyondAccuracy, beyond_accuracy
from swipewise.evaluation.protocol import Protocol
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.recommender import InterestRecommender

ACTION_RESAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All that an audit found, and the measurements behind it.

    ``attention`` is None where there is nothing to weigh, ``actions`` where the heads were not trained or nothing was
    shown in the test period.
    """

    findings: tuple[Finding, ...]
    protocol: Protocol
    attention: AttentionSpread | None
    segments: tuple[SegmentWeights, ...]
    effects: RankingEffects
    alignments: tuple[Alignment, ...]
    actions: ActionExam | None
    beyond: BeyondAccuracy
    thresholds: Thresholds
    seed: int

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that warn."""
        return tuple(finding for finding in self.findings if finding.verdict == Verdict.WARN)


def audit(
    fitted: FittedModel,
    dataset: Dataset,
    *,
    valid_start: int,
    test_start: int,
    training: TrainingConfig | None = None,
    thresholds: Thresholds | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Look into a fitted model.

    Args:
        fitted: Trained on nothing later than ``test_start``.
        dataset: Everything, also what happened after the cut.
        valid_start: Milliseconds, where the validation period begins.
        test_start: Milliseconds; rankings are judged by what viewers like from then on.
        training: How the model was trained: what was given no weight is not held against it.
        thresholds: Bounds other than the usual ones.
        repeats: Random orders and permutations that are tried.
        seed: Of everything random.
        on_step: Told what is about to be done.

    Raises:
        DataError: Nobody likes anything new after ``test_start``.
        ArtifactError: The data lacks a modality that the model was trained with.
    """
    training, bounds = training or TrainingConfig(), thresholds or Thresholds()
    protocol = Protocol.at(dataset, test_start)
    on_step("weighing modalities")
    attention = attention_spread(fitted, protocol.history, seed=seed)
    aligned = alignments(fitted, protocol.history, seed=seed)
    effects = ranking_effects(fitted, protocol, repeats=repeats, seed=seed, on_step=on_step)
    actions = None
    if training.action_weight > 0:
        on_step("predicting actions")
        actions = measure_actions(
            {AS_IT_IS: InterestRecommender.of(fitted, dataset)},
            dataset,
            valid_start=valid_start,
            test_start=test_start,
            resamples=ACTION_RESAMPLES,
            seed=seed,
        )
    found = Audit(
        findings=(),
        protocol=protocol,
        attention=attention,
        segments=attention_by_segment(attention, protocol.history) if attention else (),
        effects=effects,
        alignments=aligned,
        actions=actions,
        beyond=beyond_accuracy([effects.plain], protocol, seed=seed),
        thresholds=bounds,
        seed=seed,
    )
    return replace(found, findings=_judged(found, fitted.config.without, training))


def _judged(found: Audit, without: Sequence[str], training: TrainingConfig) -> tuple[Finding, ...]:
    """What the measurements say, held against the thresholds; what was left out of the model is not asked of it."""
    bounds = found.thresholds
    return (
        *judge_attention(found.attention, without, bounds),
        judge_segments(found.segments, without, bounds),
        judge_order(found.effects, without, bounds),
        judge_profiles(found.effects, without, bounds),
        judge_alignment(found.alignments, training.alignment_weight, bounds),
        judge_lost(found.effects, bounds),
        *judge_actions(found.actions, training.action_weight, bounds, seed=found.seed),
        judge_popularity(found.beyond, bounds),
    )
