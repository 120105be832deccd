"""What is asked of a feed, and what that means for one viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from swipewise.feed.context import Context
from swipewise.feed.controls import barred
from swipewise.feed.cursor import Cursor
from swipewise.feed.following import followed_creators
from swipewise.feed.histories import Known
from swipewise.feed.live import Live
from swipewise.feed.stages import Query
from swipewise.schema import Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked beside the viewer and the size.

    Attributes:
        cursor: Of the page before, whose videos and those of the pages before it are not shown again.
        context: Where and how the feed is watched.
        now: The moment the feed is for, timezone-aware, by default the present. The model does not look at later
            events, but what they show as seen is left out all the same.
        request_id: Names the answer, and decides what is drawn in it: the same again is drawn the same.
        explained: Whether each video comes with its reasons.
    """

    cursor: str | None = None
    context: Context = field(default_factory=Context)
    now: datetime | None = None
    request_id: str = field(default_factory=lambda: uuid4().hex)
    explained: bool = True

    def session(self, viewer_id: str) -> Cursor:
        """What this session has shown so far.

        Raises:
            DataError: The cursor is damaged or another viewer's.
        """
        return Cursor(viewer_id=viewer_id) if self.cursor is None else Cursor.parse(self.cursor, viewer_id)


def query_of(
    viewer_id: str,
    size: int,
    request: Request,
    cursor: Cursor,
    known: Known,
    history: Sequence[Interaction],
    live: Live,
) -> Query:
    """What the stages have to know of a request."""
    roster, shelf = live.roster, live.stock.shelf
    met = frozenset(row.video_id for row in known.events)
    duplicates = shelf.duplicates_of(met)
    now = request.now or present(history)
    return Query(
        viewer_id=viewer_id,
        size=size,
        now=now,
        seen_S=np.sort(roster.numbers_of(met | duplicates)),
        duplicates_S=np.sort(roster.numbers_of(duplicates)),
        controls=known.controls,
        barred=barred(known.controls, roster, shelf.marked(cursor.shown)),
        closed=live.eligibility.closed(request.context, known.profile, now),
        followed=followed_creators(known.counted, shelf),
        start=len(cursor.shown),
        request_id=request.request_id,
        explained=request.explained,
    )


def present(history: Sequence[Interaction]) -> datetime:
    """Now, or the newest event where a client's clock is ahead: what was just done must count."""
    return max([datetime.now(UTC), *(interaction.at for interaction in history[-1:])])
