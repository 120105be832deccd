"""Scaling laws: what a training costs, and what it gains, as a platform and the model grow.

From one base point each of interactions, videos, length of history and width is varied alone.

- Cost, of the full model on three modalities, attributes and ids, with logs drawn by chance: processor seconds before
  the first step, of steps and of projecting the catalogue; and peak memory, where the log lies in files, whose pages
  are not counted. One thread.
- Quality: NDCG@10 on simulated platforms, whose truth is known, against that of an order by the truth. The same viewers
  are asked whatever the training saw.

What is paid an interaction, and quality, are fitted by power laws, straight lines in logarithms, whose exponents and
fits are told; what is paid once has a fixed part, so it is told what a further interaction or video takes, between the
largest two points. From these follows what platforms need that no machine here holds, up to 100 million videos and 10
billion interactions; a law by which something got cheaper is not trusted beyond what was measured. Few of many videos
are seen by the logs measured here, so that what ids take, of which a large platform has one a video, is counted apart.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from figures import Figures, Options, run
from scaling_runs import Cost, Exam, Point, Quality, cost_of, quality_of

from swipewise.config import TrainingConfig

BASE: Final = Point(viewers=1_500, videos=10_000)
COSTS: Final[dict[str, list[Point]]] = {
    "interactions": [
        replace(BASE, viewers=viewers, tastes=True) for viewers in (1_500, 5_000, 20_000, 100_000, 600_000)
    ],
    "videos": [replace(BASE, videos=videos) for videos in (1_000, 10_000, 100_000, 300_000)],
    "history": [replace(BASE, history=history, length=200, viewers=300) for history in (25, 50, 100, 200)],
    "width": [replace(BASE, width=width) for width in (32, 64, 128, 256)],
}
EXAM: Final = Exam(videos=500, viewers=1_600, learnt_from=400, asked=200)
QUALITY: Final[dict[str, list[Exam]]] = {
    "interactions": [replace(EXAM, learnt_from=viewers) for viewers in (200, 400, 800, 1_600)],
    "videos": [replace(EXAM, videos=videos) for videos in (250, 500, 1_000)],
    "history": [replace(EXAM, history=history) for history in (3, 10, 50)],
    "width": [replace(EXAM, width=width) for width in (16, 32, 64, 128)],
}
PLATFORMS: Final = (
    (10_000, 1_000_000),
    (100_000, 10_000_000),
    (1_000_000, 100_000_000),
    (10_000_000, 1_000_000_000),
    (100_000_000, 10_000_000_000),
)
"""Videos and interactions."""

ID_BYTES: Final = 4 * (2 * BASE.width + 3)
"""Of a row of the table of ids while it is trained: the row, its running average, and what the optimiser keeps."""

PASSES, NIGHT_HOURS = 10, 8

Value = Callable[[Any], float]


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
        left, spread = (logs_y - exponent * logs_x - offset).var(), logs_y.var()
        return cls(
            factor=float(np.exp(offset)),
            exponent=float(exponent),
            fit=float(1 - left / spread) if spread else 1.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What was found along one axis; ``x`` are the places of the points."""

    name: str
    x: tuple[float, ...]
    found: tuple[Any, ...]

    def law(self, value: Value) -> Law:
        """The law of a value."""
        return Law.of(self.x, [value(each) for each in self.found])

    def further(self, value: Value) -> float:
        """By how much a value grows with one more, between the largest two points."""
        return (value(self.found[-1]) - value(self.found[-2])) / (self.x[-1] - self.x[-2])

    def at(self, place: float, value: Value) -> float:
        """That of the largest point, and beyond it what it grows to as between the largest two, if it grew there."""
        return value(self.found[-1]) + max(0.0, place - self.x[-1]) * max(0.0, self.further(value))


def _a_row(cost: Cost) -> float:
    return cost.learn * 1e6


def _prepare(cost: Cost) -> float:
    return cost.prepare


def _tastes(cost: Cost) -> float:
    return cost.tastes


def _project(cost: Cost) -> float:
    return cost.project * cost.videos


def _peak(cost: Cost) -> float:
    return cost.peak


def _share(quality: Quality) -> float:
    return quality.ndcg / quality.best


def measure(figures: Figures, options: Options) -> None:
    parts = {"costs": _record_costs, "quality": _record_quality}
    for name in options.own.only or parts:
        parts[name](figures, options)


