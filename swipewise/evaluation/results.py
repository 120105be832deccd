"""What ``report.json`` holds: an examination as plain values, from which the page is drawn.

::

    schema_version, evaluated_at, seed
    run          id, seed, versions and data_fingerprint of the run that was examined
    data         viewers, videos, interactions, positive (share)
    split        first, valid_start, test_start, last: moments as ISO 8601
    protocol     viewers, candidates and relevant (means a viewer), places, resamples, flips, all_candidates,
                 cold_viewer_below, medium_viewer_from, heavy_viewer_from
    models       [name, title, kind, settings, validation, tried], the examined model first
    segments     segment -> viewers, targets, figures: model -> metric -> value, low, high
    against      [other, segment, metric, difference, ratio, p, p_holm]: the model against each of the others
    beyond       candidates, liked_popularity, recommenders: model -> coverage, gini, novelty, popularity,
                 content_diversity, attribute_diversity
    actions      how well actions are predicted, null where nobody predicts any: exposures, viewers, skipped,
                 actions: [action, positives, mixed_viewers, base_log_loss, scores, against], where scores are
                 model -> auc, gauc, viewer_auc, threshold, f1, log_loss, calibration_error, reliability
    learning     [epoch, loss, ndcg], ndcg on the validation period, for every epoch of the run
    attention    what the model listens to, null where it cannot say
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.actions import ActionExam, ActionScore, MeasuredAction
from swipewise.evaluation.beyond import Beyond, BeyondAccuracy
from swipewise.evaluation.exam import Contender, Exam
from swipewise.evaluation.fusion import MIN_INTERACTIONS, Agreement, Attention
from swipewise.evaluation.intervals import RESAMPLES, Estimate
from swipewise.evaluation.protocol import PLACES
from swipewise.evaluation.segments import COLD_VIEWER_BELOW, HEAVY_VIEWER_FROM, MEDIUM_VIEWER_FROM
from swipewise.evaluation.significance import FLIPS
from swipewise.training.dataset import Dataset

SCHEMA_VERSION: Final = 1

HISTOGRAM_BINS: Final = 25
"""Bins of a modality's weights over viewers, evenly over [0, 1]."""

_RUN_FACTS: Final = ("seed", "versions", "data_fingerprint")


def as_report(
    exam: Exam,
    dataset: Dataset,
    *,
    valid_start: int,
    run_id: str,
    run: Mapping[str, Any],
    evaluated_at: datetime,
) -> dict[str, Any]:
    """Plain values for JSON; no number in it is infinite or NaN.

    Args:
        exam: What was found.
        dataset: Everything, also what happened after the cut.
        valid_start: Milliseconds, where the validation period begins.
        run_id: Name of the run's folder.
        run: Its ``run.json``.
        evaluated_at: When this was measured.
    """
    rows = dataset.interactions
    task = exam.protocol.task
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluated_at": evaluated_at.astimezone(UTC).isoformat(timespec="seconds"),
        "seed": exam.seed,
        "run": {"id": run_id} | {fact: run[fact] for fact in _RUN_FACTS if fact in run},
        "data": {
            "viewers": len(dataset.viewer_ids),
            "videos": len(dataset.video_ids),
            "interactions": len(rows),
            "positive": float(rows.positive_I.mean()),
        },
        "split": {
            "first": _moment(int(rows.at_I.min())),
            "valid_start": _moment(valid_start),
            "test_start": _moment(exam.protocol.start),
            "last": _moment(int(rows.at_I.max())),
        },
        "protocol": {
            "viewers": len(task.viewers_B),
            "candidates": float(exam.protocol.candidates_B.mean()),
            "relevant": float(task.relevant_B.mean()),
            "places": PLACES,
            "resamples": RESAMPLES,
            "flips": FLIPS,
            "all_candidates": task.all_candidates,
            "cold_viewer_below": COLD_VIEWER_BELOW,
            "medium_viewer_from": MEDIUM_VIEWER_FROM,
            "heavy_viewer_from": HEAVY_VIEWER_FROM,
        },
        "models": [_contender(contender) for contender in exam.contenders],
        "segments": {str(segment): _segment(exam, segment) for segment in exam.protocol.segments},
        "against": [
            {
                "other": against.other,
                "segment": str(against.segment),
                "metric": against.metric.value,
                "difference": against.difference.as_dict(),
                "ratio": _figure(against.ratio),
                "p": against.p,
                "p_holm": against.p_holm,
            }
            for against in exam.comparison.against
        ],
        "beyond": _beyond(exam.beyond),
        "actions": _actions(exam.actions) if exam.actions else None,
        "learning": learning_curve(run),
        "attention": _attention(exam.attention) if exam.attention else None,
    }


