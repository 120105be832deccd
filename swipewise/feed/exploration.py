"""A share of a feed's places is drawn from uploads that few viewers were shown, with a probability that is known.

At stated places a video is drawn, without replacement, in proportion to exp(score / temperature) from the newest
under-exposed uploads that the other places do not show. The draw depends on the request's id and the viewer alone, so
an answer can be made again.

Legend of shape suffixes: N = candidates, P = those in the pool, R = places of a ranking, S = sorted numbers,
V = videos on the shelf.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.popularity import Popularity
from swipewise.feed.roster import Roster, among
from swipewise.feed.sources import enough_of
from swipewise.feed.stages import Explored, Query

EXPLORE: Final = "explore"
"""The source of what was drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The order of a feed as positions of candidates, the probability of each at its place, and what was drawn.

    ``drawn`` are the places that were.
    """

    chosen: tuple[int, ...]
    propensities: tuple[float, ...]
    drawn: frozenset[int]
    explored: Explored


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Proposes under-exposed uploads, and draws some of them.

    Attributes:
        roster: What there is.
        popularity: Whose ``exposures`` tell what few were shown.
        share: Of the places, that are drawn.
        pool: How many of the newest uploads are drawn from at most.
        exposures: Viewers a video was shown to lately, from which on it is no longer drawn.
        temperature: Of the softmax, in units of the blended score.
    """

    roster: Roster
    popularity: Popularity
    share: float
    pool: int
    exposures: int
    temperature: float
    name: str = EXPLORE
    _newest_R: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shelf = self.roster.shelf
        known = [video for video, viewers in self.popularity.exposures.items() if viewers >= self.exposures]
        few_V = np.ones(len(shelf.video_ids), np.bool_)
        few_V[shelf.rows_of(known)] = False
        newest_R = shelf.newest_R[few_V[shelf.newest_R]] if self.share else shelf.newest_R[:0]
        object.__setattr__(self, "_newest_R", newest_R)

    @property
    def policy(self) -> str | None:
        """The name and version of the policy with its setting; None where nothing is ever drawn."""
        return f"softmax@1 temperature={self.temperature:g}" if self.share else None

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """The pool (N,), the newest first; none where none of this feed's places is drawn."""
        wanted = self.pool if drawn_places(query.start, query.size, self.share) else 0
        return enough_of(self._newest_R, wanted, self.roster, query)

    def arrange(
        self,
        query: Query,
        numbers_N: NDArray[np.int64],
        scores_N: NDArray[np.float64],
        chosen: Sequence[int],
        pool_S: NDArray[np.int64],
    ) -> Places:
        """The feed with what was drawn at its places.

        Args:
            query: For whom.
            numbers_N: All candidates that may be shown, best first.
            scores_N: Theirs.
            chosen: Positions of those that the feed would hold without drawing, in its order.
            pool_S: The sorted numbers of those that may be drawn.
        """
        places = drawn_places(query.start, len(chosen), self.share)
        open_N = among(numbers_N, pool_S)
        open_N[list(chosen[: len(chosen) - len(places)])] = False
        open_P = np.flatnonzero(open_N)
        draws = draw(scores_N[open_P], len(places), self.temperature, _generator(query)) if places else []
        drawn = {
            place: (int(open_P[row]), probability)
            for place, (row, probability) in zip(places, draws, strict=False)
        }
        taken = {position for position, _ in drawn.values()}
        rest = iter([(position, 1.0) for position in chosen if position not in taken])
        filled = [drawn[place] if place in drawn else next(rest) for place in range(len(chosen))]
        pool: tuple[tuple[str, float], ...] = ()
        if drawn:
            names = self.roster.names_of(numbers_N[open_P])
            pool = tuple(zip(names, scores_N[open_P].tolist(), strict=True))
        return Places(
            chosen=tuple(position for position, _ in filled),
            propensities=tuple(probability for _, probability in filled),
            drawn=frozenset(drawn),
            explored=Explored(policy=self.policy, pool=pool),
        )


def drawn_places(start: int, count: int, share: float) -> list[int]:
    """Which of ``count`` places are drawn, evenly spread from the middle on, the first being number ``start`` of all.

    >>> drawn_places(0, 40, 0.05), drawn_places(20, 20, 0.05), drawn_places(0, 9, 0.05)
    ([9, 29], [9], [])
    """
    # Counted up to each place; the tiny addend keeps what is just below a whole number through rounding.
    total = [math.floor(place * share + 0.5 + 1e-9) for place in range(start, start + count + 1)]
    return [place for place in range(count) if total[place + 1] > total[place]]


def softmax(scores_N: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities (N,) in proportion to exp(score / temperature)."""
    weights_N: NDArray[np.float64] = np.exp((scores_N - scores_N.max()) / temperature)
    probabilities_N: NDArray[np.float64] = weights_N / weights_N.sum()
    return probabilities_N


def draw(
    scores_N: NDArray[np.float64], count: int, temperature: float, generator: np.random.Generator
) -> list[tuple[int, float]]:
    """Up to ``count`` draws without replacement: the row of each, and its probability given those before it."""
    rows = list(range(len(scores_N)))
    drawn: list[tuple[int, float]] = []
    while rows and len(drawn) < count:
        probabilities_N = softmax(scores_N[rows], temperature)
        place = int(generator.choice(len(rows), p=probabilities_N))
        drawn.append((rows.pop(place), float(probabilities_N[place])))
    return drawn


def _generator(query: Query) -> np.random.Generator:
    named = f"{query.viewer_id}\0{query.request_id}".encode("utf-8", "surrogatepass")
    seed = hashlib.blake2b(named, digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(seed))
