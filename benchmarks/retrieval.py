"""Vector search: how much of the exact answer the approximate index finds, and what each costs.

On random clustered vectors of the default model's width, at 100,000 and 1,000,000 (20,000 and 100,000 with --quick),
exact search and inverted lists are asked the same questions in alternation: half of them are vectors like those of the
index, half means of three of its vectors, as a viewer's interest lies between videos. Measured are recall@100 and @500,
the median time of a search for 100 and what it is against the other index and size, building, adding and removing 1,000
vectors, searches with filters, and memory. The bars are on the index that the engine chooses for each size; what an
exact search costs is bounded by the memory's bandwidth, as it reads every vector.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray

from swipewise.retrieval import ExactIndex, Index, IvfIndex
from swipewise.retrieval.choice import EXACT_ROWS
from swipewise.retrieval.ivf import TAIL_ROWS

WIDTH = 64
CLUSTERS = 2000
QUERIES = 200
CHANGED = 1000
SHARES = (0.5, 0.25, 0.1)
CROSSING = (25_000, 50_000, 100_000, 200_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Vectors and questions: vectors_VD and queries_QD float32, both of unequal lengths."""

    vectors_VD: NDArray[np.float32]
    queries_QD: NDArray[np.float32]

    @classmethod
    def of(cls, rows: int) -> World:
        """So many vectors, and as many questions as always."""
        rng = np.random.default_rng(rows)
        centres_CD = np.random.default_rng(0).standard_normal((CLUSTERS, WIDTH)).astype(np.float32)
        vectors_VD = _around(centres_CD, rows, rng)
        like_QD = _around(centres_CD, QUERIES // 2, rng)
        between_QD = vectors_VD[rng.integers(0, rows, (QUERIES // 2, 3))].mean(axis=1)
        return cls(vectors_VD=vectors_VD, queries_QD=np.concatenate([like_QD, between_QD]).astype(np.float32))


def _around(centres_CD: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    chosen = centres_CD[rng.integers(0, len(centres_CD), count)]
    chosen += np.float32(0.5) * rng.standard_normal(chosen.shape, dtype=np.float32)
    lengths = rng.lognormal(0, 0.15, (count, 1)).astype(np.float32)
    return np.ascontiguousarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True) * lengths)


def measure(figures: Figures, options: Options) -> None:
    small, large = (20_000, 100_000) if options.quick else (100_000, 1_000_000)
    chosen: dict[int, tuple[World, Index]] = {}
    for rows in (small, large):
        world = World.of(rows)
        exact, approximate = ExactIndex.build(world.vectors_VD), _built(figures, world)
        _searches(figures, world, exact, approximate)
        _filters(figures, world, exact, approximate)
        _changes(figures, world, approximate)
        own = exact if rows <= EXACT_ROWS else approximate
        chosen[rows] = world, own
        figures.record(f"recall@100 of what is chosen, {rows:,}", _recall(own, exact, world, 100), at_least=0.98)
    (few, of_few), (many, of_many) = chosen[small], chosen[large]
    times = _in_alternation(
        {
            "few": lambda q: of_few.search(few.queries_QD[q : q + 1], 100),
            "many": lambda q: of_many.search(many.queries_QD[q : q + 1], 100),
        }
    )
    name = f"median search of what is chosen, {large:,} against {small:,}"
    figures.record(name, times["many"] / times["few"], at_most=None if options.quick else 1.5, unit="x")
    if not options.quick:
        _crossing(figures)


def _built(figures: Figures, world: World) -> IvfIndex:
    rows = len(world.vectors_VD)
    began = time.process_time()
    index = IvfIndex.build(world.vectors_VD)
    figures.record(f"CPU seconds of building lists, {rows:,}", time.process_time() - began)
    figures.record(f"memory of the lists, {rows:,}", index.list_bytes / 1e6, unit=" MB")
    figures.record(f"memory of the vectors, {rows:,}", world.vectors_VD.nbytes / 1e6, unit=" MB")
    figures.record(f"lists looked into, {rows:,}", index.nprobe)
    return index


def _searches(figures: Figures, world: World, exact: Index, approximate: Index) -> None:
    rows = len(world.vectors_VD)
    for k in (100, 500):
        figures.record(f"recall@{k} of lists, {rows:,}", _recall(approximate, exact, world, k))
    times = _in_alternation(
        {
            "exact": lambda q: exact.search(world.queries_QD[q : q + 1], 100),
            "lists": lambda q: approximate.search(world.queries_QD[q : q + 1], 100),
        }
    )
    figures.record(f"median exact search against lists, {rows:,}", times["exact"] / times["lists"], unit="x")
    for name, seconds in times.items():
        figures.record(f"median search by {name}, {rows:,}", 1e3 * seconds, unit=" ms")


def _filters(figures: Figures, world: World, exact: Index, approximate: Index) -> None:
    rows = len(world.vectors_VD)
    rng = np.random.default_rng(3)
    filters: dict[str, dict[str, NDArray[np.bool_] | NDArray[np.int64]]] = {
        "without 2,000 seen": {"without_N": rng.permutation(rows)[:2000]},
        **{f"filter keeping {share:.0%}": {"only_V": rng.random(rows) < share} for share in SHARES},
    }
    for name, given in filters.items():
        recall = _recall(approximate, exact, world, 100, **given)
        figures.record(f"recall@100 of lists, {name}, {rows:,}", recall, at_least=0.98)
        times = _in_alternation(
            {
                "filtered": lambda q, given=given: approximate.search(world.queries_QD[q : q + 1], 100, **given),
                "plain": lambda q: approximate.search(world.queries_QD[q : q + 1], 100),
            }
        )
        figures.record(
            f"median search, {name}, against none, {rows:,}", times["filtered"] / times["plain"], unit="x"
        )


def _changes(figures: Figures, world: World, index: Index) -> None:
    rows = len(world.vectors_VD)
    new_N = np.arange(rows, rows + CHANGED)
    fresh_ND = World.of(CHANGED).vectors_VD
    old_N = np.random.default_rng(4).permutation(rows)[:CHANGED]
    changes: dict[str, Callable[[], Index]] = {
        "adding": lambda: index.put(new_N, fresh_ND),
        "replacing": lambda: index.put(old_N, fresh_ND),
        "removing": lambda: index.remove(old_N),
    }
    for name, change in changes.items():
        seconds = []
        for _ in range(7):
            began = time.perf_counter()
            change()
            seconds.append(time.perf_counter() - began)
        figures.record(f"{name} {CHANGED:,} vectors, {rows:,}", 1e3 * float(np.median(seconds)), unit=" ms")
    changed = index.put(new_N, fresh_ND).remove(old_N)
    twin = ExactIndex.build(np.concatenate([world.vectors_VD, fresh_ND])).remove(changed.removed_N)
    figures.record(f"recall@100 of lists after these, {rows:,}", _recall(changed, twin, world, 100), at_least=0.98)
    seconds = []
    while len(seconds) < TAIL_ROWS // CHANGED + 1:  # the last of these joins the tail to the lists
        began = time.perf_counter()
        changed = changed.put(np.arange(changed.rows, changed.rows + CHANGED), fresh_ND)
        seconds.append(time.perf_counter() - began)
    figures.record(f"adding the {CHANGED:,} that fill the tail, {rows:,}", 1e3 * max(seconds), unit=" ms")


def _crossing(figures: Figures) -> None:
    """Where lists begin to pay: the figure that ``EXACT_ROWS`` was chosen by."""
    for rows in CROSSING:
        world = World.of(rows)
        exact, approximate = ExactIndex.build(world.vectors_VD), IvfIndex.build(world.vectors_VD)
        times = _in_alternation(
            {
                "exact": lambda q, w=world, i=exact: i.search(w.queries_QD[q : q + 1], 100),
                "lists": lambda q, w=world, i=approximate: i.search(w.queries_QD[q : q + 1], 100),
            }
        )
        figures.record(f"exact against lists at {rows:,}", times["exact"] / times["lists"], unit="x")
        figures.record(f"exact at {rows:,}", 1e3 * times["exact"], unit=" ms")


def _recall(index: Index, exact: Index, world: World, k: int, **filters: NDArray[np.generic]) -> float:
    _, found_QK = index.search(world.queries_QD, k, **filters)  # type: ignore[arg-type]
    _, truth_QK = exact.search(world.queries_QD, k, **filters)  # type: ignore[arg-type]
    return float(np.mean([np.isin(truth, found).mean() for truth, found in zip(truth_QK, found_QK, strict=True)]))


def _in_alternation(searches: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """The median seconds of each, over all questions."""
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    for query in range(QUERIES):
        for name, search in searches.items():
            began = time.perf_counter()
            search(query)
            seconds[name].append(time.perf_counter() - began)
    return {name: float(np.median(values)) for name, values in seconds.items()}


if __name__ == "__main__":
    run(measure, __doc__)