def learning_curve(run: Mapping[str, Any]) -> list[dict[str, float]]:
    """Loss and validation NDCG@10 of every epoch that had both, as far as a run's record tells them."""
    return [
        {"epoch": epoch["number"], "loss": epoch["loss"], "ndcg": epoch["validation_ndcg"]}
        for epoch in run.get("figures", {}).get("epochs", [])
        if epoch["validation_ndcg"] is not None
    ]


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def _contender(contender: Contender) -> dict[str, Any]:
    return {
        "name": contender.name,
        "title": contender.title,
        "kind": contender.kind.value,
        "settings": dict(contender.settings),
        "validation": contender.validation,
        "tried": contender.tried,
    }


def _segment(exam: Exam, segment: str) -> dict[str, Any]:
    targets = exam.protocol.segments[segment]
    return {
        "viewers": len(targets.rows_B),
        "targets": len(targets.relevant_R),
        "figures": {
            name: {metric.value: found.as_dict() for metric, found in figures.items()}
            for name, figures in exam.comparison.figures[segment].items()
        },
    }


def _figure(found: Estimate | None) -> dict[str, float | None] | None:
    return found.as_dict() if found else None


def _beyond(beyond: BeyondAccuracy) -> dict[str, Any]:
    def lists(one: Beyond) -> dict[str, Any]:
        return {
            "coverage": one.coverage,
            "gini": one.gini,
            "novelty": _figure(one.novelty),
            "popularity": _figure(one.popularity),
            "content_diversity": _figure(one.content_diversity),
            "attribute_diversity": _figure(one.attribute_diversity),
        }

    return {
        "candidates": beyond.candidates,
        "liked_popularity": _figure(beyond.liked_popularity),
        "recommenders": {one.name: lists(one) for one in beyond.recommenders},
    }


def _actions(exam: ActionExam) -> dict[str, Any]:
    return {
        "exposures": exam.exposures,
        "viewers": exam.viewers,
        "skipped": dict(exam.skipped),
        "actions": [_action(action) for action in exam.actions],
    }


def _action(action: MeasuredAction) -> dict[str, Any]:
    return {
        "action": action.action,
        "positives": action.positives,
        "mixed_viewers": action.mixed_viewers,
        "base_log_loss": action.base_log_loss,
        "scores": {name: _action_score(score) for name, score in action.scores.items()},
        "against": [
            {"other": one.other, "auc": one.auc.as_dict(), "gauc": _figure(one.gauc)} for one in action.against
        ],
    }


def _action_score(score: ActionScore) -> dict[str, Any]:
    bins = score.reliability
    return {
        "auc": score.auc.as_dict(),
        "gauc": _figure(score.gauc),
        "viewer_auc": _figure(score.viewer_auc),
        "threshold": score.threshold,
        "f1": _figure(score.f1),
        "log_loss": score.log_loss.as_dict(),
        "calibration_error": bins.error,
        "reliability": [
            {"predicted": predicted, "observed": observed, "exposures": count}
            for predicted, observed, count in zip(
                bins.predicted_K.tolist(), bins.observed_K.tolist(), bins.count_K.tolist(), strict=True
            )
        ],
    }


def _attention(attention: Attention) -> dict[str, Any]:
    return {
        "viewers": len(attention.weights_UM),
        "modalities": {
            name: _spread(attention.weights_UM[:, column]) for column, name in enumerate(attention.modalities)
        },
        "agreement": _agreement(attention.agreement) if attention.agreement else None,
    }


def _spread(weight_U: NDArray[np.float64]) -> dict[str, Any]:
    low, quarter, median, three_quarters, high = np.quantile(weight_U, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    counts, _ = np.histogram(weight_U, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return {
        "mean": float(weight_U.mean()),
        "quantiles": {"5": low, "25": quarter, "50": median, "75": three_quarters, "95": high},
        "histogram": counts.tolist(),
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    names = [name for name in agreement.spearman if name != "mean"]
    return {
        "viewers": len(agreement.planted_UM),
        "min_interactions": MIN_INTERACTIONS,
        "spearman": dict(agreement.spearman),
        "deciles": {
            name: _deciles(agreement.planted_UM[:, column], agreement.learned_UM[:, column])
            for column, name in enumerate(names)
        },
    }


def _deciles(planted_U: NDArray[np.float64], learned_U: NDArray[np.float64]) -> list[dict[str, float]]:
    """Viewers in ten groups by planted weight: the mean of it, and the spread of what was learned for them."""
    groups = np.array_split(np.argsort(planted_U, kind="stable"), min(10, len(planted_U)))
    return [
        {
            "planted": float(planted_U[group].mean()),
            "learned": float(learned_U[group].mean()),
            "low": float(np.quantile(learned_U[group], 0.25)),
            "high": float(np.quantile(learned_U[group], 0.75)),
        }
        for group in groups
    ]
