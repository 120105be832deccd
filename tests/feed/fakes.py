"""A shelf and a scorer that a reader can compute by hand.

The fake scorer's video vectors are given; a viewer's interest is the mean vector of the history, and a score is
the inner product of interest and video.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.feed.popularity import Popularity
from swipewise.feed.roster import Roster
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.schema import Evidence, Interaction, Profile
from swipewise.training.beliefs import Beliefs, InterestShift, LikedTheme
from swipewise.training.vocabulary import Vocabulary

NOW = datetime(2025, 6, 8, 12, tzinfo=UTC)


@dataclass
class FakeState:
    interest_D: NDArray[np.float32]
    history: list[int]

    @property
    def liked_J(self) -> NDArray[np.int64]:
        return np.array(self.history[::-1], np.int64)


@dataclass
class FakeScores:
    values_N: NDArray[np.float32]
    weights_NM: NDArray[np.float32]


class FakeScorer:
    modalities = ("visual", "text")
    encoders: Mapping[str, str] = {}
    inference = "eager"
    vocabulary = Vocabulary(video_ids=(), attribute_values=(), profile_values=())

    def __init__(self, video_ids: Sequence[str], vectors_VD: NDArray[np.float32]) -> None:
        self.video_ids = tuple(video_ids)
        self.index_vectors_VD = vectors_VD

    def viewer(self, history: Sequence[Interaction], profile: Profile | None, now: datetime) -> FakeState:
        past = [event.video_id for event in history if event.at <= now]
        rows = [self.video_ids.index(video_id) for video_id in past if video_id in self.video_ids]
        interest_D = np.zeros(self.index_vectors_VD.shape[1], np.float32)
        if rows:
            interest_D = self.index_vectors_VD[rows].mean(axis=0)
        favourite = None if profile is None else profile.features.get("favourite")
        if not rows and isinstance(favourite, int) and 0 <= favourite < len(self.video_ids):
            interest_D = self.index_vectors_VD[favourite]
        return FakeState(interest_D, rows)

    def interests(
        self, viewers: Sequence[tuple[Sequence[Interaction], Profile | None]], now: datetime
    ) -> NDArray[np.float32]:
        found = [self.viewer(history, profile, now).interest_D for history, profile in viewers]
        return np.array(found, np.float32).reshape(-1, self.index_vectors_VD.shape[1])

    def weighed(self, state: FakeState, factors: Mapping[str, float]) -> FakeState:
        """Visual is the first number of a vector, text the second."""
        factor_D = [factors.get(name, 1.0) for name in self.modalities]
        return FakeState(state.interest_D * np.array(factor_D, np.float32), state.history)

    def beliefs(self, history: Sequence[Interaction], profile: Profile | None, now: datetime) -> Beliefs:
        """What was watched is a theme of words."""
        rows = tuple(self.viewer(history, profile, now).history)
        themes = (LikedTheme(modality="text", taste=1.5, videos=rows),) if rows else ()
        return Beliefs(modality_weights={"visual": 0.75, "text": 0.25}, themes=themes)

    def shifts(
        self, history: Sequence[Interaction], profile: Profile | None, now: datetime
    ) -> tuple[InterestShift, ...]:
        """Nobody's interest shifts."""
        return ()

    def extended(self, catalog: Catalog, video_ids: Sequence[str]) -> FakeScorer:
        """New videos lie between the axes."""
        vectors_VD = np.full((len(video_ids), self.index_vectors_VD.shape[1]), 0.5, np.float32)
        return FakeScorer([*self.video_ids, *video_ids], np.concatenate([self.index_vectors_VD, vectors_VD]))

    def score(self, state: FakeState, videos_N: NDArray[np.int64]) -> FakeScores:
        return FakeScores(self.index_vectors_VD[videos_N] @ state.interest_D, self.weights(state, videos_N))

    def weights(self, state: FakeState, videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(np.array([0.75, 0.25], np.float32), (len(videos_N), 1))

    def weights_of(
        self,
        viewers: Sequence[tuple[Sequence[Interaction], Profile | None]],
        videos_N: NDArray[np.int64],
        now: datetime,
    ) -> NDArray[np.float32]:
        found = [self.weights(self.viewer(history, profile, now), videos_N) for history, profile in viewers]
        return np.array(found, np.float32)

    def evidence(self, state: FakeState, videos_N: NDArray[np.int64], k: int) -> tuple[tuple[Evidence, ...], ...]:
        return tuple(self._evidence(state, video, k) for video in videos_N.tolist())

    def _evidence(self, state: FakeState, video: int, k: int) -> tuple[Evidence, ...]:
        vector_D = self.index_vectors_VD[video]
        likeness = [(float(self.index_vectors_VD[row] @ vector_D), self.video_ids[row]) for row in state.history]
        best = sorted(likeness, reverse=True)[:k]
        return tuple(Evidence(video_id=video_id, similarity=cosine) for cosine, video_id in best)


def shelf(days_old: dict[str, float | None], vectors_VD: NDArray[np.float32] | None = None) -> Shelf:
    """Videos by their age in days."""
    times = [(NOW - timedelta(days=d)).timestamp() if d is not None else np.nan for d in days_old.values()]
    return Shelf(video_ids=tuple(days_old), uploaded_at_V=np.array(times, np.float64), vectors_VD=vectors_VD)


def roster(on: Shelf, **likes: int) -> Roster:
    """Of a shelf and what so many viewers liked."""
    return Roster.of(on, Popularity.of(likes))


def query(
    on: Roster | None = None, *, seen: Iterable[str] = (), duplicates: Iterable[str] = (), **changes: object
) -> Query:
    """For a viewer who has met some videos of a roster."""
    given: dict[str, object] = {"viewer_id": "ann", "size": 2, "now": NOW}
    if on is not None:
        given["seen_S"] = np.sort(on.numbers_of(seen))
        given["duplicates_S"] = np.sort(on.numbers_of(duplicates))
    return Query(**(given | changes))  # type: ignore[arg-type]