def _record_costs(figures: Figures, options: Options) -> None:
    axes = {name: _measured(name, cost_of, points, options) for name, points in COSTS.items()}
    for axis in axes.values():
        _record_values(figures, "microseconds of steps an interaction", axis, _a_row)
        _record_law(figures, "microseconds of steps an interaction", axis, _a_row)
    _record_growth(figures, axes["interactions"], axes["videos"])
    for videos, interactions in PLATFORMS:
        _extrapolate(figures, axes["interactions"], axes["videos"], videos, interactions)


def _record_quality(figures: Figures, options: Options) -> None:
    for name, exams in QUALITY.items():
        axis = _measured(name, quality_of, exams, options)
        _record_values(figures, "NDCG@10", axis, lambda quality: quality.ndcg)
        _record_values(figures, "share of the best NDCG@10", axis, _share)
        _record_law(figures, "share of the best NDCG@10", axis, _share)


def _measured(name: str, function: Callable[[Any], Any], points: Sequence[Any], options: Options) -> Axis:
    """Measure points, each in a process of its own."""
    points, found = points[:2] if options.quick else points, []
    for point in points:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found.append(pool.submit(function, point).result())
        print(point, found[-1], file=sys.stderr, flush=True)
    where = found if name == "interactions" else points
    return Axis(name=name, x=tuple(getattr(each, name) for each in where), found=tuple(found))


def _record_values(figures: Figures, what: str, axis: Axis, value: Value) -> None:
    for place, each in zip(axis.x, axis.found, strict=True):
        if measured := value(each):
            figures.record(f"{what}, {axis.name} {place:,.0f}", measured)


def _record_law(figures: Figures, what: str, axis: Axis, value: Value) -> None:
    law = axis.law(value)
    figures.record(f"{what}: exponent of {axis.name}", law.exponent)
    figures.record(f"{what}: fit of the law of {axis.name}", law.fit)


def _record_growth(figures: Figures, rows: Axis, videos: Axis) -> None:
    for axis in (rows, videos):
        _record_values(figures, "seconds before the first step", axis, _prepare)
        _record_values(figures, "peak memory, MB", axis, lambda cost: cost.peak / 1e6)
    _record_values(figures, "seconds of learning tastes", rows, _tastes)
    one = "interaction"
    figures.record(f"microseconds before the first step for a further {one}", rows.further(_prepare) * 1e6)
    figures.record(f"microseconds of learning tastes for a further {one}", rows.further(_tastes) * 1e6)
    figures.record(f"bytes of memory for a further {one}", rows.further(_peak))
    one = "video"
    figures.record(f"microseconds before the first step for a further {one}", videos.further(_prepare) * 1e6)
    figures.record(f"microseconds of projecting a further {one}", videos.further(_project) * 1e6)
    figures.record(f"bytes of memory for a further {one}", videos.further(_peak))


def _extrapolate(figures: Figures, rows: Axis, videos: Axis, V: int, I: int) -> None:  # noqa: E741
    """What a platform of V videos and I interactions needs."""
    sample = min(
        I, TrainingConfig().sample_interactions
    )  # all that is looked at as a whole, beside the log's files
    more_V, more_I, more_of_sample = V - BASE.videos, I - rows.x[-1], sample - rows.x[-1]
    slower = (max(V, videos.x[-1]) / BASE.videos) ** max(0.0, videos.law(_a_row).exponent)
    a_pass = I * _a_row(rows.found[-1]) * 1e-6 * slower
    once = _prepare(rows.found[-1]) + more_I * rows.further(_prepare) + more_V * videos.further(_prepare)
    peak = _peak(rows.found[-1]) + more_of_sample * rows.further(_peak) + more_V * videos.further(_peak)
    where = f"{V:,} videos, {I:,} interactions"
    figures.record(f"{where}: core hours of a pass", a_pass / 3600)
    figures.record(f"{where}: core hours before the first step", max(0.0, once) / 3600)
    figures.record(f"{where}: core hours of learning tastes", rows.at(sample, _tastes) / 3600)
    figures.record(f"{where}: core hours of projecting the catalogue", V * videos.further(_project) / 3600)
    figures.record(f"{where}: memory without ids, GB", peak / 1e9)
    figures.record(f"{where}: memory of ids, GB", ID_BYTES * V / 1e9)
    figures.record(
        f"{where}: cores for {PASSES} passes in {NIGHT_HOURS} hours", PASSES * a_pass / NIGHT_HOURS / 3600
    )


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", choices=["costs", "quality"], metavar="PART", help="costs, quality")


if __name__ == "__main__":
    run(measure, __doc__, add_options=_add_options)
