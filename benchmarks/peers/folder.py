"""What every peer reads and writes; it runs in the peers' environments, on numpy and polars alone.

A peer is a function from a :class:`Split` and its settings to an :class:`Answer`, and a last line that runs it::

    if __name__ == "__main__":
        main(answer, library="implicit")

Legend of shape suffixes: B = viewers to rank for, N = videos a peer proposes, K = places written, I = exposures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

PLACES = 50
"""Candidates written for each viewer."""

NO_VIDEO = -1
"""Fills the places for which a peer has no proposal."""

Settings = dict[str, Any]


@dataclass(frozen=True)
class Split:
    """One period of the exchange folder as a peer may see it: what came before, and whom to answer.

    path: the folder ``split``; period: "validation" or "test"; sample: how many of the viewers to rank for, evenly
    spread over all of them; None: all.
    """

    path: Path
    period: str
    sample: int | None = None

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Counts and conventions, as ``split.json`` has them."""
        facts: dict[str, Any] = json.loads((self.path / "split.json").read_text(encoding="utf-8"))
        return facts

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All that may be learned from, by viewer, then time, in the columns of ``train.parquet``."""
        before = pl.read_parquet(self.path / "train.parquet")
        if self.period == "test":
            before = pl.concat([before, pl.read_parquet(self.path / "validation.parquet")])
        return before.sort("viewer", "at_ms", maintain_order=True)

    @cached_property
    def viewers(self) -> NDArray[np.int64]:
        """(B,) whom to rank for, ascending."""
        name = "viewers" if self.period == "test" else "valid_viewers"
        everybody = pl.read_parquet(self.path / f"{name}.parquet")["viewer"].to_numpy()
        if self.sample is None or self.sample >= len(everybody):
            return everybody
        return everybody[np.linspace(0, len(everybody) - 1, self.sample).astype(np.int64)]

    @cached_property
    def exposures(self) -> pl.DataFrame:
        """(I rows) viewer, video, at_ms of the exposures whose actions are to be predicted, in their order."""
        return self._later.select("viewer", "video", "at_ms")

    @cached_property
    def histories(self) -> pl.DataFrame:
        """The rows and the period's own: what precedes an exposure is taken from here, nothing is learned from it."""
        return pl.concat([self.rows, self._later]).sort("viewer", "at_ms", maintain_order=True)

    @cached_property
    def _later(self) -> pl.DataFrame:
        name = "test_exposures" if self.period == "test" else "validation"
        return pl.read_parquet(self.path / f"{name}.parquet")

    @cached_property
    def videos(self) -> pl.DataFrame:
        """video 0 to V - 1 and its attributes, coded from 1; 0 where one is missing."""
        return pl.read_parquet(self.path / "videos.parquet")

    @cached_property
    def profiles(self) -> pl.DataFrame:
        """viewer 0 to U - 1 and the fields of its profile, coded from 1; 0 where one is missing."""
        return pl.read_parquet(self.path / "profiles.parquet")

    @cached_property
    def popular(self) -> NDArray[np.int64]:
        """(V,) all videos, the one with the most positive rows first; ties in a fixed arbitrary order."""
        count = np.bincount(self.rows.filter("positive")["video"].to_numpy(), minlength=len(self.videos))
        order = np.random.default_rng(0).permutation(len(count))
        return order[np.argsort(-count[order], kind="stable")]

    @cached_property
    def seen(self) -> dict[int, NDArray[np.int64]]:
        """The videos each viewer was shown before: no candidates."""
        shown = self.rows.group_by("viewer").agg(pl.col("video").unique())
        return {viewer: np.asarray(videos) for viewer, videos in shown.iter_rows()}

    @property
    def most_seen(self) -> int:
        """How many proposals may have to be dropped as seen, at most."""
        return max((len(self.seen.get(viewer, ())) for viewer in self.viewers.tolist()), default=0)


@dataclass
class Answer:
    """What a peer says.

    videos: (B, N) for ``split.viewers``, best first, ``NO_VIDEO`` where it has no more; seen ones may be among them.
    scores: (B, N) float. predictions: probabilities (I,) of an action for ``split.exposures``.
    seconds: processor time of each part of the work.
    """

    videos: NDArray[np.int64] | None = None
    scores: NDArray[np.floating[Any]] | None = None
    predictions: dict[str, NDArray[np.floating[Any]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Stopwatch:
    """Splits the processor time a peer needs into named parts; what else the machine does is not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        """Book the time since the last lap under ``name``."""
        now = time.process_time()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._last, 2)
        self._last = now


def main(answer: Callable[[Split, Settings], Answer], *, library: str) -> None:
    """Run a peer: read the folder, answer, write topk.parquet, predictions.parquet and facts.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--split", type=Path, required=True, help="the exchange folder's split")
    parser.add_argument("--out", type=Path, required=True, help="where the answer goes")
    parser.add_argument("--period", choices=["validation", "test"], required=True)
    parser.add_argument("--settings", type=json.loads, required=True, help="JSON")
    parser.add_argument("--sample", type=int, help="rank for only so many viewers")
    chosen = parser.parse_args()
    split = Split(chosen.split, chosen.period, chosen.sample)
    given = answer(split, chosen.settings)
    chosen.out.mkdir(parents=True, exist_ok=True)
    facts = {
        "library": f"{library} {version(library)}",
        "period": split.period,
        "settings": chosen.settings,
        "seconds": given.seconds,
    }
    if given.videos is not None:
        assert given.scores is not None, "a ranking comes with its scores"
        table = topk(split, given.videos, given.scores)
        table.write_parquet(chosen.out / "topk.parquet")
        facts["places_filled_by_popularity"] = int(table["score"].is_null().sum())
        facts["viewers"] = len(split.viewers)
    if given.predictions:
        pl.DataFrame(given.predictions).write_parquet(chosen.out / "predictions.parquet")
    (chosen.out / "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def topk(split: Split, videos: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> pl.DataFrame:
    """The best unseen candidates of each viewer: viewer, rank from 1, video, score.

    A viewer or a place for which the peer has no proposal gets the most popular videos; their score is null.
    """
    parts = []
    for viewer, proposed, score in zip(split.viewers.tolist(), videos, scores, strict=True):
        seen = split.seen.get(viewer, np.zeros(0, np.int64))
        keep = (proposed != NO_VIDEO) & ~np.isin(proposed, seen)
        best, value = proposed[keep][:PLACES], score[keep][:PLACES].astype(np.float64)
        if len(best) < PLACES:
            best, value = _filled(best, value, split.popular, seen)
        parts.append((np.full(len(best), viewer), np.arange(1, len(best) + 1), best, value))
    viewer_K, rank_K, video_K, score_K = (np.concatenate(column) for column in zip(*parts, strict=True))
    table = pl.DataFrame({"viewer": viewer_K, "rank": rank_K, "video": video_K, "score": score_K})
    return table.with_columns(pl.col("score").fill_nan(None))


def _filled(
    best: NDArray[np.int64], value: NDArray[np.float64], popular: NDArray[np.int64], seen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Append popular videos, with NaN for their scores, until there are PLACES of them or no more videos."""
    enough = popular[: PLACES + len(seen) + len(best)]
    more = enough[~np.isin(enough, seen) & ~np.isin(enough, best)][: PLACES - len(best)]
    return np.concatenate([best, more]), np.concatenate([value, np.full(len(more), np.nan)])
