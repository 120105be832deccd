"""What ``audit.json`` holds: an audit as plain values, from which page and table are drawn.

::

    schema_version, audited_at, seed, run, test_start, viewers
    thresholds   the bounds that were applied, by name
    findings     [check, title, verdict (pass, warn or skip), figure, bound, threshold, text, mend]
    effects      [name, segment, difference, ratio, p]: NDCG@10 as it is less NDCG@10 with one thing altered
    lost         [modality, share, listed_before, listed_after]
    attention    entropy, deviation, variation, viewers, modalities: name -> mean, histogram; null where not measured
    segments     [family, name, members, weights, distance]
    alignments   [first, second, videos, same, different, rank, found]
    actions      [action, positives, exposures, auc, calibration_error, reliability]
    beyond       coverage, gini, popularity, liked_popularity
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from swipewise.evaluation.audit import Audit
from swipewise.evaluation.audit_attention import AttentionSpread
from swipewise.evaluation.audit_findings import Finding
from swipewise.evaluation.audit_ranking import AS_IT_IS
from swipewise.evaluation.intervals import Estimate
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.results import HISTOGRAM_BINS
from swipewise.evaluation.segments import Segment

SCHEMA_VERSION: Final = 1

_SEGMENTS: Final = (Segment.ALL, Segment.COLD_VIEWERS, Segment.COLD_VIDEOS)


def as_audit_report(found: Audit, *, run_id: str, audited_at: datetime) -> dict[str, Any]:
    """Plain values for JSON; no number in it is infinite or NaN."""
    (lists,) = found.beyond.recommenders
    return {
        "schema_version": SCHEMA_VERSION,
        "audited_at": audited_at.astimezone(UTC).isoformat(timespec="seconds"),
        "seed": found.seed,
        "run": run_id,
        "test_start": datetime.fromtimestamp(found.protocol.start / 1000, UTC).isoformat(timespec="seconds"),
        "viewers": len(found.protocol.task.viewers_B),
        "thresholds": asdict(found.thresholds),
        "findings": [_finding(finding) for finding in found.findings],
        "effects": _effects(found),
        "lost": [asdict(one) for one in found.effects.lost],
        "attention": _attention(found.attention) if found.attention else None,
        "segments": [
            asdict(one) | {"family": one.family.value, "weights": dict(one.weights)} for one in found.segments
        ],
        "alignments": [asdict(one) for one in found.alignments],
        "actions": _actions(found),
        "beyond": {
            "coverage": lists.coverage,
            "gini": lists.gini,
            "popularity": _figure(lists.popularity),
            "liked_popularity": _figure(found.beyond.liked_popularity),
        },
    }


def _figure(found: Estimate | None) -> dict[str, float | None] | None:
    return found.as_dict() if found else None


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "title": finding.title,
        "verdict": finding.verdict.value,
        "figure": _figure(finding.figure),
        "bound": finding.bound,
        "threshold": finding.threshold,
        "text": finding.text,
        "mend": finding.mend,
    }


def _effects(found: Audit) -> list[dict[str, Any]]:
    return [
        {
            "name": against.other,
            "segment": str(against.segment),
            "difference": against.difference.as_dict(),
            "ratio": _figure(against.ratio),
            "p": against.p,
        }
        for against in found.effects.comparison.against
        if against.metric == Metric.NDCG_10 and against.segment in _SEGMENTS
    ]


def _attention(spread: AttentionSpread) -> dict[str, Any]:
    def weights(column: int) -> Mapping[str, Any]:
        weight_U = spread.weights_UM[:, column]
        counts, _ = np.histogram(weight_U, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
        return {"mean": float(weight_U.mean()), "histogram": counts.tolist()}

    return {
        "viewers": len(spread.viewers_U),
        "entropy": spread.entropy,
        "deviation": spread.deviation,
        "variation": spread.variation,
        "modalities": {name: weights(column) for column, name in enumerate(spread.modalities)},
    }


def _actions(found: Audit) -> list[dict[str, Any]]:
    if found.actions is None:
        return []
    return [
        {
            "action": action.action,
            "positives": action.positives,
            "exposures": found.actions.exposures,
            "auc": action.scores[AS_IT_IS].auc.as_dict(),
            "calibration_error": (bins := action.scores[AS_IT_IS].reliability).error,
            "reliability": [
                {"predicted": predicted, "observed": observed, "exposures": count}
                for predicted, observed, count in zip(
                    bins.predicted_K.tolist(), bins.observed_K.tolist(), bins.count_K.tolist(), strict=True
                )
            ],
        }
        for action in found.actions.actions
    ]
