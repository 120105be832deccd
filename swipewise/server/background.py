"""What a server does beside answering, and how the workers on one socket share it."""

from __future__ import annotations

import logging
import threading
from time import perf_counter
from typing import Final

from swipewise.events import finish_erasures
from swipewise.feed.engine import FeedEngine
from swipewise.ingest.work import JobRunner
from swipewise.server.metrics import METRICS, Metrics
from swipewise.server.siblings import Place, Siblings
from swipewise.workspace import Workspace

_LOOK: Final = "look"
_WAKE: Final = "wake"
_LOOK_SECONDS: Final = 60.0
_WAKE_SECONDS: Final = 2.0

_logger = logging.getLogger(__name__)


class Background:
    """Keeps what feeds are made from fresh, ingests posted videos, and finishes erasures.

    Every worker refreshes what it has in memory itself, and any may finish erasures, which take their locks. Videos are
    ingested by the first worker alone, as each that does so has processes for it.

    Args:
        engine: What feeds are made from.
        siblings: The other workers.
        place: This one's.
        warm: Whether the processes that decode posted videos start with the server, not with the first video.
    """

    def __init__(self, engine: FeedEngine, siblings: Siblings, place: Place, *, warm: bool) -> None:
        self._engine = engine
        self._siblings = siblings
        self._place = place
        self._ingests = place.number == 0
        self._runner = JobRunner(engine.workspace, publish=self.look, warm=warm)
        self._stop = threading.Event()
        self._refresher = threading.Thread(target=self._keep_fresh, name="swipewise-refresh", daemon=True)

    def start(self, metrics: Metrics) -> None:
        """Begin, and answer the other workers.

        Args:
            metrics: What they ask for.
        """
        self._siblings.listen({METRICS: metrics.own, _LOOK: self._look_here, _WAKE: self._wake_here})
        self._refresher.start()
        if self._ingests:
            self._runner.start()

    def stop(self) -> None:
        """End after what is going on."""
        self._stop.set()
        self._siblings.close()
        self._runner.stop()
        self._refresher.join(timeout=10)

    def wake(self) -> None:
        """Say that a video was posted, so that it is taken at once."""
        if self._ingests:
            self._runner.wake()
        else:
            self._siblings.ask(_WAKE, _WAKE_SECONDS)

    def look(self) -> None:
        """Have all workers load what has changed of the catalogue and the model; they have when this returns.

        One that takes too long looks by itself with its next refresh.

        Raises:
            StoreError: A store cannot be read.
        """
        others = threading.Thread(target=self._siblings.ask, args=(_LOOK, _LOOK_SECONDS), daemon=True)
        others.start()
        try:
            self._engine.look_for_videos()
        finally:
            others.join()

    def _look_here(self) -> bytes:
        self._engine.look_for_videos()
        return b""

    def _wake_here(self) -> bytes:
        self._runner.wake()
        return b""

    def _keep_fresh(self) -> None:
        """Refresh again and again, with pauses long enough that it takes a tenth of one core at most."""
        workspace: Workspace = self._engine.workspace
        every = workspace.config.server.refresh_seconds
        # Workers that have started together do not work at the same moments.
        pause = every * (1 + self._place.number / self._place.count)
        while not self._stop.wait(pause):
            start = perf_counter()
            for what, work in (
                ("look for new videos, runs and popularity", self._engine.refresh),
                ("finish erasures", lambda: finish_erasures(workspace)),
            ):
                try:
                    work()
                except Exception:
                    # The server goes on with what it has; the next round may succeed.
                    _logger.exception("cannot %s", what)
            pause = max(every, 9 * (perf_counter() - start))
