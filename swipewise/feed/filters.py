"""What may not be in a feed, and the reason given."""

from __future__ import annotations

from dataclasses import dataclass

from swipewise.feed.stages import Query, Shelf
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
        return candidate.video_id not in query.seen
