"""The choice and order of a feed: good videos that are not all alike.

Legend of shape suffixes: N = candidates, L = liked videos, H = the head of the candidates, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.caps import ENOUGH_OF_CREATOR, ENOUGH_OF_TOPIC, Cap, fitting
from swipewise.feed.roster import Roster
from swipewise.feed.stages import Query, Selection

ALIKE = "too like others in the feed"
"""The reason given for candidates that were passed over for one of a lower score."""

GROUP: Final = 10
"""Places that are chosen together, and then put in the order of their scores."""

HEAD: Final = 100
"""The best candidates that fit, among which each place is filled: the cost does not grow with their number."""

LIKED: Final = 30
"""Latest liked videos that tell how varied a viewer's taste is."""

_DOUBT: Final = 5.0  # likes that a taste of no variety at all is taken for


@dataclass(frozen=True, slots=True, kw_only=True)
class DiverseSelect:
    """Spreads a feed out over the vectors of the index and holds the caps; by score alone without a model.

    diversity: λ in [0, 1], see :func:`spread_out`. creator_cap, topic_cap: Videos of a feed that may have the same
    creator, and the same tag; 0: any number. Where a feed could not be filled otherwise, topics give way first.
    """

    roster: Roster
    diversity: float
    creator_cap: int = 0
    topic_cap: int = 0

    def select(self, query: Query, numbers_N: NDArray[np.int64], scores_N: NDArray[np.float64]) -> Selection:
        """Positions of the chosen in feed order, and why better ones were passed over."""
        caps = self._caps(numbers_N)
        variety = self._variety(query)
        if not caps and self.diversity * variety == 0:
            return Selection(positions=list(range(min(query.size, len(numbers_N)))))
        taken = spread_out(
            scores_N.astype(np.float32),
            self._vectors(numbers_N),
            k=query.size,
            diversity=self.diversity,
            variety=variety,
            caps=caps,
        )
        return Selection(positions=taken, passed_over=_passed_over(taken, caps))

    def _caps(self, numbers_N: NDArray[np.int64]) -> list[Cap]:
        """Those that are on; the first holds longest."""
        caps: list[Cap] = []
        if not self.creator_cap and not self.topic_cap:
            return caps
        ids = self.roster.names_of(numbers_N)
        if self.creator_cap:
            creators = [
                [self.roster.shelf.creator_of[each]] if each in self.roster.shelf.creator_of else []
                for each in ids
            ]
            caps.append(Cap(creators, most=self.creator_cap, reason=ENOUGH_OF_CREATOR))
        if self.topic_cap:
            topics = [[tag.casefold() for tag in self.roster.shelf.tags_of.get(each, ())] for each in ids]
            caps.append(Cap(topics, most=self.topic_cap, reason=ENOUGH_OF_TOPIC))
        return caps

    def _variety(self, query: Query) -> float:
        if query.state is None:
            return 0.0
        liked_LD = self.roster.shelf.directions(query.state.liked_J[:LIKED])
        return 0.0 if liked_LD is None else variety_of(liked_LD)

    def _vectors(self, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        directions_ND = self.roster.shelf.directions(numbers_N)
        return np.zeros((len(numbers_N), 1), np.float32) if directions_ND is None else directions_ND


def variety_of(liked_LD: NDArray[np.float32]) -> float:
    """How varied a viewer's taste is, in [0, 1): 1 - |mean|² of the liked videos' vectors, of length 1.

    Drawn towards 0 where few are known: of a viewer with little history, the likeliest videos are those all alike.
    """
    if not len(liked_LD):
        return 0.0
    mean_D = liked_LD.mean(axis=0)
    return max(0.0, 1.0 - float(mean_D @ mean_D)) * len(liked_LD) / (len(liked_LD) + _DOUBT)


def spread_out(
    scores_N: NDArray[np.float32],
    vectors_ND: NDArray[np.float32],
    *,
    k: int,
    diversity: float,
    variety: float,
    caps: Sequence[Cap] = (),
) -> list[int]:
    """Take one by one the candidate with the best (1 - λ) · score - λ · variety · mean likeness to those taken.

    Places are filled in groups of ten, and each group is put in the order of scores: what sets ten videos apart is the
    same in any order, and the best is seen first.

    Args:
        scores_N: Scores in units of their deviation, best first.
        vectors_ND: Vectors of length 1; likeness is their cosine.
        k: How many to take at most.
        diversity: λ in [0, 1].
        variety: How much the viewer cares for it, see :func:`variety_of`; 0 keeps the order of scores.
        caps: Which candidates fit; the first holds longest. They are told what is taken.

    Returns:
        Positions of those taken, in order; equal values by position.
    """
    k = min(k, len(scores_N))
    open_N = np.ones(len(scores_N), bool)
    summed_D = np.zeros(vectors_ND.shape[1], np.float32)
    taken: list[int] = []
    while len(taken) < k:
        group: list[int] = []
        for place in range(len(taken), min(len(taken) + GROUP, k)):
            head_H = np.flatnonzero(fitting(open_N, caps))[:HEAD]
            likeness_H = vectors_ND[head_H] @ summed_D / max(place, 1)
            value_H = (1 - diversity) * scores_N[head_H] - diversity * variety * likeness_H
            best = int(head_H[np.argmax(value_H)])
            group.append(best)
            open_N[best] = False
            summed_D += vectors_ND[best]
            for cap in caps:
                cap.take(best)
        taken += sorted(group)
    return taken


def _passed_over(taken: Sequence[int], caps: Sequence[Cap]) -> dict[int, str]:
    """Of each candidate that is better than the last one taken and was not, the reason."""
    reasons = {}
    for position in set(range(max(taken, default=0))).difference(taken):
        reasons[position] = next((cap.reason for cap in caps if not cap.fits_N[position]), ALIKE)
    return reasons
