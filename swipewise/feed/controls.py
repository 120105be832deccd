"""What a viewer asked for, in a feed: what is left out, what is lowered, and the words that say so.

Legend of shape suffixes: N = candidates, S = sorted numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.events.controls import Controls
from swipewise.feed.roster import Roster
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Barred, Lowered, Query

HIDDEN = "hidden by the viewer"
LESS_CREATOR = "less of this creator"
LESS_TOPIC = "less of this topic"
SHOWN = "shown in this session"
_LESS = (LESS_CREATOR, LESS_TOPIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarredFilter:
    """Nothing that the viewer does not want, or has just been shown, for one of the reasons."""

    reason: str

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which this is no reason to leave out: (N,)."""
        return ~query.barred.by(self.reason, numbers_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLess:
    """Lowers the score of what the viewer wants less of, by the logarithm of how much of it is wanted.

    A share of a half takes 0.7 off, one of a tenth 2.3, where scores have a deviation of 1.
    """

    roster: Roster

    def lowered(self, query: Query, numbers_N: NDArray[np.int64]) -> Lowered | None:
        """What is taken off each candidate and why, None where nothing is."""
        controls = query.controls
        if controls is None or not (controls.topics or controls.creators):
            return None
        topics = {topic.casefold(): share for topic, share in controls.topics.items()}
        found = [self._of(video_id, controls, topics) for video_id in self.roster.names_of(numbers_N)]
        return Lowered(
            amounts_N=np.array([amount for amount, _ in found], np.float64),
            why_N=np.array([_LESS.index(reason) for _, reason in found], np.int64),
            reasons=_LESS,
        )

    def _of(self, video_id: str, controls: Controls, topics: Mapping[str, float]) -> tuple[float, str]:
        creator = self.roster.shelf.creator_of.get(video_id, "")
        tags = {tag.casefold() for tag in self.roster.shelf.tags_of.get(video_id, ())}
        asked = [(controls.creators[creator], LESS_CREATOR)] if creator in controls.creators else []
        asked += [(topics[tag], LESS_TOPIC) for tag in sorted(tags & topics.keys())]
        # What is not wanted at all was taken out before.
        amounts = [(-math.log(share), reason) for share, reason in asked if share > 0]
        return sum(amount for amount, _ in amounts), max(amounts, default=(0.0, LESS_CREATOR))[1]


def barred(controls: Controls | None, roster: Roster, shown: frozenset[str] = frozenset()) -> Barred:
    """The videos that the viewer does not want at all, and why.

    Those ``shown`` in this session come first, then hidden ones, both with their near-duplicates.
    """
    shelf = roster.shelf
    found = _unwanted(controls, shelf) | dict.fromkeys(shown | shelf.duplicates_of(shown), SHOWN)
    if not found:
        return Barred()
    by_reason: dict[str, list[str]] = {}
    for video_id, reason in found.items():
        by_reason.setdefault(reason, []).append(video_id)
    numbers = [roster.numbers_of(video_ids) for video_ids in by_reason.values()]
    numbers_N = np.concatenate(numbers)
    why_N = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    order_S = np.argsort(numbers_N)
    return Barred(numbers_S=numbers_N[order_S], why_S=why_N[order_S], reasons=tuple(by_reason))


def _unwanted(controls: Controls | None, shelf: Shelf) -> dict[str, str]:
    if controls is None:
        return {}
    found: dict[str, str] = {}
    for topic in (name for name, share in controls.topics.items() if share == 0):
        found |= dict.fromkeys(shelf.of_tag.get(topic.casefold(), ()), LESS_TOPIC)
    for creator in (name for name, share in controls.creators.items() if share == 0):
        found |= dict.fromkeys(shelf.of_creator.get(creator, ()), LESS_CREATOR)
    hidden = frozenset(controls.hidden)
    return found | dict.fromkeys(hidden | shelf.duplicates_of(hidden), HIDDEN)


def in_words(controls: Controls | None) -> tuple[str, ...]:
    """What of a viewer's controls bears on the whole feed, a line each."""
    if controls is None:
        return ()
    lines = [f"{name} counts {factor:g} times" for name, factor in controls.modalities.items() if factor != 1]
    if controls.reset_at is not None:
        lines.append(f"what happened before {controls.reset_at.isoformat(timespec='seconds')} does not count")
    if controls.paused_at is not None:
        lines.append(f"learning is paused since {controls.paused_at.isoformat(timespec='seconds')}")
    return tuple(lines)
