"""A share of a feed's places is drawn from uploads that few viewers were shown, with a probability that is known.

At stated places a video is drawn, without replacement, in proportion to exp(score / temperature) from the newest
under-exposed uploads that the other places do not show. The draw depends on the request's id and the viewer alone, so
an answer can be made again.

Legend of shape suffixes: N = candidates of the pool, V = videos on the shelf.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.popularity import Popularity
from swipewise.feed.shelf import Shelf
from swipewise.feed.sources import Ranking, until_enough
from swipewise.feed.stages import Explored, Query
from swipewise.schema import Candidate

EXPLORE: Final = "explore"
"""The source of what was drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Candidates in the order of a feed, the probability of each at its place, and what could have been drawn."""

    chosen: tuple[Candidate, ...]
    propensities: tuple[float, ...]
    explored: Explored


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Proposes under-exposed uploads, and draws some of them.

    Attributes:
        shelf: What there is.
        popularity: Whose ``exposures`` tell what few were shown.
        share: Of the places, that are drawn.
        pool: How many of the newest uploads are drawn from at most.
        exposures: Viewers a video was shown to lately, from which on it is no longer drawn.
        temperature: Of the softmax, in units of the blended score.
    """

    shelf: Shelf
    popularity: Popularity
    share: float
    pool: int
    exposures: int
    temperature: float
    name: str = EXPLORE
    _newest: Ranking = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = [video for video, viewers in self.popularity.exposures.items() if viewers >= self.exposures]
        few_V = np.ones(len(self.shelf.video_ids), np.bool_)
        few_V[self.shelf.rows_of(known)] = False
        rows_R = self.shelf.newest_R[few_V[self.shelf.newest_R]] if self.share else self.shelf.newest_R[:0]
        object.__setattr__(self, "_newest", Ranking.of_rows(rows_R, self.shelf))

    @property
    def policy(self) -> str | None:
        """The name and version of the policy with its setting; None where nothing is ever drawn."""
        return f"softmax@1 temperature={self.temperature:g}" if self.share else None

    def candidates(self, query: Query) -> list[Candidate]:
        """The pool, with their rank from 1 downwards as score; none where none of this feed's places is drawn."""
        if not drawn_places(query.start, query.size, self.share):
            return []
        return until_enough(self._newest, lambda place: 1 / (place + 1), self.name, self.pool, query)

    def arrange(
        self, query: Query, ranked: Sequence[Candidate], chosen: Sequence[Candidate], pool: Collection[str]
    ) -> Places:
        """The feed with what was drawn at its places.

        Args:
            query: For whom.
            ranked: All candidates that may be shown, with their scores.
            chosen: Those that the feed would hold without drawing, in its order.
            pool: The ids that may be drawn.
        """
        places = drawn_places(query.start, len(chosen), self.share)
        kept = {candidate.video_id for candidate in chosen[: len(chosen) - len(places)]}
        open_N = [c for c in ranked if c.video_id in pool and c.video_id not in kept]
        scores_N = np.array([candidate.score for candidate in open_N], np.float64)
        draws = draw(scores_N, len(places), self.temperature, _generator(query))
        drawn = {
            place: (replace(open_N[row], source=self.name), probability)
            for place, (row, probability) in zip(places, draws, strict=False)
        }
        named = {candidate.video_id for candidate, _ in drawn.values()}
        rest = iter([(candidate, 1.0) for candidate in chosen if candidate.video_id not in named])
        filled = [drawn[place] if place in drawn else next(rest) for place in range(len(chosen))]
        return Places(
            chosen=tuple(candidate for candidate, _ in filled),
            propensities=tuple(probability for _, probability in filled),
            explored=Explored(
                policy=self.policy,
                pool=tuple((c.video_id, c.score) for c in open_N) if drawn else (),
            ),
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
