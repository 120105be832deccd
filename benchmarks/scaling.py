"""Scaling laws: what a training costs, and what it gains, as a platform and the model grow.

From one base point each of interactions, videos, length of history and width is varied alone.

- Cost, of the full model on three modalities, attributes and ids, with logs drawn by chance: processor seconds before the
  first step, of steps and of projecting the catalogue; peak memory; size of the model's file. One thread.
- Quality: NDCG@10 on simulated platforms, whose truth is known, against that of an order by the truth. The same viewers
  are asked whatever the training saw.

Each is fitted by a power law, a straight line in logarithms, whose exponent and fit are told. Costs are then extrapolated
to platforms that no machine here holds, up to 100 million videos and 10 billion interactions: time by the laws, memory by
what each further interaction and video took. A share of the parts counts what is kept for each id and is divided among
workers by 'training.shard_rows'.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
from figures import Figures, Options, run
from scaling_runs import Cost, Exam, Point, Quality, cost_of, quality_of

BASE = Point(viewers=3_000, videos=10_000)
COST_AXES: dict[str, list[Point]] = {
    "interactions": [replace(BASE, viewers=viewers) for viewers in (1_000, 3_000, 10_000, 30_000)],
    "videos": [replace(BASE, videos=videos) for videos in (1_000, 10_000, 100_000, 300_000)],
    "history": [replace(BASE, history=history, length=200, viewers=500) for history in (25, 50, 100, 200)],
    "width": [replace(BASE, width=width) for width in (32, 64, 128, 256)],
}
EXAM = Exam(videos=500, viewers=1_600, learnt_from=400, asked=200)
QUALITY_AXES: dict[str, list[Exam]] = {
    "interactions": [replace(EXAM, learnt_from=viewers) for viewers in (200, 400, 800, 1_600)],
    "videos": [replace(EXAM, videos=videos) for videos in (250, 500, 1_000)],
    "history": [replace(EXAM, history=history) for history in (3, 10, 50)],
    "width": [replace(EXAM, width=width) for width in (16, 32, 64, 128)],
}
PLATFORMS = (
    (10_000, 1_000_000),
    (100_000, 10_000_000),
    (1_000_000, 100_000_000),
    (10_000_000, 1_000_000_000),
    (100_000_000, 10_000_000_000),
)
PASSES = 10
NIGHT_HOURS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """y = factor · x ** exponent; fit: share of the variance of log y that it explains."""

    factor: float
    exponent: float
    fit: float

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float]) -> Law:
        """The straight line through the logarithms."""
        logs_x, logs_y = np.log(x), np.log(y)
        exponent, offset = np.polyfit(logs_x, logs_y, 1)
        left = logs_y - (exponent * logs_x + offset)
        spread = logs_y.var()
        return cls(
            factor=float(np.exp(offset)),
            exponent=float(exponent),
            fit=float(1 - left.var() / spread) if spread else 1.0,
        )

    def at(self, x: float) -> float:
        return float(self.factor * x**self.exponent)


def measure(figures: Figures, options: Options) -> None:
    costs = {name: _measured(cost_of, _fewer(points, options)) for name, points in COST_AXES.items()}
    for name, found in costs.items():
        _record_costs(figures, name, _values(name, COST_AXES[name], found), found)
    for name, exams in QUALITY_AXES.items():
        if options.own.costs:
            break
        found = _measured(quality_of, _fewer(exams, options))
        _record_quality(figures, name, _values(name, exams, found), found)
    _extrapolate(figures, costs)


def _fewer(points: Sequence[Any], options: Options) -> Sequence[Any]:
    return points[:2] if options.quick else points


def _measured(function: Callable[[Any], Any], points: Sequence[Any]) -> list[Any]:
    found = []
    for point in points:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(function, point).result())
        print(point, found[-1], file=sys.stderr, flush=True)
    return found


def _values(name: str, points: Sequence[Any], found: Sequence[Any]) -> list[float]:
    """Where the points of an axis lie on it."""
    if name == "interactions":
        return [each.interactions for each in found]
    return [getattr(point, name) for point in points[: len(found)]]


def _record_costs(figures: Figures, name: str, x: Sequence[float], found: Sequence[Cost]) -> None:
    parts: dict[str, Callable[[Cost], float]] = {
        "microseconds of steps an interaction": lambda cost: cost.learn * 1e6,
        "seconds before the first step": lambda cost: cost.prepare,
        "microseconds of projecting a video": lambda cost: cost.project * 1e6,
        "peak memory, MB": lambda cost: cost.peak / 1e6,
        "model on disk, MB": lambda cost: cost.saved / 1e6,
    }
    for what, value in parts.items():
        for place, cost in zip(x, found, strict=True):
            figures.record(f"{what}, {_at(name, place)}", value(cost))
        law = Law.of(x, [value(cost) for cost in found])
        figures.record(f"{what}: exponent of {name}", law.exponent)
        figures.record(f"{what}: fit of that law", law.fit)


def _record_quality(figures: Figures, name: str, x: Sequence[float], found: Sequence[Quality]) -> None:
    for place, quality in zip(x, found, strict=True):
        figures.record(f"NDCG@10, {_at(name, place)}", quality.ndcg)
        figures.record(f"share of the truth's NDCG@10, {_at(name, place)}", quality.ndcg / quality.best)
    law = Law.of(x, [quality.ndcg / quality.best for quality in found])
    figures.record(f"share of the truth's NDCG@10: exponent of {name}", law.exponent)
    figures.record("share of the truth's NDCG@10: fit of that law", law.fit) if False else None
    figures.record(f"share of the truth's NDCG@10: fit of the law of {name}", law.fit)


def _at(name: str, place: float) -> str:
    return f"{name} {place:,.0f}"


if __name__ == "__main__":
    run(measure, __doc__)
