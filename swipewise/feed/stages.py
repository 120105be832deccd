"""The words of the feed's pipeline: its request, its stages' faces and its answer.

Stages know videos by their numbers in a ``Roster``; names are put to what is answered.

Legend of shape suffixes: N = candidates, K = those chosen, S = sorted numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.closed import Closed
from swipewise.feed.roster import among, place_among
from swipewise.schema import Evidence, Recommendation

if TYPE_CHECKING:
    from swipewise.events.controls import Controls
    from swipewise.feed.exploration import Places
    from swipewise.training.scorer import ViewerState


class Level(StrEnum):
    """What a feed could lean on, best first."""

    MODEL = "model"
    """The model and a history."""
    PROFILE = "profile"
    """The model and a profile, but no history."""
    POPULAR = "popular"
    """What is popular and what is new: no model, or nothing is known of the viewer."""


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Barred:
    """Videos that are not to be shown to a viewer, each with one of the reasons.

    numbers_S: ascending; why_S: places in ``reasons``.
    """

    numbers_S: NDArray[np.int64] = field(default_factory=_none)
    why_S: NDArray[np.int64] = field(default_factory=_none)
    reasons: tuple[str, ...] = ()

    def by(self, reason: str, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which are barred for this reason: (N,).

        Args:
            reason: One of ``reasons``.
            numbers_N: Of videos in the roster.
        """
        if reason not in self.reasons or not len(self.numbers_S):
            return np.zeros(len(numbers_N), np.bool_)
        place_N = place_among(numbers_N, self.numbers_S)
        why = self.reasons.index(reason)
        barred_N: NDArray[np.bool_] = (self.numbers_S[place_N] == numbers_N) & (self.why_S[place_N] == why)
        return barred_N


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """One request for a feed; videos are numbers in a roster.

    ``seen_S`` is everything in the viewer's history and, also by themselves as ``duplicates_S``, the near-duplicates of
    that; ``state`` is what the model makes of the history, None without one. ``controls`` are what the viewer asked
    for, and ``barred`` the videos that are not to be shown for that, or because this session has shown them; ``closed``
    are those that may not be shown here and now. ``followed`` are creators, ``start`` is the number of the first place
    in the session, ``explained`` whether reasons are wanted.
    """

    viewer_id: str
    size: int
    now: datetime
    seen_S: NDArray[np.int64] = field(default_factory=_none)
    duplicates_S: NDArray[np.int64] = field(default_factory=_none)
    state: ViewerState | None = None
    controls: Controls | None = None
    barred: Barred = field(default_factory=Barred)
    closed: Closed = field(default_factory=Closed)
    followed: tuple[str, ...] = ()
    start: int = 0
    request_id: str = ""
    explained: bool = True

    @cached_property
    def unfit_S(self) -> NDArray[np.int64]:
        """The videos that cannot be shown to this viewer, whatever their score."""
        return np.union1d(self.seen_S, self.barred.numbers_S) if len(self.barred.numbers_S) else self.seen_S

    def fits(self, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which videos can be shown: (N,).

        Args:
            numbers_N: Of videos in the roster.
        """
        fits_N = ~among(numbers_N, self.unfit_S)
        return fits_N if self.closed.open_V is None else fits_N & (self.closed.why(numbers_N) == 0)


class Source(Protocol):
    """Proposes candidates."""

    @property
    def name(self) -> str:
        """What the answer calls this source."""
        ...

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """Numbers (N,), best first by the source's own measure; videos already seen may be among them.

        Args:
            query: Who asks, and for what.
        """
        ...


class Filter(Protocol):
    """Takes candidates out."""

    @property
    def reason(self) -> str:
        """What the answer says of those taken out."""
        ...

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which candidates stay: (N,).

        Args:
            query: Who asks, and for what.
            numbers_N: The candidates.
        """
        ...


class Score(Protocol):
    """Values candidates, each without regard to the others."""

    def score(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (N,) float32, higher is better.

        Args:
            query: Who asks, and for what.
            numbers_N: The candidates.
        """
        ...


class Blend(Protocol):
    """Combines the scores with what else a feed should heed."""

    def blend(
        self, query: Query, numbers_N: NDArray[np.int64], scores_N: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Blended scores (N,) float32, higher is better.

        Args:
            query: Who asks, and for what.
            numbers_N: The candidates.
            scores_N: What the score said of each.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What is taken off candidates' scores: amounts_N, 0 where nothing is, and the place in ``reasons`` of each."""

    amounts_N: NDArray[np.float64]
    why_N: NDArray[np.int64]
    reasons: tuple[str, ...]

    def at(self, places_N: NDArray[np.int64]) -> Lowered:
        """The same of the candidates at some places.

        Args:
            places_N: Of the candidates that go on.
        """
        return Lowered(amounts_N=self.amounts_N[places_N], why_N=self.why_N[places_N], reasons=self.reasons)

    def told(self, place: int) -> tuple[str, ...]:
        """Why a candidate was lowered; nothing where it was not.

        Args:
            place: Of the candidate.
        """
        return (self.reasons[int(self.why_N[place])],) if self.amounts_N[place] else ()


class Lower(Protocol):
    """Lowers the blended scores of what the viewer wants less of."""

    def lowered(self, query: Query, numbers_N: NDArray[np.int64]) -> Lowered | None:
        """What is taken off each candidate, None where nothing is off any.

        Args:
            query: Who asks, and for what.
            numbers_N: The candidates.
        """
        ...


class Distinct(Protocol):
    """Leaves one of those that are the same to a viewer."""

    @property
    def reason(self) -> str:
        """What the answer says of those taken out."""
        ...

    def distinct(self, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which stay: (N,). Candidates come best first.

        Args:
            numbers_N: The candidates.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Positions of the chosen in feed order; and of those that score higher than the last of them, why they are not."""

    positions: list[int]
    passed_over: Mapping[int, str] = field(default_factory=dict)


class Select(Protocol):
    """Chooses the feed and its order."""

    def select(self, query: Query, numbers_N: NDArray[np.int64], scores_N: NDArray[np.float64]) -> Selection:
        """Choose at most ``query.size``. Candidates come best first.

        Args:
            query: Who asks, and for how many.
            numbers_N: The candidates.
            scores_N: Their blended scores.

        Returns:
            Places of the chosen among the candidates, in the order of the feed.
        """
        ...


class Explore(Protocol):
    """Gives some places of a feed to what was drawn."""

    @property
    def name(self) -> str:
        """What the answer calls the source of these candidates."""
        ...

    def candidates(self, query: Query) -> NDArray[np.int64]:
        """What may be drawn, as a source gives it.

        Args:
            query: Who asks, and for what.
        """
        ...

    def arrange(
        self,
        query: Query,
        numbers_N: NDArray[np.int64],
        scores_N: NDArray[np.float64],
        chosen: Sequence[int],
        pool_S: NDArray[np.int64],
    ) -> Places:
        """The feed at the positions ``chosen`` with what was drawn of the sorted numbers ``pool_S``.

        All candidates can be shown, and come best first.

        Args:
            query: Who asks, and for what.
            numbers_N: The candidates.
            scores_N: Their blended scores.
            chosen: Places of the chosen among the candidates.
            pool_S: What was drawn from.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why a video is recommended: as in ``Recommendation``."""

    modality_weights: dict[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


def plainly(numbers_K: NDArray[np.int64]) -> list[Reasons]:
    """No reason but the source, of each.

    Args:
        numbers_K: The chosen.
    """
    return [Reasons() for _ in numbers_K]


class Explain(Protocol):
    """Says why each chosen video is there."""

    def explain(self, query: Query, numbers_K: NDArray[np.int64]) -> Sequence[Reasons]:
        """The reasons for each chosen candidate, in the same order.

        Args:
            query: Who asks, and for what.
            numbers_K: The chosen.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate that did not make the feed, and why."""

    video_id: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a feed's making: how many events or candidates it left, and the time it took."""

    stage: str
    count: int
    milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """How places were drawn: the policy's name, None without one, and the videos it drew from with their scores."""

    policy: str | None = None
    pool: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed, how it came about and what was left out.

    ``note`` says why the level is below ``model``; None otherwise. ``controls`` says what the viewer asked for that
    bears on all of it. ``request_id`` names the answer; ``cursor`` asks for what comes after it, None where the session
    has been shown all that a cursor holds.
    """

    viewer_id: str
    level: Level
    recommendations: tuple[Recommendation, ...]
    dropped: Sequence[Dropped] = ()
    trace: tuple[Step, ...] = ()
    note: str | None = None
    controls: tuple[str, ...] = ()
    request_id: str = ""
    cursor: str | None = None
    explored: Explored = field(default_factory=Explored)
