"""Where candidates come from.

Each source gives up to its limit of videos that can be shown (never fewer than the feed is long, if there are so
many). Those that go through a ranking also give the seen and unwanted ones they met on the way, as far as they look at
videos one by one, so that the filters can say why they were left out; the index leaves them out by itself.

Legend of shape suffixes: R = places of a ranking, B = queries, K = neighbours, N = videos left out, V = videos on the
shelf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.popularity import Popularity
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.retrieval import NO_ROW, Index
from swipewise.schema import Candidate

_ONE_BY_ONE: Final = 500
"""Places of a ranking, beside four times those wanted, that are looked at one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Videos in some order; ``rows_R`` are their rows among ``video_ids``.

    ``ids`` are their names where some of them have no row, which is then -1.
    """

    rows_R: NDArray[np.int64]
    video_ids: Sequence[str]
    ids: Sequence[str] | None = None

    @classmethod
    def of_rows(cls, rows_R: NDArray[np.int64], shelf: Shelf) -> Self:
        """Videos of the shelf in this order."""
        return cls(rows_R=rows_R, video_ids=shelf.video_ids)

    @classmethod
    def of_ids(cls, ids: Sequence[str], shelf: Shelf) -> Self:
        """Videos that the shelf may not have."""
        rows_R = np.array([shelf.row_of.get(each, -1) for each in ids], np.int64)
        return cls(rows_R=rows_R, video_ids=shelf.video_ids, ids=ids)

    def name(self, place: int) -> str:
        """The video at a place."""
        return self.video_ids[self.rows_R[place]] if self.ids is None else self.ids[place]


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
        scores_BK, rows_BK = self.index.search(
            query.state.interest_D[None], wanted, without_N=unfit_N, only_V=query.closed.open_V
        )
        return [
            Candidate(video_id=self.shelf.video_ids[row], source=self.name, score=score)
            for row, score in zip(rows_BK[0].tolist(), scores_BK[0].tolist(), strict=True)
            if row != NO_ROW
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularSource:
    """The videos that most viewers liked lately."""

    popularity: Popularity
    shelf: Shelf
    limit: int
    name: str = "popular"
    _ranking: Ranking = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ranking", Ranking.of_ids(self.popularity.ranking, self.shelf))

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with the number of viewers as score; none when the limit is 0."""
        wanted = max(self.limit, query.size) if self.limit else 0
        counts, name = self.popularity.counts, self._ranking.name
        return until_enough(self._ranking, lambda place: float(counts[name(place)]), self.name, wanted, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendingSource:
    """The videos that are liked faster than before."""

    popularity: Popularity
    shelf: Shelf
    limit: int
    name: str = "trending"
    _ranking: Ranking = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ranking", Ranking.of_ids(self.popularity.rising, self.shelf))

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with their rise as score; none when the limit is 0."""
        wanted = max(self.limit, query.size) if self.limit else 0
        rises, name = self.popularity.rises, self._ranking.name
        return until_enough(self._ranking, lambda place: rises[name(place)], self.name, wanted, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedSource:
    """The newest videos of the creators whom the viewer follows."""

    shelf: Shelf
    limit: int
    name: str = "followed"

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with their rank from 1 downwards as score; none when the limit is 0."""
        if not self.limit or not query.followed:
            return []
        wanted = max(self.limit, query.size)
        theirs = [self.shelf.of_creator.get(creator, ()) for creator in query.followed]
        newest = merge(*theirs, key=self.shelf.age_order)
        ranked = ((video_id, 1 / (place + 1)) for place, video_id in enumerate(newest))
        return _one_by_one(islice(ranked, _ONE_BY_ONE + 4 * wanted), self.name, wanted, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshSource:
    """The newest uploads; those without an upload time come last."""

    shelf: Shelf
    limit: int
    name: str = "fresh"
    _ranking: Ranking = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ranking", Ranking.of_rows(self.shelf.newest_R, self.shelf))

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates with their rank from 1 downwards as score; none when the limit is 0."""
        wanted = max(self.limit, query.size) if self.limit else 0
        return until_enough(self._ranking, lambda place: 1 / (place + 1), self.name, wanted, query)


def until_enough(
    ranking: Ranking, score: Callable[[int], float], source: str, wanted: int, query: Query
) -> list[Candidate]:
    """Candidates in order until ``wanted`` of them can be shown; far down only those that can.

    Args:
        ranking: The order.
        score: Of a place.
        source: What the answer calls them.
        wanted: How many.
        query: For whom.
    """
    near = min(_ONE_BY_ONE + 4 * wanted, len(ranking.rows_R)) if wanted else 0
    found = _one_by_one(((ranking.name(place), score(place)) for place in range(near)), source, wanted, query)
    missing = wanted - sum(query.fits(candidate.video_id) for candidate in found)
    if missing <= 0 or near == len(ranking.rows_R):
        return found
    rows_R = ranking.rows_R[near:]
    open_R = rows_R >= 0
    if query.closed.open_V is not None:
        open_R &= query.closed.open_V[rows_R]
    far = (near + place for place in np.flatnonzero(open_R).tolist())
    fit = (place for place in far if ranking.name(place) not in query.unfit)
    return found + [
        Candidate(video_id=ranking.name(place), source=source, score=score(place))
        for place in islice(fit, missing)
    ]


def _one_by_one(ranked: Iterable[tuple[str, float]], source: str, wanted: int, query: Query) -> list[Candidate]:
    candidates: list[Candidate] = []
    fit = 0
    for video_id, score in ranked:
        if fit == wanted:
            break
        candidates.append(Candidate(video_id=video_id, source=source, score=score))
        fit += query.fits(video_id)
    return candidates
