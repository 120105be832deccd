"""Recommenders side by side: means with intervals, and how far the model is from each of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from swipewise.evaluation.intervals import Estimate, bootstrap_means, estimate, ratio
from swipewise.evaluation.protocol import Measured, Metric, Segment

Figures = Mapping[Segment, Mapping[str, Mapping[Metric, Estimate]]]
"""Segment to recommender to metric to estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One recommender against another: ``difference`` and ``ratio`` of the means, paired by viewer.

    ``ratio`` is None where the other's mean is 0.
    """

    name: str
    other: str
    metric: Metric
    segment: Segment
    difference: Estimate
    ratio: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The figures of all recommenders, and one of them against each of the others."""

    names: tuple[str, ...]
    figures: Figures
    against: tuple[Against, ...]

    def find(self, other: str, metric: Metric = Metric.NDCG_10, segment: Segment = Segment.ALL) -> Against | None:
        """The comparison with ``other``, None where there is none."""
        wanted = (other, metric, segment)
        return next((a for a in self.against if (a.other, a.metric, a.segment) == wanted), None)

    def best_of(
        self, names: Sequence[str], metric: Metric = Metric.NDCG_10, segment: Segment = Segment.ALL
    ) -> str:
        """The one of ``names`` with the highest mean; of equals the first."""
        return max(names, key=lambda name: self.figures[segment][name][metric].value)


def compare(measured: Sequence[Measured], *, model: str, seed: int = 0) -> Comparison:
    """Means with intervals for all, and ``model`` against each of the others in every segment and metric."""
    names = tuple(one.name for one in measured)
    columns = [(name, metric) for name in names for metric in Metric]
    pairs = [((model, metric), (other, metric)) for other in names if other != model for metric in Metric]
    figures: dict[Segment, dict[str, dict[Metric, Estimate]]] = {}
    against: list[Against] = []
    for segment in measured[0].values:
        values_BC = np.stack([one.values[segment][metric] for one in measured for metric in Metric], axis=1)
        mean = dict(zip(columns, values_BC.mean(axis=0).tolist(), strict=True))
        drawn = dict(zip(columns, bootstrap_means(values_BC, seed=seed).T, strict=True))
        figures[segment] = {
            name: {metric: estimate(mean[name, metric], drawn[name, metric]) for metric in Metric}
            for name in names
        }
        against += [
            Against(
                name=model,
                other=theirs[0],
                metric=theirs[1],
                segment=segment,
                difference=estimate(mean[ours] - mean[theirs], drawn[ours] - drawn[theirs]),
                ratio=ratio(mean[ours], mean[theirs], drawn[ours], drawn[theirs]),
            )
            for ours, theirs in pairs
            if model in names
        ]
    return Comparison(names=names, figures=MappingProxyType(figures), against=tuple(against))
