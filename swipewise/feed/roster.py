"""The videos that candidates may be, by number, and what behaviour makes of each.

A video of the shelf has the number of its row. Those that behaviour names beside it, and cannot be shown, come behind.

Legend of shape suffixes: A = all numbers, N = some of them, S = sorted ones, R = places of a ranking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.feed.popularity import Popularity
from swipewise.feed.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class Roster:
    """The numbers of videos, and their popularity.

    strangers: Videos that behaviour names and the shelf never held; the first has the number of the shelf's length.
    likes_A: float32, the logs of 1 + the viewers who liked a video lately; the hundredth weighs less than the first.
    rises_A: float32, the logs of 1 + the rises, 0 where there is none.
    popular_R, rising_R: int64, the numbers of the liked and of the rising ones, the greatest first.
    """

    shelf: Shelf
    strangers: tuple[str, ...]
    likes_A: NDArray[np.float32]
    rises_A: NDArray[np.float32]
    popular_R: NDArray[np.int64]
    rising_R: NDArray[np.int64]

    @classmethod
    def of(cls, shelf: Shelf, popularity: Popularity | None = None) -> Self:
        """Number the videos of a shelf and those that are popular."""
        popularity = popularity or Popularity()
        named = dict.fromkeys((*popularity.ranking, *popularity.rising))
        strangers = tuple(each for each in named if each not in shelf.row_of and each not in shelf.row_of_removed)
        numbers = _Numbers(shelf, strangers)
        popular_R, rising_R = numbers.of(popularity.ranking), numbers.of(popularity.rising)
        likes_A, rises_A = np.zeros((2, len(shelf.video_ids) + len(strangers)), np.float32)
        likes_A[popular_R] = _logs(popularity.counts, popularity.ranking)
        rises_A[rising_R] = _logs(popularity.rises, popularity.rising)
        return cls(
            shelf=shelf,
            strangers=strangers,
            likes_A=likes_A,
            rises_A=rises_A,
            popular_R=popular_R,
            rising_R=rising_R,
        )

    def numbers_of(self, video_ids: Iterable[str]) -> NDArray[np.int64]:
        """The numbers of those of some videos that have one, in the same order."""
        return self._numbers.of(video_ids)

    def names_of(self, numbers_N: NDArray[np.int64]) -> list[str]:
        """The videos with these numbers."""
        ids, first = self.shelf.video_ids, len(self.shelf.video_ids)
        return [ids[number] if number < first else self.strangers[number - first] for number in numbers_N.tolist()]

    def there(self, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which are on the shelf and have not left it: (N,)."""
        there_N: NDArray[np.bool_] = numbers_N < len(self.shelf.video_ids)
        return there_N & ~among(numbers_N, self._removed_S)

    @cached_property
    def _numbers(self) -> _Numbers:
        return _Numbers(self.shelf, self.strangers)

    @cached_property
    def _removed_S(self) -> NDArray[np.int64]:
        return np.array(sorted(self.shelf.removed), np.int64)


class _Numbers:
    """The number of each video."""

    def __init__(self, shelf: Shelf, strangers: tuple[str, ...]) -> None:
        self._row_of = shelf.row_of
        first = len(shelf.video_ids)
        self._beside = {each: first + place for place, each in enumerate(strangers)} | {
            video_id: row for video_id, row in shelf.row_of_removed.items() if video_id not in shelf.row_of
        }

    def of(self, video_ids: Iterable[str]) -> NDArray[np.int64]:
        row_of, beside = self._row_of, self._beside
        numbers = [row_of[each] if each in row_of else beside.get(each, -1) for each in video_ids]
        numbers_N = np.array(numbers, np.int64)
        return numbers_N[numbers_N >= 0]


def among(numbers_N: NDArray[np.int64], numbers_S: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which numbers are among some sorted ones: (N,).

    >>> among(np.array([3, 1, 9]), np.array([1, 2, 9])).tolist()
    [False, True, True]
    """
    if not len(numbers_S):
        return np.zeros(len(numbers_N), np.bool_)
    among_N: NDArray[np.bool_] = numbers_S[place_among(numbers_N, numbers_S)] == numbers_N
    return among_N


def place_among(numbers_N: NDArray[np.int64], numbers_S: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each number would be among some sorted ones, of which there is one at least: (N,)."""
    place_N: NDArray[np.int64] = np.minimum(np.searchsorted(numbers_S, numbers_N), len(numbers_S) - 1)
    return place_N


def _logs(values: Mapping[str, float], names: Iterable[str]) -> NDArray[np.float32]:
    logs_R: NDArray[np.float32] = np.log1p(np.array([values[each] for each in names], np.float32))
    return logs_R
