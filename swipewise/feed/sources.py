"""Where candidates come from.

Each source gives up to its limit of videos that can be shown (never fewer than the feed is long, if there are so
many). Those that go through a ranking also give the seen and unwanted ones they met on the way, so that the filters can
say why they were left out; the index leaves them out by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from swipewise.feed.popularity import Popularity
from swipewise.feed.stages import Query, Shelf
from swipewise.retrieval import NO_ROW, Index
from swipewise.schema import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestSource:
    """The videos nearest to the viewer's interest vector."""

    index: Index
    shelf: Shelf
    limit: int
    name: str = "interest"

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with the inner product as score."""
        assert query.state is not None, "this source needs the model"
        wanted = max(self.limit, query.size)
        unfit_N = self.shelf.rows_of(query.unfit)
        scores_BK, rows_BK = self.index.search(query.state.interest_D[None], wanted, without_N=unfit_N)
        return [
            Candidate(video_id=self.shelf.video_ids[row], source=self.name, score=score)
            for row, score in zip(rows_BK[0].tolist(), scores_BK[0].tolist(), strict=True)
            if row != NO_ROW
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularSource:
    """The videos that most viewers liked lately."""

    popularity: Popularity
    limit: int
    name: str = "popular"

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with the number of viewers as score; none when the limit is 0."""
        ranked = ((video_id, float(self.popularity.counts[video_id])) for video_id in self.popularity.ranking)
        return _until_enough(ranked, self.name, max(self.limit, query.size) if self.limit else 0, query.unfit)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshSource:
    """The newest uploads; those without an upload time come last."""

    shelf: Shelf
    limit: int
    name: str = "fresh"
    _newest_first: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        age_V = -np.nan_to_num(self.shelf.uploaded_at_V, nan=-np.inf)
        newest_first = np.argsort(age_V, kind="stable").tolist()
        object.__setattr__(self, "_newest_first", [row for row in newest_first if row not in self.shelf.removed])

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with their rank from 1 downwards as score; none when the limit is 0."""
        ranked = ((self.shelf.video_ids[row], 1 / (rank + 1)) for rank, row in enumerate(self._newest_first))
        return _until_enough(ranked, self.name, max(self.limit, query.size) if self.limit else 0, query.unfit)


def _until_enough(
    ranked: Iterable[tuple[str, float]], source: str, wanted: int, unfit: frozenset[str]
) -> list[Candidate]:
    """Candidates in order until ``wanted`` of them can be shown."""
    candidates: list[Candidate] = []
    fit = 0
    for video_id, score in ranked:
        if fit == wanted:
            break
        candidates.append(Candidate(video_id=video_id, source=source, score=score))
        fit += video_id not in unfit
    return candidates
