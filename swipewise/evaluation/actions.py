"""How well recommenders predict what a viewer does with a video that is shown: every exposure of the test period.

Legend of shape suffixes: I = exposures, U = all viewers, G = viewers with exposures, S = resamples, A = actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.evaluation.classify import (
    Reliability,
    ResampledAuc,
    auc_by_group,
    best_f1_threshold,
    log_loss,
    reliability,
)
from swipewise.evaluation.intervals import Estimate, bootstrap, estimate
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.dataset import ActionPredictor, Dataset, Interactions

MIN_POSITIVES: Final = 20
"""An action is measured where at least so many exposures of the test period have it, and so many have not."""

RESAMPLES: Final = 1000
"""Bootstrap resamples of viewers; fewer than for rankings, as each one orders all exposures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionScore:
    """How well one predictor predicts one action, with intervals over viewers.

    auc: over all exposures together; it also rewards knowing which viewers do it often.
    gauc: the AUC within each viewer, mean weighted by the viewer's exposures; viewer_auc: the plain mean. Both are
        over the viewers who did it with some exposures and not with others; None where there are none.
    threshold: of the best F1 in the validation period, f1: what it gives in the test period; None where nobody did
        it in the validation period.
    log_loss: mean over exposures, in nats.
    """

    auc: Estimate
    gauc: Estimate | None
    viewer_auc: Estimate | None
    threshold: float | None
    f1: Estimate | None
    log_loss: Estimate
    reliability: Reliability


