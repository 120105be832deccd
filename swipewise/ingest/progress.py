"""What a run tells of itself, while it goes on and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from swipewise.ingest.executor import Answer

MOST_REASONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: ``done`` of ``total`` files, and what became of them.

    ``in_flight`` files are with workers, ``waiting`` ones are read and wait for a worker or for their turn.
    ``decode_seconds`` and ``encode_seconds`` are wall times, summed over the workers.
    """

    done: int
    total: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    in_flight: int = 0
    waiting: int = 0
    decode_seconds: float = 0.0
    encode_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary:
    """What became of the files, and how long it took.

    Rows that could not be used count as rejected; ``reasons`` says why of the first few,
    of all where no list of rejected files does. ``unused_captions`` belong to
    none of the files, ``unused_columns`` are those of manifests of which nothing was taken. ``most_in_flight`` and
    ``most_waiting`` are the peaks of what ``Progress`` tells, ``decode_seconds`` and ``encode_seconds`` as there.
    """

    added: int
    updated: int
    unchanged: int
    rejected: int
    seconds: float
    unused_captions: int = 0
    reasons: tuple[str, ...] = ()
    unused_columns: tuple[str, ...] = ()
    videos_per_second: float = 0.0
    decode_seconds: float = 0.0
    encode_seconds: float = 0.0
    most_in_flight: int = 0
    most_waiting: int = 0


class Meter:
    """Counts what becomes of files and how busy the workers are.

    Args:
        total: How many files and rows there are.
        on_progress: Told after each.
        all_reasons: Whether the summary says of all rejected files why, as no list does.
    """

    def __init__(
        self, total: int, on_progress: Callable[[Progress], None] | None, *, all_reasons: bool = False
    ) -> None:
        self._all_reasons = all_reasons
        self._now = Progress(done=0, total=total, added=0, updated=0, unchanged=0, rejected=0)
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._reasons: list[str] = []
        self._most_in_flight = self._most_waiting = 0

    def expect(self, files: int) -> None:
        """So many more have joined."""
        self._now = replace(self._now, total=self._now.total + files)

    def count(self, outcome: str, reason: str | None = None) -> None:
        """A file is done with: "added", "updated", "unchanged" or "rejected" for a reason."""
        counted: dict[str, Any] = {outcome: getattr(self._now, outcome) + 1}
        self._now = replace(self._now, done=self._now.done + 1, **counted)
        if reason is not None and (self._all_reasons or len(self._reasons) < MOST_REASONS):
            self._reasons.append(reason)
        if self._on_progress:
            self._on_progress(self._now)

    def load(self, *, in_flight: int, waiting: int) -> None:
        """How much there is to do now."""
        self._now = replace(self._now, in_flight=in_flight, waiting=waiting)
        self._most_in_flight = max(self._most_in_flight, in_flight)
        self._most_waiting = max(self._most_waiting, waiting)

    def took(self, answer: Answer) -> None:
        """Add the times that an answer took."""
        self._now = replace(
            self._now,
            decode_seconds=self._now.decode_seconds + answer.get("decode_seconds", 0.0),
            encode_seconds=self._now.encode_seconds + answer.get("encode_seconds", 0.0),
        )

    def summary(self, *, unused_captions: int) -> IngestSummary:
        """All of it, at the end."""
        now, seconds = self._now, time.monotonic() - self._started
        return IngestSummary(
            added=now.added,
            updated=now.updated,
            unchanged=now.unchanged,
            rejected=now.rejected,
            seconds=seconds,
            unused_captions=unused_captions,
            reasons=tuple(self._reasons),
            videos_per_second=now.done / seconds,
            decode_seconds=now.decode_seconds,
            encode_seconds=now.encode_seconds,
            most_in_flight=self._most_in_flight,
            most_waiting=self._most_waiting,
        )
