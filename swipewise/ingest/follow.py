"""What a run tells of each file as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swipewise.ingest.sources import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file.

    Attributes:
        entry: The file.
        outcome: "added", "updated", "unchanged" or "rejected".
        video_id: The video it is, None where it was rejected.
        reason: Why it was.
        seconds: Wall time of its stages in the worker: ``decode`` and ``encode``, where these were needed.
    """

    entry: Entry
    outcome: str
    video_id: str | None = None
    reason: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


class Follower:
    """Is told of the files of a run; this one does not care."""

    live = False
    """Whether files join while the run goes on, and what is settled is stored at once, not by and by."""

    def more(self) -> Sequence[Entry]:
        """Files that join a live run after those it has; asked for again and again."""
        return ()

    def stored(self) -> None:
        """All that was told of as settled is in the catalogue of a live run, with its links."""

    def started(self, entry: Entry, stage: str) -> None:
        """A worker has begun with a file: "reading", then "encoding" where that is needed."""

    def settled(self, outcome: Outcome) -> None:
        """It is known what becomes of a file; it is on disk when the run ends."""
