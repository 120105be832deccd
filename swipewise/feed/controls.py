"""What a viewer asked for, in a feed: what is left out, what is lowered, and the words that say so.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swipewise.events.controls import Controls
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Lowered, Query
from swipewise.schema import Candidate

HIDDEN = "hidden by the viewer"
LESS_CREATOR = "less of this creator"
LESS_TOPIC = "less of this topic"
SHOWN = "shown in this session"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarredFilter:
    """Nothing that the viewer does not want, or has just been shown, for one of the reasons."""

    reason: str

    def keeps(self, query: Query, candidate: Candidate) -> bool:
        """Whether this is no reason to leave it out."""
        return query.barred.get(candidate.video_id) != self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLess:
    """Lowers the score of what the viewer wants less of, by the logarithm of how much of it is wanted.

    A share of a half takes 0.7 off, one of a tenth 2.3, where scores have a deviation of 1.
    """

    shelf: Shelf

    def lowered(self, query: Query, candidates: Sequence[Candidate]) -> list[Lowered | None]:
        """What is taken off each candidate and why, None where nothing is."""
        controls = query.controls
        if controls is None or not (controls.topics or controls.creators):
            return [None] * len(candidates)
        topics = {topic.casefold(): share for topic, share in controls.topics.items()}
        return [self._of(candidate.video_id, controls, topics) for candidate in candidates]

    def _of(self, video_id: str, controls: Controls, topics: dict[str, float]) -> Lowered | None:
        creator = self.shelf.creator_of.get(video_id, "")
        tags = {tag.casefold() for tag in self.shelf.tags_of.get(video_id, ())}
        asked = [(controls.creators[creator], LESS_CREATOR)] if creator in controls.creators else []
        asked += [(topics[tag], LESS_TOPIC) for tag in sorted(tags & topics.keys())]
        # What is not wanted at all was taken out before.
        amounts = [(-math.log(share), reason) for share, reason in asked if share > 0]
        if not amounts:
            return None
        return Lowered(amount=sum(amount for amount, _ in amounts), reason=max(amounts)[1])


def barred(controls: Controls | None, shelf: Shelf, shown: frozenset[str] = frozenset()) -> dict[str, str]:
    """The videos that the viewer does not want at all, and why.

    Those ``shown`` in this session come first, then hidden ones, both with their near-duplicates.
    """
    return _unwanted(controls, shelf) | dict.fromkeys(shown | shelf.duplicates_of(shown), SHOWN)


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
