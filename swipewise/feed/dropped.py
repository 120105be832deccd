"""What did not make a feed, kept as numbers until somebody asks: most feeds are never asked for it.

Legend of shape suffixes: N = candidates of a stage, A = all that was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.roster import Roster
from swipewise.feed.stages import Dropped


class DroppedVideos(Sequence[Dropped]):
    """The dropped candidates of one feed, in the order of the stages.

    Args:
        roster: Whose numbers they are.
        sources: The names of all sources.
    """

    def __init__(self, roster: Roster, sources: Sequence[str]) -> None:
        self._roster = roster
        self._sources = sources
        self._reasons: list[str] = []
        self._numbers: list[NDArray[np.int64]] = []
        self._source: list[NDArray[np.int64]] = []
        self._why: list[NDArray[np.int64]] = []

    def add(
        self,
        numbers_N: NDArray[np.int64],
        source_N: NDArray[np.int64],
        reasons: Sequence[str],
        why_N: NDArray[np.int64] | None = None,
    ) -> None:
        """Note what a stage has dropped, for the first of the reasons or for the one at its place in ``why_N``."""
        if not len(numbers_N):
            return
        why_N = np.zeros(len(numbers_N), np.int64) if why_N is None else why_N
        self._why.append(why_N + len(self._reasons))
        self._reasons += reasons
        self._numbers.append(numbers_N)
        self._source.append(source_N)

    def __len__(self) -> int:
        return sum(map(len, self._numbers))

    def __iter__(self) -> Iterator[Dropped]:
        return iter(self._told)

    @overload
    def __getitem__(self, place: int) -> Dropped: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Dropped]: ...
    def __getitem__(self, place: int | slice) -> Dropped | Sequence[Dropped]:
        return self._told[place]

    @cached_property
    def _told(self) -> tuple[Dropped, ...]:
        if not self._numbers:
            return ()
        sources, reasons = self._sources, self._reasons
        names = self._roster.names_of(np.concatenate(self._numbers))
        source_A, why_A = (np.concatenate(parts).tolist() for parts in (self._source, self._why))
        return tuple(
            Dropped(video_id=name, source=sources[source], reason=reasons[why])
            for name, source, why in zip(names, source_A, why_A, strict=True)
        )
