"""The words of the feed's pipeline: its request, its stages' faces and its answer.

Legend of shape suffixes: N = candidates, V = videos on the shelf, R = those of them that are there, D = width of a
vector.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.closed import Closed
from swipewise.feed.cursor import mark
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
class Shelf:
    """The videos a feed can be filled with, and what the stages need to know of them.

    uploaded_at_V: (V,) float64 seconds since 1970 UTC, NaN where unknown.
    vectors_VD: (V, D) float32 of length 1 (or 0), or None without a model.
    group_of: Of each video that has near-duplicates the first of their group, which stands for the group.
    removed: Rows of videos that left the catalogue; they keep their place and are never shown.
    creator_of, tags_of, language_of: Of the videos that have them.
    regions_of: Of the videos that may be shown in some regions alone.
    window_of: Of those that may be shown for a time alone, from when until before when, seconds since 1970 UTC.
    marks_V: (V,) uint32, by which cursors know the videos; reckoned where it is not given.
    """

    video_ids: tuple[str, ...]
    uploaded_at_V: NDArray[np.float64]
    vectors_VD: NDArray[np.float32] | None = None
    group_of: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[int] = frozenset()
    creator_of: Mapping[str, str] = field(default_factory=dict)
    tags_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language_of: Mapping[str, str] = field(default_factory=dict)
    regions_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    window_of: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    marks_V: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))

    def __post_init__(self) -> None:
        if len(self.marks_V) != len(self.video_ids):
            object.__setattr__(self, "marks_V", np.array([mark(each) for each in self.video_ids], np.uint32))

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each video that is there."""
        return {video_id: row for row, video_id in enumerate(self.video_ids) if row not in self.removed}

    def rows_of(self, video_ids: Iterable[str]) -> NDArray[np.int64]:
        """The rows of those of some videos that are there."""
        found = (self.row_of.get(video_id) for video_id in video_ids)
        return np.array([row for row in found if row is not None], np.int64)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for video_id, group in self.group_of.items():
            groups.setdefault(group, []).append(video_id)
        return groups

    @cached_property
    def newest_R(self) -> NDArray[np.int64]:
        """The rows (R,) of the videos that are there, the newest first and those without an upload time last."""
        age_V = -np.nan_to_num(self.uploaded_at_V, nan=-np.inf)
        there_V = np.ones(len(age_V), np.bool_)
        there_V[list(self.removed)] = False
        order_V = np.argsort(age_V, kind="stable")
        return order_V[there_V[order_V]]

    def age_order(self, video_id: str) -> tuple[float, str]:
        """What sorts videos as ``newest_R`` does, also those that have left."""
        row = self.row_of.get(video_id)
        uploaded_at = np.nan if row is None else self.uploaded_at_V[row]
        return (np.inf if np.isnan(uploaded_at) else -float(uploaded_at)), video_id

    def marked(self, marks: Collection[int]) -> frozenset[str]:
        """The videos that these marks of a cursor stand for."""
        rows = np.flatnonzero(np.isin(self.marks_V, np.array(list(marks), np.uint32))).tolist() if marks else []
        return frozenset(self.video_ids[row] for row in rows)

    @cached_property
    def of_creator(self) -> dict[str, list[str]]:
        """The videos of each creator, the newest first."""
        found = _inverted((video_id, (creator,)) for video_id, creator in self.creator_of.items())
        return {creator: sorted(videos, key=self.age_order) for creator, videos in found.items()}

    @cached_property
    def of_tag(self) -> dict[str, list[str]]:
        """The videos with each tag, whatever its case: tags are casefolded."""
        return _inverted((video_id, {tag.casefold() for tag in tags}) for video_id, tags in self.tags_of.items())

    def duplicates_of(self, video_ids: Iterable[str]) -> frozenset[str]:
        """The near-duplicates of these videos, without those that are among them."""
        named = frozenset(video_ids)
        groups = {self.group_of[video_id] for video_id in named if video_id in self.group_of}
        return frozenset(video_id for group in groups for video_id in self._groups[group]) - named

    def rows(self, candidates: Sequence[Candidate]) -> NDArray[np.int64]:
        """The rows (N,) of candidates that passed the catalogue filter."""
        return np.array([self.row_of[candidate.video_id] for candidate in candidates], np.int64)


def _inverted(pairs: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for video_id, names in pairs:
        for name in names:
            found.setdefault(name, []).append(video_id)
    return found


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
