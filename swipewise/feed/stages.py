"""The words of the feed's pipeline: its request, its stages' faces and its answer.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.closed import Closed
from swipewise.schema import Candidate, Recommendation

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


@dataclass(frozen=True, kw_only=True)
class Query:
    """One request for a feed.

    ``seen`` is everything in the viewer's history and, also by themselves as ``duplicates``, the near-duplicates of
    that; ``state`` is what the model makes of the history, None without one. ``controls`` are what the viewer asked
    for, and ``barred`` the videos that are not to be shown for that, or because this session has shown them, each with
    the reason; ``closed`` are those that may not be shown here and now. ``followed`` are creators, ``start`` is the
    number of the first place in the session, ``explained`` whether reasons are wanted.
    """

    viewer_id: str
    size: int
    now: datetime
    seen: frozenset[str] = frozenset()
    duplicates: frozenset[str] = frozenset()
    state: ViewerState | None = None
    controls: Controls | None = None
    barred: Mapping[str, str] = field(default_factory=dict)
    closed: Closed = field(default_factory=Closed)
    followed: tuple[str, ...] = ()
    start: int = 0
    request_id: str = ""
    explained: bool = True

    @cached_property
    def unfit(self) -> frozenset[str]:
        """The videos that cannot be shown to this viewer, whatever their score."""
        return self.seen.union(self.barred)

    def fits(self, video_id: str) -> bool:
        """Whether a video can be shown."""
        return video_id not in self.unfit and self.closed.reason(video_id) is None


class Source(Protocol):
    """Proposes candidates."""

    @property
    def name(self) -> str:
        """What the answer calls this source."""
        ...

    def candidates(self, query: Query) -> list[Candidate]:
        """Candidates, best first by the source's own measure; videos already seen may be among them."""
        ...


class Filter(Protocol):
    """Takes candidates out."""

    @property
    def reason(self) -> str:
        """What the answer says of those taken out."""
        ...

    def keeps(self, query: Query, candidate: Candidate) -> bool:
        """Whether the candidate stays."""
        ...


class Score(Protocol):
    """Values candidates, each without regard to the others."""

    def score(self, query: Query, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """Scores (N,) float32, higher is better."""
        ...


class Blend(Protocol):
    """Combines the scores with what else a feed should heed."""

    def blend(
        self, query: Query, candidates: Sequence[Candidate], scores_N: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Blended scores (N,) float32, higher is better."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What is taken off a candidate's score, and why."""

    amount: float
    reason: str


class Lower(Protocol):
    """Lowers the blended scores of what the viewer wants less of."""

    def lowered(self, query: Query, candidates: Sequence[Candidate]) -> list[Lowered | None]:
        """What is taken off each candidate, None where nothing is."""
        ...


class Distinct(Protocol):
    """Leaves one of those that are the same to a viewer."""

    @property
    def reason(self) -> str:
        """What the answer says of those taken out."""
        ...

    def distinct(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that stay, in the same order. Candidates come best first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Positions of the chosen in feed order; and of those that score higher than the last of them, why they are not."""

    positions: list[int]
    passed_over: Mapping[int, str] = field(default_factory=dict)


class Select(Protocol):
    """Chooses the feed and its order."""

    def select(self, query: Query, candidates: Sequence[Candidate]) -> Selection:
        """Choose at most ``query.size``. Candidates come best first."""
        ...


class Explore(Protocol):
    """Gives some places of a feed to what was drawn."""

    @property
    def name(self) -> str:
        """What the answer calls the source of these candidates."""
        ...

    def candidates(self, query: Query) -> list[Candidate]:
        """What may be drawn, as a source gives it."""
        ...

    def arrange(
        self, query: Query, ranked: Sequence[Candidate], chosen: Sequence[Candidate], pool: Collection[str]
    ) -> Places:
        """The feed ``chosen`` with what was drawn of the ``pool``; ``ranked`` are all that can be shown."""
        ...


class Explain(Protocol):
    """Says why each chosen video is there."""

    def explain(self, query: Query, chosen: Sequence[Candidate]) -> tuple[Recommendation, ...]:
        """One recommendation a chosen candidate, in the same order."""
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
    dropped: tuple[Dropped, ...] = ()
    trace: tuple[Step, ...] = ()
    note: str | None = None
    controls: tuple[str, ...] = ()
    request_id: str = ""
    cursor: str | None = None
    explored: Explored = field(default_factory=Explored)
