"""What may not be in a feed, and the reason given.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.roster import Roster, among
from swipewise.feed.stages import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFilter:
    """Only videos of the catalogue: behaviour may name others, and those cannot be shown."""

    roster: Roster
    reason: str = "not in the catalogue"

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which the shelf holds: (N,)."""
        return self.roster.there(numbers_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFilter:
    """Only videos that are not in the viewer's history, whatever happened there."""

    reason: str = "seen"

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which the viewer has not met: (N,)."""
        return ~among(numbers_N, query.seen_S) | among(numbers_N, query.duplicates_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDuplicateFilter:
    """No near-duplicates of videos that are in the viewer's history: they would be met a second time."""

    reason: str = "duplicate of a seen one"

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of which the viewer has met no near-duplicate: (N,)."""
        return ~among(numbers_N, query.duplicates_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestDuplicate:
    """Of near-duplicates only the best."""

    roster: Roster
    reason: str = "duplicate of a better one"

    def distinct(self, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The first of each group, and all that have no near-duplicates: (N,)."""
        group_of = self.roster.shelf.group_of
        first_N = np.ones(len(numbers_N), np.bool_)
        if not group_of:
            return first_N
        met: set[str] = set()
        for place, name in enumerate(self.roster.names_of(numbers_N)):
            group = group_of.get(name, name)
            first_N[place] = group not in met
            met.add(group)
        return first_N
