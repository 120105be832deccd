"""The videos a feed can be filled with.

Legend of shape suffixes: N = some videos, V = videos on the shelf, R = those of them that are there, D = width of a
vector.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.cursor import mark


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The videos a feed can be filled with, and what the stages need to know of them.

    uploaded_at_V: (V,) float64 seconds since 1970 UTC, NaN where unknown.
    vectors_VD: (V, D) float32, the model's own, or None without one.
    group_of: Of each video that has near-duplicates the first of their group, which stands for the group.
    removed: Rows of videos that left the catalogue; they keep their place and are never shown.
    creator_of, tags_of, language_of: Of the videos that have them.
    regions_of: Of the videos that may be shown in some regions alone.
    window_of: Of those that may be shown for a time alone, from when until before when, seconds since 1970 UTC.
    seconds_V: (V,) float64, how long each video is, NaN where unknown; empty where it is of none.
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
    seconds_V: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
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

    def directions(self, rows_N: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """The vectors of some videos with length 1, or 0 where a vector is: (N, D); None without a model."""
        if self.vectors_VD is None:
            return None
        vectors_ND = self.vectors_VD[rows_N]
        directions_ND: NDArray[np.float32] = vectors_ND / _lengths(vectors_ND)[:, None]
        return directions_ND

    def cosines(self, row: int) -> NDArray[np.float32] | None:
        """Of every video to the one of a row: (V,); None without a model."""
        if self.vectors_VD is None:
            return None
        vector_D = self.vectors_VD[row] / self._lengths_V[row]
        cosines_V: NDArray[np.float32] = (self.vectors_VD @ vector_D) / self._lengths_V
        return cosines_V

    @cached_property
    def _lengths_V(self) -> NDArray[np.float32]:
        assert self.vectors_VD is not None, "there is no model"
        return _lengths(self.vectors_VD)

    def seconds_of(self, video_id: str) -> float | None:
        """How long a video is, also one that has left; None where that is unknown."""
        row = self.row_of.get(video_id, self.row_of_removed.get(video_id))
        if row is None or not len(self.seconds_V):
            return None
        seconds = float(self.seconds_V[row])
        return None if np.isnan(seconds) else seconds

    @cached_property
    def row_of_removed(self) -> dict[str, int]:
        """The row of each video that has left."""
        return {self.video_ids[row]: row for row in self.removed}

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


def _inverted(pairs: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for video_id, names in pairs:
        for name in names:
            found.setdefault(name, []).append(video_id)
    return found


def _lengths(vectors_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    """What to divide vectors by so that they have length 1: (N,)."""
    lengths_N: NDArray[np.float32] = np.sqrt(np.einsum("nd,nd->n", vectors_ND, vectors_ND))
    return np.maximum(lengths_N, np.float32(1e-12))
