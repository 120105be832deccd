"""The stages of a feed in their order: source, filter, score, blend, distinct, select, explore, explain.

Legend of shape suffixes: N = candidates, K = those chosen, A = all that sources propose, S = sorted numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.dropped import DroppedVideos
from swipewise.feed.exploration import Places
from swipewise.feed.roster import Roster
from swipewise.feed.stages import (
    Blend,
    Distinct,
    Explain,
    Explore,
    Feed,
    Filter,
    Level,
    Lower,
    Lowered,
    Query,
    Score,
    Select,
    Selection,
    Source,
    Step,
    plainly,
)
from swipewise.schema import Recommendation

OUTRANKED = "outranked"
"""The reason given for candidates that passed every filter and were not selected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """Videos under consideration: their numbers, and the place of each one's source among all."""

    numbers_N: NDArray[np.int64]
    source_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers_N)

    def at(self, places_N: NDArray[np.int64] | NDArray[np.bool_]) -> _Candidates:
        return _Candidates(numbers_N=self.numbers_N[places_N], source_N=self.source_N[places_N])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """Candidates best first, with their scores and what was taken off them."""

    candidates: _Candidates
    scores_N: NDArray[np.float64]
    lowered: Lowered | None

    def at(self, places_N: NDArray[np.int64]) -> _Ranked:
        return _Ranked(
            candidates=self.candidates.at(places_N),
            scores_N=self.scores_N[places_N],
            lowered=self.lowered and self.lowered.at(places_N),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The stages that make a feed; what is dropped on the way keeps its reason."""

    roster: Roster
    sources: Sequence[Source]
    filters: Sequence[Filter]
    score: Score
    blend: Blend
    lower: Lower
    distinct: Distinct
    select: Select
    explore: Explore
    explain: Explain

    def run(self, query: Query, level: Level) -> Feed:
        """Make the feed of one query.

        Args:
            query: Who asks, and for what.
            level: What the feed leans on, which it tells.

        Returns:
            The feed, what was left out and why, and the time of each stage.
        """
        trace = _Trace()
        dropped = DroppedVideos(self.roster, self._names())
        candidates, pool_S = self._source(query, trace)
        for stage in self.filters:
            candidates = _kept(candidates, stage.keeps(query, candidates.numbers_N), stage.reason, dropped)
            trace.step(f"filter: {stage.reason}", len(candidates))
        ranked = self._rank(query, candidates, trace)
        first_N = self.distinct.distinct(ranked.candidates.numbers_N)
        _kept(ranked.candidates, first_N, self.distinct.reason, dropped)
        ranked = ranked.at(np.flatnonzero(first_N))
        trace.step(f"distinct: {self.distinct.reason}", len(ranked.candidates))
        numbers_N, scores_N = ranked.candidates.numbers_N, ranked.scores_N
        selection = self.select.select(query, numbers_N, scores_N)
        trace.step("select", len(selection.positions))
        places = self.explore.arrange(query, numbers_N, scores_N, selection.positions, pool_S)
        _leave(ranked, selection, places, dropped)
        trace.step("explore", len(places.chosen))
        recommendations = self._explained(query, ranked, places)
        trace.step("explain", len(places.chosen))
        return Feed(
            viewer_id=query.viewer_id,
            level=level,
            recommendations=recommendations,
            dropped=dropped,
            trace=tuple(trace.steps),
            request_id=query.request_id,
            explored=places.explored,
        )

    def _source(self, query: Query, trace: _Trace) -> tuple[_Candidates, NDArray[np.int64]]:
        """All candidates, of which one that several propose belongs to the first, and those that may be drawn."""
        proposed: list[NDArray[np.int64]] = []
        ends: list[float] = []
        sources = (*self.sources, self.explore)
        for source in sources:
            proposed.append(source.candidates(query))
            ends.append(perf_counter())
        numbers_A = np.concatenate(proposed)
        lengths = [len(each) for each in proposed]
        firsts = np.sort(np.unique(numbers_A, return_index=True)[1])
        counts = np.searchsorted(firsts, np.cumsum(lengths)).tolist()
        for source, count, end in zip(sources, counts, ends, strict=True):
            trace.step(f"source: {source.name}", count, end)
        source_A = np.repeat(np.arange(len(sources)), lengths)
        return _Candidates(numbers_N=numbers_A[firsts], source_N=source_A[firsts]), np.sort(proposed[-1])

    def _rank(self, query: Query, candidates: _Candidates, trace: _Trace) -> _Ranked:
        """Score and blend, and put the best first."""
        numbers_N = candidates.numbers_N
        # Networks make nothing of no candidates at all.
        scores_N = self.score.score(query, numbers_N) if len(candidates) else np.zeros(0, np.float32)
        trace.step("score", len(candidates))
        blended_N = self.blend.blend(query, numbers_N, scores_N).astype(np.float64)
        lowered = self.lower.lowered(query, numbers_N)
        if lowered is not None:
            blended_N -= lowered.amounts_N
        # A stable sort: where scores are equal, the sources' order stays.
        order_N = np.argsort(-blended_N, kind="stable")
        ranked = _Ranked(candidates=candidates, scores_N=blended_N, lowered=lowered).at(order_N)
        trace.step("blend", len(candidates))
        return ranked

    def _explained(self, query: Query, ranked: _Ranked, places: Places) -> tuple[Recommendation, ...]:
        chosen = ranked.at(np.array(places.chosen, np.int64))
        numbers_K, lowered = chosen.candidates.numbers_N, chosen.lowered
        told = query.explained and len(numbers_K)
        reasons = self.explain.explain(query, numbers_K) if told else plainly(numbers_K)
        sources = self._names()
        return tuple(
            Recommendation(
                video_id=video_id,
                position=query.start + place,
                score=score,
                source=self.explore.name if place in places.drawn else sources[source],
                modality_weights=why.modality_weights,
                evidence=why.evidence,
                controls=() if lowered is None else lowered.told(place),
                propensity=propensity,
            )
            for place, (video_id, score, source, why, propensity) in enumerate(
                zip(
                    self.roster.names_of(numbers_K),
                    chosen.scores_N.tolist(),
                    chosen.candidates.source_N.tolist(),
                    reasons,
                    places.propensities,
                    strict=True,
                )
            )
        )

    def _names(self) -> list[str]:
        """Of all sources, that of what may be drawn last."""
        return [source.name for source in (*self.sources, self.explore)]


def _kept(candidates: _Candidates, keeps_N: NDArray[np.bool_], reason: str, dropped: DroppedVideos) -> _Candidates:
    """Those that stay; the others are noted."""
    if keeps_N.all():
        return candidates
    left = candidates.at(~keeps_N)
    dropped.add(left.numbers_N, left.source_N, [reason])
    return candidates.at(keeps_N)


def _leave(ranked: _Ranked, selection: Selection, places: Places, dropped: DroppedVideos) -> None:
    """Note those not chosen; what would have ranked before the last place was left out because it was lowered."""
    reasons, why_N = [OUTRANKED], np.zeros(len(ranked.candidates), np.int64)
    if ranked.lowered is not None:
        amounts_N = ranked.lowered.amounts_N
        last = ranked.scores_N[selection.positions].min(initial=np.inf)
        outdone_N = (amounts_N > 0) & (ranked.scores_N + amounts_N > last)
        why_N[outdone_N] = 1 + ranked.lowered.why_N[outdone_N]
        reasons += ranked.lowered.reasons
    for position, reason in selection.passed_over.items():
        if reason not in reasons[1:]:
            reasons.append(reason)
        why_N[position] = reasons.index(reason, 1)
    left_N = np.ones(len(ranked.candidates), np.bool_)
    left_N[list(places.chosen)] = False
    left = ranked.candidates.at(left_N)
    dropped.add(left.numbers_N, left.source_N, reasons, why_N[left_N])


class _Trace:
    """Counts and times the steps of one run."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._since = perf_counter()

    def step(self, stage: str, count: int, now: float | None = None) -> None:
        """Note a stage that ended just now, or at another moment of the same clock."""
        now = perf_counter() if now is None else now
        self.steps.append(Step(stage=stage, count=count, milliseconds=1000 * (now - self._since)))
        self._since = now