@dataclass(frozen=True, slots=True, kw_only=True)
class AucDifference:
    """How much higher ``name`` is than ``other``, paired by viewer; ``gauc`` as in :class:`ActionScore`."""

    name: str
    other: str
    auc: Estimate
    gauc: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAction:
    """One action: how often it happened and how well each predictor predicted it.

    mixed_viewers: those who did it with some exposures and not with others.
    base_log_loss: the log loss of whoever knows nothing but how often it happens.
    against: the first predictor against each of the others.
    """

    action: str
    positives: int
    mixed_viewers: int
    base_log_loss: float
    scores: Mapping[str, ActionScore]
    against: tuple[AucDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionExam:
    """All predictors on the same exposures.

    skipped: the actions that happened, or did not happen, too seldom to be measured, and how often they happened.
    """

    exposures: int
    viewers: int
    actions: tuple[MeasuredAction, ...]
    skipped: Mapping[str, int]


def measure_actions(
    predictors: Mapping[str, ActionPredictor],
    dataset: Dataset,
    *,
    valid_start: int,
    test_start: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ActionExam | None:
    """Let predictors predict every exposure from ``test_start`` on, and hold them against what happened.

    Args:
        predictors: By name, the first is compared with the others. Each has learned from nothing after
            ``test_start`` and observes ``dataset``: of every exposure it may use what came before it.
        dataset: Everything.
        valid_start: Milliseconds; thresholds are chosen on the exposures in [valid_start, test_start).
        test_start: Milliseconds.
        resamples: Bootstrap resamples of viewers.
        seed: Of the resamples.

    Returns:
        None when nobody predicts an action, or nothing was shown after ``test_start``.

    Raises:
        DataError: A predicted probability lies outside [0, 1] or is not a number.
    """
    at_I = dataset.interactions.at_I
    test = dataset.interactions.where(at_I >= test_start)
    validation = dataset.interactions.where((at_I >= valid_start) & (at_I < test_start))
    offered = {name for predictor in predictors.values() for name in predictor.actions}
    names = [action for action in FLAG_ACTIONS if action in offered]
    if not names or not len(test):
        return None
    happened = {action: int(_happened(test, action).sum()) for action in names}
    enough = [a for a in names if MIN_POSITIVES <= happened[a] <= len(test) - MIN_POSITIVES]
    predicted = {
        name: _Predicted.by(name, one, validation, test) for name, one in predictors.items() if one.actions
    }
    first = next(iter(predictors))
    return ActionExam(
        exposures=len(test),
        viewers=len(np.unique(test.viewer_I)),
        actions=tuple(_measure(action, first, predicted, validation, test, resamples, seed) for action in enough),
        skipped={action.value: happened[action] for action in names if action not in enough},
    )


def _happened(rows: Interactions, action: Action) -> NDArray[np.bool_]:
    return rows.actions_IF[:, FLAG_ACTIONS.index(action)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Predicted:
    """One predictor's probabilities for both periods: (I, A), columns as ``actions``."""

    actions: Sequence[str]
    validation_IA: NDArray[np.float32]
    test_IA: NDArray[np.float32]

    @classmethod
    def by(cls, name: str, predictor: ActionPredictor, validation: Interactions, test: Interactions) -> _Predicted:
        actions = tuple(predictor.actions)
        empty_IA = np.zeros((0, len(actions)), np.float32)
        validation_IA = predictor.predict(validation) if len(validation) else empty_IA
        test_IA = predictor.predict(test)
        for probability_IA in (validation_IA, test_IA):
            wrong = ~((probability_IA >= 0) & (probability_IA <= 1))
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                raise DataError(
                    f"{name} predicts {actions[column]} with probability {probability_IA[row, column]}, which is not "
                    "in [0, 1]: train it again with a smaller learning rate"
                )
        return cls(actions=actions, validation_IA=validation_IA, test_IA=test_IA)


def _measure(
    action: Action,
    first: str,
    predicted: Mapping[str, _Predicted],
    validation: Interactions,
    test: Interactions,
    resamples: int,
    seed: int,
) -> MeasuredAction:
    truth_I = _happened(test, action)
    viewers_G, viewer_I = np.unique(test.viewer_I, return_inverse=True)
    drawn: dict[str, NDArray[np.float64]] = {}
    scores: dict[str, ActionScore] = {}
    for name, one in predicted.items():
        if action in one.actions:
            column = one.actions.index(action)
            threshold = _threshold(one.validation_IA[:, column], _happened(validation, action))
            statistics = _Statistics.of(one.test_IA[:, column], truth_I, viewer_I, threshold)
            drawn[name] = bootstrap(len(viewers_G), statistics, resamples=resamples, seed=seed)
            found = [
                estimate(value, drawn_S) if np.isfinite(value) else None
                for value, drawn_S in zip(statistics.observed, drawn[name].T, strict=True)
            ]
            scores[name] = _score(found, threshold, reliability(one.test_IA[:, column], truth_I))
    others = [name for name in scores if name != first] if first in scores else []
    rate = float(truth_I.mean())
    positives_G = np.bincount(viewer_I, truth_I)
    return MeasuredAction(
        action=action.value,
        positives=int(truth_I.sum()),
        mixed_viewers=int(((positives_G > 0) & (positives_G < np.bincount(viewer_I))).sum()),
        base_log_loss=float(-rate * np.log(rate) - (1 - rate) * np.log(1 - rate)),
        scores=scores,
        against=tuple(_against(first, other, scores, drawn[first] - drawn[other]) for other in others),
    )


def _threshold(probability_I: NDArray[np.float32], happened_I: NDArray[np.bool_]) -> float | None:
    return best_f1_threshold(probability_I, happened_I) if happened_I.any() else None


def _score(found: Sequence[Estimate | None], threshold: float | None, bins: Reliability) -> ActionScore:
    area, gauc, viewer_auc, f1, loss = found
    assert area is not None, "an action without positives or negatives is not measured"
    assert loss is not None
    return ActionScore(
        auc=area,
        gauc=gauc,
        viewer_auc=viewer_auc,
        threshold=threshold,
        f1=f1,
        log_loss=loss,
        reliability=bins,
    )


def _against(
    name: str, other: str, scores: Mapping[str, ActionScore], difference_SC: NDArray[np.float64]
) -> AucDifference:
    ours, theirs = scores[name], scores[other]
    gauc = None
    if ours.gauc and theirs.gauc:
        gauc = estimate(ours.gauc.value - theirs.gauc.value, difference_SC[:, 1])
    return AucDifference(
        name=name,
        other=other,
        auc=estimate(ours.auc.value - theirs.auc.value, difference_SC[:, 0]),
        gauc=gauc,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statistics:
    """AUC, GAUC, viewer AUC, F1 and log loss as functions of how often each viewer was drawn: (S, G) to (S, 5).

    All but the AUC are quotients of sums over viewers: over_GC (G, 4) the parts, under_GC (G, 4) the wholes.
    """

    area: ResampledAuc
    over_GC: NDArray[np.float64]
    under_GC: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        probability_I: NDArray[np.float32],
        truth_I: NDArray[np.bool_],
        viewer_I: NDArray[np.int64],
        threshold: float | None,
    ) -> _Statistics:
        auc_G, size_G = auc_by_group(probability_I, truth_I, viewer_I)
        mixed_G = np.isfinite(auc_G).astype(np.float64)
        auc_G = np.nan_to_num(auc_G)
        called_I = probability_I >= threshold if threshold is not None else np.zeros(len(truth_I), bool)
        counted = float(threshold is not None)  # without a threshold F1 is nothing over nothing
        called_or_true_G = counted * (np.bincount(viewer_I, called_I) + np.bincount(viewer_I, truth_I))
        return cls(
            area=ResampledAuc.of(probability_I, truth_I, viewer_I),
            over_GC=np.stack(
                [
                    auc_G * size_G,
                    auc_G,
                    2 * np.bincount(viewer_I, called_I & truth_I),
                    np.bincount(viewer_I, log_loss(probability_I, truth_I)),
                ],
                axis=1,
            ),
            under_GC=np.stack([mixed_G * size_G, mixed_G, called_or_true_G, size_G], axis=1),
        )

    def __call__(self, times_SG: NDArray[np.float64]) -> NDArray[np.float64]:
        over_SC, under_SC = times_SG @ self.over_GC, times_SG @ self.under_GC
        quotient_SC = np.divide(over_SC, under_SC, out=np.full_like(over_SC, np.nan), where=under_SC > 0)
        return np.concatenate([self.area(times_SG)[:, None], quotient_SC], axis=1)

    @property
    def observed(self) -> list[float]:
        """With every viewer once."""
        values: list[float] = self(np.ones((1, len(self.over_GC))))[0].tolist()
        return values
