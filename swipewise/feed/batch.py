"""Feeds of many viewers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import polars as pl

from swipewise.events import read_events, read_profiles
from swipewise.events.history import History
from swipewise.feed.engine import FeedEngine
from swipewise.feed.frames import as_frame
from swipewise.feed.requests import Request
from swipewise.feed.stages import Feed
from swipewise.schema import Col
from swipewise.workspace import Workspace

_TOGETHER: Final = 16
"""Viewers at a time: what several ask of the model at once costs it less."""


def known_viewers(workspace: Workspace) -> list[str]:
    """Everybody who has an event or a profile, in order of id.

    Raises:
        StoreError: A store cannot be read.
    """
    active = History(workspace.events_dir).collected(
        lambda: read_events(workspace.events_dir).select(Col.VIEWER_ID).unique().collect(engine="streaming")
    )
    profiles = read_profiles(workspace.events_dir)
    return pl.concat([active[Col.VIEWER_ID], profiles[Col.VIEWER_ID]]).unique().sort().to_list()


def feeds_in_blocks(
    engine: FeedEngine, viewers: Sequence[str], *, size: int | None = None, block: int = 500
) -> Iterator[pl.DataFrame]:
    """The recommendations of viewers, so many viewers at a time; see ``frames.FEED_SCHEMA``.

    Nothing of it is logged, as nobody is shown it.

    Args:
        engine: What makes the feeds.
        viewers: Whose.
        size: Videos a viewer, by default ``feed.size`` of the configuration.
        block: Viewers a frame.

    Raises:
        ConfigError: ``size`` is below 1.
        StoreError: A store cannot be read.
    """

    def feed(viewer: str) -> Feed:
        return engine.feed(viewer, size=size, request=Request(explained=False))

    with ThreadPoolExecutor(_TOGETHER) as pool:
        for start in range(0, len(viewers), block):
            yield as_frame(pool.map(feed, viewers[start : start + block]))
