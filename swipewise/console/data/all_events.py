"""All events as pages that count everything read them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.reading import live_events


def every_event(events_dir: Path) -> pl.LazyFrame:
    """History and live log together, as ``events.read_events`` but for this: an event that is in both is there twice.

    Events are in both while they are moved, and where a client sends one again after that. To find these few takes
    longer than all that a page counts, as the ids of the whole history have to be read.

    Raises:
        StoreError: A store cannot be read.
    """
    live = live_events(events_dir)
    return pl.concat([History(events_dir).scan().select(*EVENT_SCHEMA), live.lazy().select(*EVENT_SCHEMA)])
