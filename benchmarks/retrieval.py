"""Vector search: how much of the exact answer the approximate index finds, and what each costs.

Three kinds of worlds. Of random clustered vectors of the default model's width there are 100,000 and 1,000,000 (20,000
and 100,000 with --quick); half of the questions are vectors like those of the index, half means of three of them, and
the index knows of no viewers. Of the product's own there are 1,000,000 of width 128 (50,000 with --quick): what a
trained model makes of videos, asked for with what it makes of viewers, of whom the index was made for others; and the
same asked for by viewers who have less in common, as longer training leaves them. With
--huge there are 10,000,000 of these, each one of the million moved by a part of the difference of two others, in a file
that is mapped into memory: about 7 GB of disk and half an hour of one core.

Exact search and inverted lists are asked the same questions in alternation. Measured are recall@100 and @500, the
median time of a search for 100 and what it is against the other index and size, building, adding and removing 1,000
vectors, searches with filters, and memory. The bars are on the index that the engine chooses for each size; what an
exact search costs is bounded by the memory's bandwidth, as it reads every vector.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import faiss
import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray
from shops import Crowd, interests, trained_shop, video_vectors

from swipewise.feed.asking import VIEWERS
from swipewise.retrieval import ExactIndex, Index, IvfIndex
from swipewise.retrieval.choice import EXACT_ROWS
from swipewise.retrieval.ivf import TAIL_ROWS
from swipewise.workspace import Workspace

WIDTH, WIDE = 64, 128
CLUSTERS = 2000
QUERIES = 100
CHANGED = 1000
SHARES = (0.5, 0.25, 0.1, 0.02)
CROSSING = (25_000, 50_000, 100_000, 200_000)
APART = 0.7  # of what all viewers ask for alike, taken away from each
HUGE = 10_000_000
_BLOCK = 100_000
_SCORES = 20_000_000  # that are held at once


class Filter(TypedDict, total=False):
    """Rows that a search leaves out, or those alone that it may find."""

    without_N: NDArray[np.int64]
    only_V: NDArray[np.bool_]


Filters = dict[str, Filter]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Vectors and questions: vectors_VD and queries_QD float32, both of unequal lengths.

    asked_QD: what viewers ask for, as far as the index may know it.
    """

    name: str
    vectors_VD: NDArray[np.float32] = field(repr=False)
    queries_QD: NDArray[np.float32] = field(repr=False)
    asked_QD: NDArray[np.float32] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, rows: int) -> World:
        """So many vectors, and as many questions as always."""
        rng = np.random.default_rng(rows)
        centres_CD = np.random.default_rng(0).standard_normal((CLUSTERS, WIDTH)).astype(np.float32)
        vectors_VD = _around(centres_CD, rows, rng)
        like_QD = _around(centres_CD, QUERIES // 2, rng)
        between_QD = vectors_VD[rng.integers(0, rows, (QUERIES // 2, 3))].mean(axis=1)
        queries_QD = np.concatenate([like_QD, between_QD]).astype(np.float32)
        return cls(name=f"{rows:,}", vectors_VD=vectors_VD, queries_QD=queries_QD)

    @classmethod
    def product(cls, folder: Path, rows: int, *, quick: bool) -> World:
        """What a trained model makes of so many videos, and of its viewers; what is in the folder is not made again."""
        asked, vectors = folder / f"asked-{rows}.npy", folder / f"vectors-{rows}.npy"
        if not vectors.exists():
            trained = _trained(folder / "product", quick=quick)
            np.save(asked, interests(trained, QUERIES + VIEWERS))
            np.save(vectors, video_vectors(trained, rows))
        drawn_QD = np.load(asked)
        return cls(
            name=f"{rows:,} x {WIDE} of the product",
            vectors_VD=np.load(vectors),
            queries_QD=np.ascontiguousarray(drawn_QD[:QUERIES]),
            asked_QD=np.ascontiguousarray(drawn_QD[QUERIES : QUERIES + VIEWERS]),
        )

    def apart(self) -> World:
        """The same, asked for by viewers who have less in common, as those of a longer training: that is harder."""
        assert self.asked_QD is not None, "only of viewers"
        common_D = np.float32(APART) * self.asked_QD.mean(axis=0)
        return replace(
            self,
            name=f"{self.name}, asked by viewers further apart",
            queries_QD=self.queries_QD - common_D,
            asked_QD=self.asked_QD - common_D,
        )

    def grown(self, rows: int, file: Path) -> World:
        """So many vectors in a file, that lie where these do: each moved by a part of the difference of two others."""
        rng, many_VD = np.random.default_rng(9), np.memmap(file, np.float32, "w+", shape=(rows, WIDE))
        for start in range(0, rows, _BLOCK):
            base, one, other = (self.vectors_VD[rng.integers(0, len(self.vectors_VD), _BLOCK)] for _ in range(3))
            many_VD[start : start + _BLOCK] = base + np.float32(0.3) * (one - other)
        many_VD.flush()
        return World(
            name=f"{rows:,} x {WIDE}", vectors_VD=many_VD, queries_QD=self.queries_QD, asked_QD=self.asked_QD
        )


def _around(centres_CD: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    chosen = centres_CD[rng.integers(0, len(centres_CD), count)]
    chosen += np.float32(0.5) * rng.standard_normal(chosen.shape, dtype=np.float32)
    lengths = rng.lognormal(0, 0.15, (count, 1)).astype(np.float32)
    return np.ascontiguousarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True) * lengths)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=("clusters", "product"), help="just these worlds")
    parser.add_argument("--huge", action="store_true", help=f"also {HUGE:,} vectors of the product's kind")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="keep model and vectors here, and use those that are there"
    )


def measure(figures: Figures, options: Options) -> None:
    if options.own.only != "product":
        _clusters(figures, quick=options.quick)
    if options.own.only == "clusters":
        return
    with tempfile.TemporaryDirectory(prefix="swipewise-retrieval-") as name:
        folder = options.own.work or Path(name)
        folder.mkdir(exist_ok=True)
        world = World.product(folder, 50_000 if options.quick else 1_000_000, quick=options.quick)
        _product(figures, world, times=None if options.quick else 50)
        _product(figures, world.apart(), times=None if options.quick else 50, searches_only=True)
        if options.own.huge:
            rows = HUGE // 100 if options.quick else HUGE
            _product(figures, world.grown(rows, Path(name) / "vectors"), times=None, mapped=True)


def _trained(path: Path, *, quick: bool) -> Workspace:
    if path.exists():
        return Workspace.open(path)
    crowd = Crowd(viewers=500, known=2000, median=20) if quick else Crowd(viewers=2000, known=20_000)
    print("training the model whose vectors are searched", file=sys.stderr)
    return trained_shop(path, crowd, width=str(WIDE))


def _clusters(figures: Figures, *, quick: bool) -> None:
    small, large = (20_000, 100_000) if quick else (100_000, 1_000_000)
    chosen: dict[int, tuple[World, Index]] = {}
    for rows in (small, large):
        world = World.of(rows)
        exact, approximate = ExactIndex.build(world.vectors_VD), _built(figures, world)
        _searches(figures, world, exact, approximate)
        _filtered(figures, world, approximate, _filters(world))
        _changes(figures, world, approximate)
        own = exact if rows <= EXACT_ROWS else approximate
        chosen[rows] = world, own
        figures.record(f"recall@100 of what is chosen, {rows:,}", _recall(own, world, 100), at_least=0.98)
    (few, of_few), (many, of_many) = chosen[small], chosen[large]
    times = _in_alternation(
        {
            "few": partial(_hundred, of_few, few),
            "many": partial(_hundred, of_many, many),
        }
    )
    name = f"median search of what is chosen, {large:,} against {small:,}"
    figures.record(name, times["many"] / times["few"], at_most=None if quick else 1.5, unit="x")
    if not quick:
        _crossing(figures)


def _product(
    figures: Figures, world: World, *, times: float | None, searches_only: bool = False, mapped: bool = False
) -> None:
    """The worlds of real questions; ``times`` are by how much lists must be quicker than an exact search.

    Vectors that are mapped into memory are not copied there, as they are so many.
    """
    common_D = world.queries_QD.mean(axis=0)
    shared = common_D @ common_D / np.square(world.queries_QD).sum(axis=1).mean()
    figures.record(f"share of what is asked that all have in common, {world.name}", shared)
    exact = None if mapped else ExactIndex.build(world.vectors_VD)
    approximate = _built(figures, world)
    _searches(figures, world, exact, approximate, recall=0.99, times=times)
    if searches_only:
        return
    side_V = world.vectors_VD @ np.random.default_rng(5).standard_normal(WIDE).astype(np.float32)
    by_content: Filters = {"filter keeping one half by content": {"only_V": side_V > np.median(side_V)}}
    _filtered(figures, world, approximate, _filters(world) | by_content)
    _changes(figures, world, approximate, joins=not mapped)


def _built(figures: Figures, world: World) -> IvfIndex:
    began = time.process_time()
    index = IvfIndex.build(world.vectors_VD, asked_QD=world.asked_QD)
    figures.record(f"CPU seconds of building lists, {world.name}", time.process_time() - began)
    figures.record(f"memory of the lists, {world.name}", index.list_bytes / 1e6, unit=" MB")
    figures.record(f"memory of the vectors, {world.name}", world.vectors_VD.nbytes / 1e6, unit=" MB")
    figures.record(f"lists, {world.name}", index.trained.template.nlist)
    figures.record(f"lists looked into, {world.name}", index.nprobe)
    return index


def _searches(
    figures: Figures,
    world: World,
    exact: Index | None,
    approximate: Index,
    *,
    recall: float | None = None,
    times: float | None = None,
) -> None:
    for k, bar in ((100, recall), (500, None)):
        found = _recall(approximate, world, k)
        figures.record(f"recall@{k} of lists, {world.name}", found, at_least=bar)
    seconds = _in_alternation(
        {
            "exact": partial(_exactly, exact, world),
            "lists": partial(_hundred, approximate, world),
        }
    )
    name = f"median exact search against lists, {world.name}"
    figures.record(name, seconds["exact"] / seconds["lists"], at_least=times, unit="x")
    for kind, value in seconds.items():
        figures.record(f"median search by {kind}, {world.name}", 1e3 * value, unit=" ms")


def _exactly(exact: Index | None, world: World, query: int) -> object:
    """The best of all, by the exact index or straight from where the vectors lie."""
    if exact is not None:
        return _hundred(exact, world, query)
    asked_1D = world.queries_QD[query : query + 1]
    return faiss.knn(asked_1D, world.vectors_VD, 100, metric=faiss.METRIC_INNER_PRODUCT)


def _hundred(index: Index, world: World, query: int, **filters: Unpack[Filter]) -> object:
    return index.search(world.queries_QD[query : query + 1], 100, **filters)


def _filters(world: World) -> Filters:
    rows, rng = len(world.vectors_VD), np.random.default_rng(3)
    return {
        "without 2,000 seen": {"without_N": rng.permutation(rows)[:2000]},
        **{f"filter keeping {share:.0%}": {"only_V": rng.random(rows) < share} for share in SHARES},
    }


def _filtered(figures: Figures, world: World, approximate: Index, filters: Filters) -> None:
    for name, given in filters.items():
        recall = _recall(approximate, world, 100, **given)
        figures.record(f"recall@100 of lists, {name}, {world.name}", recall, at_least=0.98)
        times = _in_alternation(
            {
                "filtered": partial(_hundred, approximate, world, **given),
                "plain": partial(_hundred, approximate, world),
            }
        )
        figures.record(
            f"median search, {name}, against none, {world.name}", times["filtered"] / times["plain"], unit="x"
        )


def _changes(figures: Figures, world: World, index: Index, *, joins: bool = True) -> None:
    """Adding and removing; ``joins``: until the tail joins the lists, for which all vectors are copied."""
    rows = len(world.vectors_VD)
    new_N = np.arange(rows, rows + CHANGED)
    rng = np.random.default_rng(4)
    old_N = rng.permutation(rows)[:CHANGED]
    fresh_ND = world.vectors_VD[np.sort(rng.permutation(rows)[:CHANGED])] * np.float32(1.02)
    changes: dict[str, Callable[[], Index]] = {
        "adding": lambda: index.put(new_N, fresh_ND),
        "replacing": lambda: index.put(old_N, fresh_ND),
        "removing": lambda: index.remove(old_N),
    }
    for name, change in changes.items():
        seconds = [_timed(change) for _ in range(7)]
        figures.record(f"{name} {CHANGED:,} vectors, {world.name}", 1e3 * float(np.median(seconds)), unit=" ms")
    if not joins:
        return
    changed = index.put(new_N, fresh_ND).remove(old_N)
    twin = replace(world, vectors_VD=np.concatenate([world.vectors_VD, fresh_ND]))
    recall = _recall(changed, twin, 100, without_N=old_N)
    figures.record(f"recall@100 of lists after these, {world.name}", recall, at_least=0.98)
    seconds = []
    while len(seconds) < TAIL_ROWS // CHANGED + 1:  # the last of these joins the tail to the lists
        began = time.perf_counter()
        changed = changed.put(np.arange(changed.rows, changed.rows + CHANGED), fresh_ND)
        seconds.append(time.perf_counter() - began)
    figures.record(f"adding the {CHANGED:,} that fill the tail, {world.name}", 1e3 * max(seconds), unit=" ms")


def _crossing(figures: Figures) -> None:
    """Where lists begin to pay: the figure that ``EXACT_ROWS`` was chosen by."""
    for rows in CROSSING:
        world = World.of(rows)
        exact, approximate = ExactIndex.build(world.vectors_VD), IvfIndex.build(world.vectors_VD)
        times = _in_alternation(
            {
                "exact": partial(_hundred, exact, world),
                "lists": partial(_hundred, approximate, world),
            }
        )
        figures.record(f"exact against lists at {rows:,}", times["exact"] / times["lists"], unit="x")
        figures.record(f"exact at {rows:,}", 1e3 * times["exact"], unit=" ms")


def _recall(
    index: Index,
    world: World,
    k: int,
    *,
    without_N: NDArray[np.int64] | None = None,
    only_V: NDArray[np.bool_] | None = None,
) -> float:
    """The share of the best that an index finds, against plain products with every vector."""
    _, found_QK = index.search(world.queries_QD, k, without_N=without_N, only_V=only_V)
    rows = len(world.vectors_VD)
    open_V = np.ones(rows, bool) if only_V is None else only_V.copy()
    open_V[[] if without_N is None else without_N] = False
    shares, block = [], max(1, _SCORES // rows)
    for start in range(0, QUERIES, block):
        scores_BV = np.where(open_V, world.queries_QD[start : start + block] @ world.vectors_VD.T, -np.inf)
        best_BK = np.argpartition(-scores_BV, k - 1, axis=1)[:, :k]
        pairs = zip(best_BK, found_QK[start : start + block], strict=True)
        shares += [np.isin(best, found).mean() for best, found in pairs]
    return float(np.mean(shares))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _in_alternation(searches: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """The median seconds of each, over all questions."""
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    for query in range(QUERIES):
        for name, search in searches.items():
            seconds[name].append(_timed(partial(search, query)))
    return {name: float(np.median(values)) for name, values in seconds.items()}


if __name__ == "__main__":
    run(measure, __doc__, add_options=add_options)
