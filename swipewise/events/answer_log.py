"""Writes answers in the background, so that no feed waits for the disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from swipewise.errors import StoreError
from swipewise.events.answers import Answer, Answers

_PAUSE_SECONDS: Final = 1.0
_AT_ONCE: Final = 500
_EXPIRY_SECONDS: Final = 3600.0

_logger = logging.getLogger(__name__)


class AnswerLog:
    """Takes answers at once and writes them within a second or so.

    What waits is bounded: where the store cannot be written for long, the oldest waiting are given up and counted in
    ``lost``. Those that wait when the process is killed are lost.

    Args:
        answers: Where to.
        days: After how many they are deleted; 0: none is taken.
        most: How many may wait.
    """

    def __init__(self, answers: Answers, *, days: float, most: int = 10_000) -> None:
        self.lost = 0
        self._answers = answers
        self._days = days
        self._waiting: deque[Answer] = deque(maxlen=most)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._expired_at = -_EXPIRY_SECONDS

    def start(self) -> None:
        """Begin to write."""
        if self._days:
            self._thread = threading.Thread(target=self._run, name="swipewise-answers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def put(self, answer: Answer) -> None:
        """Take an answer; never waits for the disk."""
        if not self._days:
            return
        with self._lock:
            self.lost += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(answer)

    def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreError: The store cannot be written; what could not be written waits on.
        """
        while batch := self._first():
            self._answers.put(batch)
            with self._lock:
                # Those that were given up meanwhile are no longer the first.
                while batch and self._waiting and self._waiting[0] is not batch[0]:
                    batch.pop(0)
                for _ in batch:
                    self._waiting.popleft()

    def _first(self) -> list[Answer]:
        with self._lock:
            return [self._waiting[place] for place in range(min(_AT_ONCE, len(self._waiting)))]

    def _run(self) -> None:
        stopped = False
        while not stopped:
            stopped = self._stop.wait(_PAUSE_SECONDS)
            try:
                self.flush()
                self._expire()
            except StoreError as error:
                _logger.warning("answers are not logged now, %d wait: %s", len(self._waiting), error)
            except Exception:
                # The next round may succeed; without this thread nothing would be logged any more.
                _logger.exception("answers are not logged now")

    def _expire(self) -> None:
        if monotonic() - self._expired_at < _EXPIRY_SECONDS:
            return
        self._answers.expire(datetime.now(UTC) - timedelta(days=self._days))
        self._expired_at = monotonic()
