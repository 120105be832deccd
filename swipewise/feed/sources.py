"""Where candidates come from.

Each source gives up to its limit of videos that can be shown (never fewer than the feed is long, if there are so
many). Those that go through a ranking also give the seen and unwanted ones they met on the way, as far as they look at
videos one by one, so that the filters can say why they were left out; the index leaves them out by itself.

Legend of shape suffixes: R = places of a ranking, B = queries, K = neighbours, N = videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.roster import Roster
from swipewise.feed.stages import Query
from swipewise.retrieval import NO_ROW, Index

_LOOKED_AT: Final = 500
"""Places of a ranking, beside four times those wanted, of which the unfit are given too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestSource:
    """The videos nearest to the viewer's interest vector."""

    index: Index
    roster: Roster
    limit: int
    name: str = "interest"

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Candidates (N,) by their inner product."""
        assert query.state is not None, "this source needs the model"
        wanted = max(self.limit, query.size)
        unfit_S = query.unfit_S
        _, rows_BK = self.index.search(
            query.state.interest_D[None],
            wanted,
            without_N=unfit_S[self.roster.there(unfit_S)],
            only_V=query.closed.open_V,
        )
        found_K: NDArray[np.int64] = rows_BK[0][rows_BK[0] != NO_ROW]
        return found_K


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularSource:
    """The videos that most viewers liked lately."""

    roster: Roster
    limit: int
    name: str = "popular"

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Candidates (N,) by their number of viewers; none when the limit is 0."""
        return _limited(self.roster.popular_R, self.limit, self.roster, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendingSource:
    """The videos that are liked faster than before."""

    roster: Roster
    limit: int
    name: str = "trending"

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Candidates (N,) by their rise; none when the limit is 0."""
        return _limited(self.roster.rising_R, self.limit, self.roster, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedSource:
    """The newest videos of the creators whom the viewer follows."""

    roster: Roster
    limit: int
    name: str = "followed"

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Candidates (N,), the newest first; none when the limit is 0."""
        if not self.limit or not query.followed:
            return np.zeros(0, np.int64)
        wanted, shelf = max(self.limit, query.size), self.roster.shelf
        theirs = [shelf.of_creator.get(creator, ()) for creator in query.followed]
        newest = islice(merge(*theirs, key=shelf.age_order), _near(wanted))
        return _until_enough(self.roster.numbers_of(newest), wanted, query)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshSource:
    """The newest uploads; those without an upload time come last."""

    roster: Roster
    limit: int
    name: str = "fresh"

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Candidates (N,), the newest first; none when the limit is 0."""
        return _limited(self.roster.shelf.newest_R, self.limit, self.roster, query)


def enough_of(ranking_R: NDArray[np.int64], wanted: int, roster: Roster, query: Query) -> NDArray[np.int64]:
    """Candidates (N,) in order until ``wanted`` of them can be shown; far down only those that can.

    Args:
        ranking_R: The order.
        wanted: How many.
        roster: Whose numbers they are.
        query: For whom.
    """
    near = _near(wanted) if wanted else 0
    found_N = _until_enough(ranking_R[:near], wanted, query)
    missing = wanted - int(query.fits(found_N).sum())
    far_R = ranking_R[near:]
    if missing <= 0 or not len(far_R):
        return found_N
    fit_R = query.fits(far_R) & roster.there(far_R)
    return np.concatenate([found_N, far_R[np.flatnonzero(fit_R)[:missing]]])


def _limited(ranking_R: NDArray[np.int64], limit: int, roster: Roster, query: Query) -> NDArray[np.int64]:
    """Up to the limit, or as many as the feed is long; none where the limit is 0."""
    return enough_of(ranking_R, max(limit, query.size) if limit else 0, roster, query)


def _near(wanted: int) -> int:
    return _LOOKED_AT + 4 * wanted


def _until_enough(near_R: NDArray[np.int64], wanted: int, query: Query) -> NDArray[np.int64]:
    """Those up to the one with which ``wanted`` can be shown."""
    if not wanted:
        return near_R[:0]
    count_R = np.cumsum(query.fits(near_R))
    return near_R[: int(np.searchsorted(count_R, wanted)) + 1]
