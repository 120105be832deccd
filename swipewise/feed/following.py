"""Creators whom a viewer follows.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.events.one_viewer import EventRow
from swipewise.feed.roster import Roster
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Blend, Query
from swipewise.schema import Action


def followed_creators(events: Sequence[EventRow], shelf: Shelf) -> tuple[str, ...]:
    """The creators of the videos at which a viewer followed somebody, the latest first."""
    follows = sorted((row for row in events if row.action == Action.FOLLOW), key=lambda row: -row.at)
    creators = (shelf.creator_of.get(row.video_id) for row in follows)
    return tuple(dict.fromkeys(creator for creator in creators if creator is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedBlend:
    """Adds a weight to the blended scores of creators whom the viewer follows, whatever the rest makes of them."""

    rest: Blend
    roster: Roster
    weight: float

    def blend(
        self, query: Query, numbers_N: NDArray[np.int64], scores_N: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Blended scores (N,)."""
        blended_N = self.rest.blend(query, numbers_N, scores_N)
        if not query.followed or not self.weight:
            return blended_N
        theirs, creator_of = frozenset(query.followed), self.roster.shelf.creator_of
        names = self.roster.names_of(numbers_N)
        is_theirs_N = np.array([creator_of.get(name) in theirs for name in names], np.float32)
        return blended_N + np.float32(self.weight) * is_theirs_N
