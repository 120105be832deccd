"""The stages of a feed in their order: source, filter, score, blend, distinct, select, explore, explain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from swipewise.feed.exploration import Places
from swipewise.feed.stages import (
    Blend,
    Distinct,
    Dropped,
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
    Source,
    Step,
)
from swipewise.schema import Candidate, Recommendation

OUTRANKED = "outranked"
"""The reason given for candidates that passed every filter and were not selected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The stages that make a feed; what is dropped on the way keeps its reason."""

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
        """Make the feed of one query."""
        trace = _Trace()
        candidates, pool = self._source(query, trace)
        dropped: list[Dropped] = []
        for stage in self.filters:
            kept = [candidate for candidate in candidates if stage.keeps(query, candidate)]
            dropped += _dropped(candidates, kept, stage.reason)
            candidates = kept
            trace.step(f"filter: {stage.reason}", candidates)
        # Networks make nothing of no candidates at all.
        scores_N = self.score.score(query, candidates) if candidates else np.zeros(0, np.float32)
        trace.step("score", candidates)
        blended = self.blend.blend(query, candidates, scores_N).tolist()
        lowered = _named(candidates, self.lower.lowered(query, candidates))
        candidates = [
            replace(c, score=score - _amount(lowered, c)) for c, score in zip(candidates, blended, strict=True)
        ]
        # A stable sort: where scores are equal, the sources' order stays.
        candidates.sort(key=lambda candidate: -candidate.score)
        trace.step("blend", candidates)
        kept = self.distinct.distinct(candidates)
        dropped += _dropped(candidates, kept, self.distinct.reason)
        candidates = kept
        trace.step(f"distinct: {self.distinct.reason}", candidates)
        selection = self.select.select(query, candidates)
        chosen = [candidates[position] for position in selection.positions]
        passed_over = {candidates[position].video_id: reason for position, reason in selection.passed_over.items()}
        trace.step("select", chosen)
        places = self.explore.arrange(query, candidates, chosen, pool)
        last = min((candidate.score for candidate in chosen), default=math.inf)
        dropped += [
            replace(each, reason=passed_over.get(each.video_id, each.reason))
            for each in _outranked(candidates, places.chosen, lowered, last)
        ]
        trace.step("explore", places.chosen)
        recommendations = self._explained(query, places, lowered)
        trace.step("explain", places.chosen)
        return Feed(
            viewer_id=query.viewer_id,
            level=level,
            recommendations=recommendations,
            dropped=tuple(dropped),
            trace=tuple(trace.steps),
            request_id=query.request_id,
            explored=places.explored,
        )

    def _source(self, query: Query, trace: _Trace) -> tuple[list[Candidate], frozenset[str]]:
        """All candidates, of which one that several propose belongs to the first, and those that may be drawn."""
        found: dict[str, Candidate] = {}
        proposed: list[Candidate] = []
        for source in (*self.sources, self.explore):
            proposed = source.candidates(query)
            for candidate in proposed:
                found.setdefault(candidate.video_id, candidate)
            trace.step(f"source: {source.name}", list(found.values()))
        return list(found.values()), frozenset(candidate.video_id for candidate in proposed)

    def _explained(
        self, query: Query, places: Places, lowered: Mapping[str, Lowered]
    ) -> tuple[Recommendation, ...]:
        explain = self.explain.explain if query.explained and places.chosen else plainly
        return tuple(
            replace(
                each,
                position=query.start + place,
                propensity=propensity,
                controls=(lowered[each.video_id].reason,) if each.video_id in lowered else (),
            )
            for place, (each, propensity) in enumerate(
                zip(explain(query, places.chosen), places.propensities, strict=True)
            )
        )


def plainly(_query: Query, chosen: Sequence[Candidate]) -> tuple[Recommendation, ...]:
    """Recommendations whose only reason is their source."""
    return tuple(
        Recommendation(video_id=c.video_id, position=place, score=c.score, source=c.source)
        for place, c in enumerate(chosen)
    )


def _dropped(before: Sequence[Candidate], after: Sequence[Candidate], reason: str) -> list[Dropped]:
    kept = {candidate.video_id for candidate in after}
    return [Dropped(video_id=c.video_id, source=c.source, reason=reason) for c in before if c.video_id not in kept]


def _named(candidates: Sequence[Candidate], lowered: Sequence[Lowered | None]) -> dict[str, Lowered]:
    return {c.video_id: each for c, each in zip(candidates, lowered, strict=True) if each is not None}


def _amount(lowered: Mapping[str, Lowered], candidate: Candidate) -> float:
    return lowered[candidate.video_id].amount if candidate.video_id in lowered else 0.0


def _outranked(
    candidates: Sequence[Candidate], chosen: Sequence[Candidate], lowered: Mapping[str, Lowered], last: float
) -> list[Dropped]:
    """Those not chosen; what would have ranked before the ``last`` score was left out because it was lowered."""
    outdone = {c.video_id for c in candidates if c.video_id in lowered and c.score + _amount(lowered, c) > last}
    return [
        replace(each, reason=lowered[each.video_id].reason) if each.video_id in outdone else each
        for each in _dropped(candidates, chosen, OUTRANKED)
    ]


class _Trace:
    """Counts and times the steps of one run."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._since = perf_counter()

    def step(self, stage: str, candidates: Sequence[Candidate]) -> None:
        now = perf_counter()
        self.steps.append(Step(stage=stage, count=len(candidates), milliseconds=1000 * (now - self._since)))
        self._since = now
