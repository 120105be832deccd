"""What may not be in a feed, and the reason given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.schema import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFilter:
    """Only videos of the catalogue: behaviour may name others, and those cannot be shown."""

    shelf: Shelf
    reason: str = "not in the catalogue"

    def keeps(self, query: Query, candidate: Candidate) -> bool:
        """Whether the shelf holds the video."""
        return candidate.video_id in self.shelf.row_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFilter:
    """Only videos that are not in the viewer's history, whatever happened there."""

    reason: str = "seen"

    def keeps(self, query: Query, candidate: Candidate) -> bool:
        """Whether the viewer has not met the video."""
        return candidate.video_id not in query.seen or candidate.video_id in query.duplicates


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDuplicateFilter:
    """No near-duplicates of videos that are in the viewer's history: they would be met a second time."""

    reason: str = "duplicate of a seen one"

    def keeps(self, query: Query, candidate: Candidate) -> bool:
        """Whether the viewer has met no near-duplicate of the video."""
        return candidate.video_id not in query.duplicates


@dataclass(frozen=True, slots=True, kw_only=True)
class BestDuplicate:
    """Of near-duplicates only the best."""

    shelf: Shelf
    reason: str = "duplicate of a better one"

    def distinct(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The first of each group, and all that have no near-duplicates."""
        group_of = self.shelf.group_of
        firsts: dict[str, Candidate] = {}
        for candidate in candidates:
            firsts.setdefault(group_of.get(candidate.video_id, candidate.video_id), candidate)
        return list(firsts.values())
