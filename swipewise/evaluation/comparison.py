"""Recommenders side by side: means with intervals, and how far the model is from each of the others.

Legend of shape suffixes: B = viewers, C = columns (a recommender's metric each), S = resamples.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.intervals import Estimate, bootstrap_means, estimate, ratio
from swipewise.evaluation.protocol import Measured, Metric
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.significance import holm, sign_flip_p

Figures = Mapping[str, Mapping[str, Mapping[Metric, Estimate]]]
"""Segment to recommender to metric to estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One recommender against another: ``difference`` and ``ratio`` of the means, paired by viewer.

    ``ratio`` is None where the other's mean is 0. ``p`` is that of the sign-flip test on the viewers' differences,
    ``p_holm`` what is left of it in the family of comparisons that :func:`compare` defines, None outside of it.
    """

    name: str
    other: str
    metric: Metric
    segment: str
    difference: Estimate
    ratio: Estimate | None
    p: float
    p_holm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The figures of all recommenders, and one of them against each of the others."""

    names: tuple[str, ...]
    figures: Figures
    against: tuple[Against, ...]

    def find(self, other: str, metric: Metric = Metric.NDCG_10, segment: str = Segment.ALL) -> Against | None:
        """The comparison with ``other``, None where there is none.

        Args:
            other: The name of what the model is compared with.
            metric: Which figure.
            segment: Whose.
        """
        wanted = (other, metric, segment)
        return next((a for a in self.against if (a.other, a.metric, a.segment) == wanted), None)

    def best_of(self, names: Sequence[str], metric: Metric = Metric.NDCG_10, segment: str = Segment.ALL) -> str:
        """The one of ``names`` with the highest mean; of equals the first.

        Args:
            names: Among which.
            metric: Which figure.
            segment: Whose.
        """
        return max(names, key=lambda name: self.figures[segment][name][metric].value)


def compare(
    measured: Sequence[Measured], *, model: str, ceilings: Collection[str] = (), seed: int = 0
) -> Comparison:
    """Means with intervals for all, and ``model`` against each of the others in every segment and metric.

    The claim that is tested is that the model differs from each of the others over all viewers. So the family
    within which p-values are corrected is, for each metric on its own, the comparisons of the segment "all" with
    everybody but the ``ceilings``. In the other segments p-values stand as they are: they say where to look, and
    prove nothing by themselves.

    Args:
        measured: The figures of every recommender on the same exam.
        model: Name of the one that is compared with the rest.
        ceilings: Names of those that know the truth; nobody claims to beat them.
        seed: Of the resamples and of the signs.
    """
    names = tuple(one.name for one in measured)
    others = [name for name in names if name != model] if model in names else []
    figures: dict[str, dict[str, dict[Metric, Estimate]]] = {}
    against: list[Against] = []
    for segment in measured[0].values:
        means = _Means.of(measured, segment, seed)
        figures[segment] = {name: {m: means.figure(name, m) for m in Metric} for name in names}
        against += means.against(model, others, seed)
    return Comparison(names=names, figures=MappingProxyType(figures), against=tuple(_corrected(against, ceilings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """One segment: values_BC of all viewers, drawn_SC of all resamples, and what each column is."""

    segment: str
    columns: Mapping[tuple[str, Metric], int]
    values_BC: NDArray[np.float64]
    drawn_SC: NDArray[np.float64]

    @classmethod
    def of(cls, measured: Sequence[Measured], segment: str, seed: int) -> Self:
        values_BC = np.stack([one.values[segment][metric] for one in measured for metric in Metric], axis=1)
        columns = [(one.name, metric) for one in measured for metric in Metric]
        return cls(
            segment=segment,
            columns={column: place for place, column in enumerate(columns)},
            values_BC=values_BC,
            drawn_SC=bootstrap_means(values_BC, seed=seed),
        )

    def figure(self, name: str, metric: Metric) -> Estimate:
        column = self.columns[name, metric]
        return estimate(float(self.values_BC[:, column].mean()), self.drawn_SC[:, column])

    def against(self, model: str, others: Sequence[str], seed: int) -> list[Against]:
        pairs = [(other, metric) for other in others for metric in Metric]
        if not pairs:
            return []
        ours_C = [self.columns[model, metric] for _, metric in pairs]
        theirs_C = [self.columns[pair] for pair in pairs]
        p_C = sign_flip_p(self.values_BC[:, ours_C] - self.values_BC[:, theirs_C], seed=seed)
        mean = self.values_BC.mean(axis=0).tolist()
        drawn = self.drawn_SC.T
        return [
            Against(
                name=model,
                other=other,
                metric=metric,
                segment=self.segment,
                difference=estimate(mean[ours] - mean[theirs], drawn[ours] - drawn[theirs]),
                ratio=ratio(mean[ours], mean[theirs], drawn[ours], drawn[theirs]),
                p=p,
                p_holm=None,
            )
            for (other, metric), ours, theirs, p in zip(pairs, ours_C, theirs_C, p_C.tolist(), strict=True)
        ]


def _corrected(against: Sequence[Against], ceilings: Collection[str]) -> list[Against]:
    """The same comparisons, with ``p_holm`` in those of a family."""
    corrected = list(against)
    for metric in Metric:
        family = [
            place
            for place, one in enumerate(against)
            if (one.segment, one.metric) == (Segment.ALL, metric) and one.other not in ceilings
        ]
        p_holm_C = holm(np.array([against[place].p for place in family]))
        for place, p_holm in zip(family, p_holm_C.tolist(), strict=True):
            corrected[place] = replace(against[place], p_holm=p_holm)
    return corrected
