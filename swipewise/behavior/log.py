"""What a platform sees: who was shown what, when, and how much of it they watched.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector, P = profile fields,
N = places asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000

SESSION_GAP_MS = 30 * 60_000
"""Viewers who were away for longer than this have come back for another session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """One modality's vectors: values_VD float, anything where ``present_V`` is False."""

    values_VD: NDArray[np.floating]
    present_V: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviorLog:
    """Interactions sorted by viewer, then time, and what is known of the videos and viewers in them.

    viewer_I, video_I: int64 indices; at_I, uploaded_at_V: int64 milliseconds; watch_ratio_I: float, 0 where unknown;
    content: vectors by modality; profile_UP: int64 codes, 0 where a field is missing.
    """

    viewer_I: NDArray[np.int64]
    video_I: NDArray[np.int64]
    at_I: NDArray[np.int64]
    watch_ratio_I: NDArray[np.floating]
    uploaded_at_V: NDArray[np.int64]
    content: Mapping[str, Vectors]
    profile_UP: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.viewer_I)

    def where(self, keep_I: NDArray[np.bool_]) -> BehaviorLog:
        """The same viewers and videos with only the interactions at which ``keep_I`` is True."""
        return replace(
            self,
            viewer_I=self.viewer_I[keep_I],
            video_I=self.video_I[keep_I],
            at_I=self.at_I[keep_I],
            watch_ratio_I=self.watch_ratio_I[keep_I],
        )

    def before(self, time: int) -> BehaviorLog:
        """The same viewers and videos with only the interactions earlier than ``time`` (milliseconds)."""
        return self.where(self.at_I < time)

    def of_some(self, most: int, seed: int = 0) -> BehaviorLog:
        """The log of at most so many of those who did anything, drawn at random; viewers are numbered anew."""
        viewers = np.flatnonzero(np.bincount(self.viewer_I, minlength=len(self.profile_UP)))
        if len(viewers) > most:
            viewers = np.sort(np.random.default_rng(seed).choice(viewers, most, replace=False))
        looked_U = np.zeros(len(self.profile_UP), bool)
        looked_U[viewers] = True
        some = self.where(looked_U[self.viewer_I])
        return replace(some, viewer_I=np.searchsorted(viewers, some.viewer_I), profile_UP=self.profile_UP[viewers])

    def offsets(self) -> NDArray[np.int64]:
        """Offsets (U + 1,): the interactions of viewer u are the rows offsets[u]:offsets[u + 1]."""
        return np.searchsorted(self.viewer_I, np.arange(len(self.profile_UP) + 1)).astype(np.int64)

    def away(self) -> NDArray[np.int64]:
        """Milliseconds since the viewer's last interaction (I,); 0 for the first."""
        away_I = np.diff(self.at_I, prepend=self.at_I[:1])
        away_I[np.diff(self.viewer_I, prepend=-1) != 0] = 0
        return away_I

    def returns(self) -> NDArray[np.int64]:
        """The rows with which viewers come back for another session."""
        return np.flatnonzero(self.away() > SESSION_GAP_MS)

    def session_place(self) -> NDArray[np.int64]:
        """The place of each interaction in its session, from 0: (I,)."""
        opens_I = (self.away() > SESSION_GAP_MS) | (np.diff(self.viewer_I, prepend=-1) != 0)
        places_I = np.arange(len(self))
        opened_at_I = np.maximum.accumulate(np.where(opens_I, places_I, 0))
        return (places_I - opened_at_I).astype(np.int64)
